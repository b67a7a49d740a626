"""At most one heavy call in flight to a node, also when we have stopped waiting for it."""

import threading

from lens_exporter.foundation.clock import Clock
from lens_exporter.lenses.beam.link import Pending

_PATIENCE = 60.0  # seconds after which a call that was given up no longer stands in the way


class HeavyPlace:
    """The one place. A call that was given up keeps it: the node may still be at work on it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._left_behind: Pending | None = None
        self._since = 0.0
        self._creation = 0  # of the node that works on it

    def take(self, seconds: float, creation: int) -> bool:
        """Take the place, waiting for it at most so long; creation is that of the node as it runs now."""
        if not self._lock.acquire(timeout=max(seconds, 0.0)):
            return False
        if self._left_behind is None or self._is_over(self._left_behind, creation):
            self._left_behind = None
            return True
        self._lock.release()
        return False

    def leave(self, *, behind: Pending | None = None, creation: int = 0) -> None:
        """Give the place back; `behind` is the call that has not been answered."""
        if behind is not None and not behind.answered:
            self._left_behind, self._since, self._creation = behind, self._clock(), creation
        self._lock.release()

    def _is_over(self, call: Pending, creation: int) -> bool:
        return call.answered or creation != self._creation or self._clock() - self._since > _PATIENCE
