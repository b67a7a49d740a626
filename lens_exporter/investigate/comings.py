"""What comes and goes: how often a course left its level and came back, or a condition was met. Pure."""

import math
from dataclasses import dataclass

import numpy as np

from lens_exporter.model.window import BoolArray, FloatArray

_FEWEST = 3  # times: what came twice may do so by chance
_BETWEEN = 0.2  # of all values: where more lie between the two levels there are no two levels
_QUARTER = 0.25  # of the way from the lowest to the highest: what is nearer to one of them is at it
_FINE = 60.0  # seconds: of what is seen less often nobody knows how often it came
_SEEN = 4.0  # steps that one coming and going takes at least, for the same reason
_EVEN = 0.2  # of the usual time between two comings: where all differ by less it has a rhythm
_RHYTHM = 4  # comings at least


@dataclass(frozen=True, slots=True)
class Comings:
    """How something came and went. Times are Unix seconds."""

    times: int
    by_level: bool  # it left a level; else it was there or not
    level: float  # where it is otherwise; NaN where that is nothing
    there: float  # where it went
    first_at: float
    last_at: float
    until: float | None  # when the last one ended; None: it is there now
    between: float  # seconds from one to the next, usually
    lasted: float  # seconds that the longest of those before the last one took
    even: bool  # it has a rhythm

    def numbers(self) -> dict[str, float]:
        """Name the numbers that a claim may cite."""
        named = {
            "comings": float(self.times),
            "there": self.there,
            "first_coming_at": self.first_at,
            "last_coming_at": self.last_at,
            "between_comings_seconds": self.between,
        }
        named |= {"level": self.level} if self.by_level else {}
        return named | ({} if self.until is None else {"gone_at": self.until})


def comings(times: FloatArray, values: FloatArray, start: float, end: float, step: float) -> Comings | None:
    """Say how values [time], asked for from start to end every step seconds, come and go; None where they do not.

    Where there are gaps, being there is coming: so a query answers that compares. Else it is leaving the level at which most of the
    first quarter lie; a value between two levels belongs to the one that was left last.
    """
    grid = np.arange(math.floor((end - start) / step + 1e-6) + 1) * step + start
    if step > _FINE or grid.size < _FEWEST or not times.size:
        return None
    held = np.full(grid.size, np.nan)
    held[np.clip(np.rint((times - start) / step).astype(np.int64), 0, grid.size - 1)] = values
    there = np.isfinite(held)
    by_level = bool(there.all())
    away = _left(held) if by_level else there
    if away is None:
        return None
    begins = np.flatnonzero(away[1:] & ~away[:-1]) + 1
    if begins.size < _FEWEST:
        return None
    between = np.diff(grid[begins])
    usual = float(np.median(between))
    if usual < _SEEN * step:
        return None
    ends = np.flatnonzero(away[:-1] & ~away[1:])
    lasted = grid[ends[ends >= begins[0]][: begins.size - 1]] - grid[begins[:-1]] + step
    return Comings(
        times=int(begins.size),
        by_level=by_level,
        level=float(np.median(held[~away])) if by_level else float("nan"),
        there=float(np.median(held[away])),
        first_at=float(grid[begins[0]]),
        last_at=float(grid[begins[-1]]),
        until=None if away[-1] else float(grid[ends[-1]]),
        between=usual,
        lasted=float(lasted.max()),
        even=bool(begins.size >= _RHYTHM and np.abs(between - usual).max() <= max(_EVEN * usual, step)),
    )


def _left(values: FloatArray) -> BoolArray | None:
    """Mark the values that are not at the level, None where there are no two levels."""
    low, high = values.min(), values.max()
    if not high > low:
        return None
    part = (values - low) / (high - low)
    up = part >= 1.0 - _QUARTER
    sure = up | (part <= _QUARTER)
    if np.mean(~sure) > _BETWEEN:
        return None
    newest = np.maximum.accumulate(np.where(sure, np.arange(values.size), np.argmax(sure)))
    was_up = np.median(up[newest][: max(1, values.size // 4)]) > 0
    away: BoolArray = up[newest] != was_up
    return away
