"""Alerts that are gone from Alertmanager without anybody saying so, as with a receiver that sends no resolved notifications."""

from collections.abc import Callable, Collection

from lens_exporter.foundation.clock import Clock, wall
from lens_exporter.investigate.store import Store
from lens_exporter.investigate.taken import AlertKey

_PATIENCE = 300.0  # seconds; an Alertmanager that restarts holds nothing until its clients have sent again


class Vanished:
    """Ends investigated alerts that no Alertmanager has held for a while; what is told of them then goes the usual way."""

    def __init__(
        self,
        store: Store,
        held: Callable[[], Collection[str] | None],
        *,
        patience: float = _PATIENCE,
        clock: Clock = wall,
    ) -> None:
        """Held gives the fingerprints of all alerts that any Alertmanager holds, None when one of them cannot be asked."""
        self._store = store
        self._held = held
        self._patience = patience
        self._clock = clock
        self._absent: dict[AlertKey, float] = {}

    def end_vanished(self) -> int:
        """Look once, and say how many were ended. An absence counts only while every Alertmanager answers.

        Raises:
            DatabaseError: nothing was ended.

        """
        investigated = self._store.firing()
        held = self._held() if investigated else set()
        if held is None:
            self._absent.clear()
            return 0
        now = self._clock()
        self._absent = {key: self._absent.get(key, now) for key in investigated if key[0] not in held}
        over = [(key, since) for key, since in self._absent.items() if now - since >= self._patience]
        self._store.end(over)
        return len(over)
