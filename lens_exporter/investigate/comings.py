"""What comes and goes: how often a course left its level and came back. Pure."""

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
_SMALL, _ONE_MORE = 0.05, 2.0  # of its size, and of what is counted: levels no further apart are one
_RHYTHM = 4  # comings at least


@dataclass(frozen=True, slots=True)
class Comings:
    """How something came and went. Times are Unix seconds."""

    times: int
    level: float  # where it is otherwise
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
            "level": self.level,
            "there": self.there,
            "first_coming_at": self.first_at,
            "last_coming_at": self.last_at,
            "between_comings_seconds": self.between,
        }
        return named | ({} if self.until is None else {"gone_at": self.until})


def comings(times: FloatArray, values: FloatArray, start: float, end: float, step: float) -> Comings | None:
    """Say how often values [time], asked for from start to end every step seconds, left their level and came back.

    The level is the one at which most of the first quarter lie; a value between two levels belongs to the one that was left last,
    and what has no value is where it was. None where there are no two levels, or they were changed too seldom.
    """
    size = math.floor((end - start) / step + 1e-6) + 1
    if step > _FINE or size < _FEWEST or not times.size:
        return None
    held = np.full(size, np.nan)
    held[np.clip(np.rint((times - start) / step).astype(np.int64), 0, size - 1)] = values
    newest = np.maximum.accumulate(np.where(np.isnan(held), -1, np.arange(size)))
    known = newest >= 0
    grid, held = (start + step * np.arange(size))[known], held[newest[known]]
    away = _left(held)
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
        level=float(np.median(held[~away])),
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
    low, high = float(values.min()), float(values.max())
    way = high - low
    if not 0.0 < way < np.inf or _alike(values, way, max(abs(low), abs(high))):
        return None
    part = (values - low) / way
    up = part >= 1.0 - _QUARTER
    sure = up | (part <= _QUARTER)
    if np.mean(~sure) > _BETWEEN:
        return None
    newest = np.maximum.accumulate(np.where(sure, np.arange(values.size), np.argmax(sure)))
    was_up = np.median(up[newest][: max(1, values.size // 4)]) > 0
    away: BoolArray = up[newest] != was_up
    return away


def _alike(values: FloatArray, way: float, size: float) -> bool:
    """Whether all values are about the same: one more of what is counted is no other level, unless it is all there is."""
    counted = 0.0 < way <= _ONE_MORE and size > 1.0 and bool((values == np.rint(values)).all())
    return counted or way <= _SMALL * size
