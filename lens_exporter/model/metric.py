"""What a watcher tracks: one PromQL expression with what is known about its values."""

from dataclasses import dataclass
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

    @property
    def kind(self) -> str:
        """The cooldown category."""
        return self.category or self.name.split("_", 1)[0]
