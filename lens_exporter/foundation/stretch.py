"""Failures in a row: told when they begin and when they are over, and not in between."""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Over:
    """How long the failures lasted, from the first one to the first success, and how many there were."""

    seconds: float
    failures: int


class Stretch:
    """Of one thing that is done again and again. Moments are seconds of whatever clock the caller goes by."""

    def __init__(self) -> None:
        self._since = 0.0
        self._failures = 0
        self._told: set[str] = set()

    def failed(self, at: float, kinds: Collection[str] = ()) -> bool:
        """Note a failure, and say whether it is news: it is the first, or of a kind that none before it was."""
        if not self._failures:
            self._since = at
        news = not self._failures or not self._told.issuperset(kinds)
        self._failures += 1
        self._told.update(kinds)
        return news

    def over(self, at: float) -> Over | None:
        """Note a success, and give what it ended."""
        if not self._failures:
            return None
        ended = Over(max(0.0, at - self._since), self._failures)
        self._failures = 0
        self._told.clear()
        return ended
