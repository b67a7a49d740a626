"""When to try again to reach a node that could not be reached."""

from lens_exporter.foundation.clock import Clock

_FIRST, _LONGEST = 1.0, 60.0  # seconds


class Backoff:
    """Each failure doubles the pause before the next attempt, up to a minute; success ends it. Not thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pause = 0.0
        self._not_before = 0.0

    @property
    def left(self) -> float:
        """Seconds until the next attempt may be made."""
        return max(self._not_before - self._clock(), 0.0) if self._pause else 0.0

    def failed(self) -> None:
        self._pause = min(self._pause * 2 or _FIRST, _LONGEST)
        self._not_before = self._clock() + self._pause

    def succeeded(self) -> None:
        self._pause = 0.0
