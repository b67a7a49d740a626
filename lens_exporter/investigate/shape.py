"""One series in a dozen numbers: what a model, a receipt and a tired human need instead of a matrix."""

from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

import numpy as np

from lens_exporter.model.window import FloatArray

BUCKETS = 12
_GAP_STEPS = 1.5  # a hole longer than this many steps is a gap
_SLOPE_POINTS = 5
_ALIKE = 0.9  # part of all pairs of values that must go one way (Kendall's tau of 0.8)
_CLEAR_TREND = 3.0  # the change along the line, in median distances from the line


class Trend(StrEnum):
    RISING = "rising"
    FALLING = "falling"
    FLAT = "flat"
    UNCLEAR = "unclear"  # it moves, but not along a line


@dataclass(frozen=True, slots=True)
class Jump:
    """The biggest change between two neighbouring samples."""

    before: float
    after: float
    at: float  # Unix seconds of `after`


@dataclass(frozen=True, slots=True)
class Shape:
    """Times are Unix seconds. buckets are means over twelve equal parts of the asked range, None where there is nothing."""

    count: int
    first: float
    first_at: float
    last: float
    last_at: float
    low: float
    low_at: float
    high: float
    high_at: float
    mean: float
    buckets: tuple[float | None, ...]
    jump: Jump | None
    gaps: int
    longest_gap: float  # seconds
    trend: Trend
    per_minute: float  # slope of the line through the middle of the points, in units a minute

    def numbers(self) -> dict[str, float]:
        """Name the numbers that a claim may cite."""
        named = {
            "first": self.first,
            "first_at": self.first_at,
            "last": self.last,
            "last_at": self.last_at,
            "min": self.low,
            "min_at": self.low_at,
            "max": self.high,
            "max_at": self.high_at,
            "mean": self.mean,
            "per_minute": self.per_minute,
            "gaps": float(self.gaps),
        }
        if self.jump is not None:
            named |= {"jump_from": self.jump.before, "jump_to": self.jump.after, "jump_at": self.jump.at}
        return named


def summarise(times: FloatArray, values: FloatArray, start: float, end: float, step: float) -> Shape | None:
    """Summarise samples asked for from `start` to `end` every `step` seconds; None when no value is finite.

    The slope is Theil and Sen's over the bucket means, so that a single spike does not bend it.
    """
    finite = np.isfinite(values)
    if not finite.any():
        return None
    times, values = times[finite], values[finite]
    low, high = int(np.argmin(values)), int(np.argmax(values))
    gaps, longest = _gaps(times, start, end, step)
    buckets = _buckets(times, values, start, end)
    trend, per_second = _trend(buckets, (end - start) / BUCKETS)
    return Shape(
        count=len(values),
        first=float(values[0]),
        first_at=float(times[0]),
        last=float(values[-1]),
        last_at=float(times[-1]),
        low=float(values[low]),
        low_at=float(times[low]),
        high=float(values[high]),
        high_at=float(times[high]),
        mean=float(values.mean()),
        buckets=buckets,
        jump=_jump(times, values),
        gaps=gaps,
        longest_gap=longest,
        trend=trend,
        per_minute=per_second * 60.0,
    )


def _jump(times: FloatArray, values: FloatArray) -> Jump | None:
    changes = np.abs(np.diff(values))
    if not changes.size or not changes.max() > 0:
        return None
    at = int(np.argmax(changes))
    return Jump(float(values[at]), float(values[at + 1]), float(times[at + 1]))


def _gaps(times: FloatArray, start: float, end: float, step: float) -> tuple[int, float]:
    edges = np.concatenate(([start - step], times, [end + step]))
    holes = np.diff(edges)
    missing = holes[holes > _GAP_STEPS * step] - step
    return len(missing), float(missing.max(initial=0.0))


def _buckets(times: FloatArray, values: FloatArray, start: float, end: float) -> tuple[float | None, ...]:
    width = max(end - start, 1e-9) / BUCKETS
    place = np.clip(((times - start) / width).astype(int), 0, BUCKETS - 1)
    sums = np.bincount(place, weights=values, minlength=BUCKETS)
    counts = np.bincount(place, minlength=BUCKETS)
    return tuple(float(total / count) if count else None for total, count in zip(sums, counts, strict=True))


def steady_slope(times: FloatArray, values: FloatArray) -> float | None:
    """Give the slope per second where nearly every later value lies on one side of nearly every earlier one, else None.

    Theil and Sen's median of pairwise slopes. times and values have the shape [time] and no gaps.
    """
    if values.size < _SLOPE_POINTS:
        return None
    first, second = np.triu_indices(values.size, 1)
    rises = values[second] - values[first]
    if max(np.mean(rises > 0), np.mean(rises < 0)) < _ALIKE:
        return None
    return float(np.median(rises / (times[second] - times[first])))


def _trend(buckets: tuple[float | None, ...], width: float) -> tuple[Trend, float]:
    points = [(index * width, mean) for index, mean in enumerate(buckets) if mean is not None]
    if len(points) < 3:
        return Trend.UNCLEAR, 0.0
    slope = float(np.median([(b - a) / (t - s) for (s, a), (t, b) in combinations(points, 2)]))
    at, means = np.array(points).T
    residuals = means - slope * at
    spread = float(np.median(np.abs(residuals - np.median(residuals))))
    change = abs(slope) * (at[-1] - at[0])
    negligible = 1e-9 * float(np.abs(means).max())
    if change <= negligible and spread <= negligible:
        return Trend.FLAT, slope
    if change > _CLEAR_TREND * spread:
        return (Trend.RISING if slope > 0 else Trend.FALLING), slope
    return (Trend.FLAT if np.ptp(means) <= 0.02 * float(np.abs(means).max()) else Trend.UNCLEAR), slope
