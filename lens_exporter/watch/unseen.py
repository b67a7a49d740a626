"""A watcher that sees no series at all: said once when it has lasted, and once when it is over."""

from dataclasses import dataclass

_TICKS, _SECONDS = 10, 3600.0  # whichever comes first: a target that is restarted, or that starts after us, is no news


@dataclass(frozen=True, slots=True)
class Begun:
    """It has seen nothing for so long that it is worth a word."""

    seconds: float
    ticks: int


@dataclass(frozen=True, slots=True)
class Ended:
    """After that it sees something again."""

    seconds: float
    ticks: int


class Unseen:
    """Of one watcher, in memory: a restart begins to count anew. A tick that failed is no look, and is not counted."""

    def __init__(self) -> None:
        self._since = 0.0
        self._ticks = 0  # in a row without a series
        self._told = False

    def looked(self, series: int, at: float) -> Begun | Ended | None:
        """Note a look at a moment (Unix seconds), and give what there is to say about it."""
        if series:
            ended = Ended(max(0.0, at - self._since), self._ticks) if self._told else None
            self._ticks, self._told = 0, False
            return ended
        if not self._ticks:
            self._since = at
        self._ticks += 1
        seconds = max(0.0, at - self._since)
        if self._told or (self._ticks < _TICKS and seconds < _SECONDS):
            return None
        self._told = True
        return Begun(seconds, self._ticks)
