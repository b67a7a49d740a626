"""What the detector is told about its rows, and the constants of its design with what they were chosen by."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from lens_exporter.model.window import FloatArray

DAY = 86_400.0
REFIT = 3  # hours between two fits, once two days are known; before that every hour
LONG = 1800.0  # seconds: a departure that lasts as long counts for more than a spike
_BINS = (900.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0, 43_200.0, DAY)  # seconds; each divides a day


def utc(_at: float) -> float:
    """Say how many seconds local time is ahead of UTC: none."""
    return 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Tuning:
    """What a caller sets. full holds the declared full scale of each series [series] (1.0 of a ratio), NaN where none is known."""

    step: float  # seconds between two rows
    false_alarms_per_week: float = 1.4  # for each group, and for each lone series
    memory: int = 8000  # rows a lone series remembers
    missing: bool = False  # a missing value of a series that has values otherwise is scored
    full: FloatArray | None = None
    offset: Callable[[float], float] = utc  # seconds that the clock of the people who make the load is ahead of UTC at a moment

    @property
    def bin(self) -> float:
        """Seconds of one mean of the seasonal memory: a divisor of a day, at least a row; days, or more, where rows are rarer."""
        return next((length for length in _BINS if length >= self.step), DAY * math.ceil(self.step / DAY))

    @property
    def bins_per_day(self) -> int:
        return max(1, round(DAY / self.bin))

    @property
    def hour(self) -> float:
        """Seconds of one entry of the statistical memory: an hour, or four bins where rows are rare."""
        return 4.0 * self.bin
