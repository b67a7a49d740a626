"""What a watcher tracks: one PromQL expression with what is known about its values."""

from dataclasses import dataclass, replace
from enum import StrEnum


class Direction(StrEnum):
    """Which side of normal is worth telling somebody about."""

    UP = "up"
    DOWN = "down"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class BaselineMetric:
    """One tracked quantity. The query returns an instant vector; each of its series is judged by itself."""

    name: str  # memory_utilization
    query: str  # PromQL; evaluated by query_range
    unit: str = ""  # ratio, bytes, seconds, per_second or "" (a plain number)
    category: str = ""  # cooldown and alert name: memory -> LensMemory; default: the name before its first underscore
    direction: Direction = Direction.BOTH
    min_change: float = 0.0  # absolute: a smaller departure from expected is never an anomaly
    ceiling: float | None = None  # a level that is an anomaly whatever the baseline (0.9 of a hard limit)
    full: float | None = None  # the hard limit itself (1.0 for a utilization): a trend towards it is forecast
    words: str = ""  # how prose names the quantity: "open files"
    min_change_ratio: float = 0.0  # as min_change, but as a part of what is expected: 0.1 asks for a tenth of it
    template: str = ""  # the query with $selector where still more matchers may go, "" where it does not say

    @property
    def side(self) -> float:
        """Which side of normal is bad: 1 above, -1 below, 0 both."""
        return {Direction.UP: 1.0, Direction.DOWN: -1.0, Direction.BOTH: 0.0}[self.direction]

    @property
    def scale(self) -> float | None:
        """The full scale of its values, declared or by unit; None where nobody knows."""
        return self.full if self.full is not None else {"ratio": 1.0, "percent": 100.0}.get(self.unit)

    def selecting(self, selector: str) -> "BaselineMetric":
        """Give the metric with a watcher's matchers put into its query."""
        more = self.query.replace("$selector", f"{selector},$selector") if selector else self.query
        return replace(self, query=substituted(self.query, selector), template=more if "$selector" in more else "")

    @property
    def kind(self) -> str:
        """The cooldown category."""
        return self.category or self.name.split("_", 1)[0]


def substituted(query: str, selector: str) -> str:
    """Put a watcher's matchers where a query says $selector; with none, the comma beside it goes too."""
    if selector:
        return query.replace("$selector", selector)
    for found in ("$selector,", ",$selector", "$selector"):
        query = query.replace(found, "")
    return query
