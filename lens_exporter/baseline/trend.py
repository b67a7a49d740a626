"""A trend towards a hard limit, and when it gets there."""

from dataclasses import dataclass

import numpy as np

from lens_exporter.model.window import BoolArray, FloatArray

# Readings a trend is looked for in. The short stretch comes first: it knows the present slope best.
STRETCHES = (10, 30)
_ALIKE = 0.95  # part of all pairs of readings that must rise (Kendall's tau of 0.9)
_ABOVE_NOISE = 6.0  # the rise over the stretch, in robust standard deviations of what the line leaves over
_NORMAL_CONSISTENT = 1.4826
_HORIZON = 365 * 86_400.0  # seconds; a line over an hour says nothing about what is further away than this
_HABIT = 0.99  # quantile of the readings before the stretch that counts as "it has been here before"


@dataclass(frozen=True, slots=True)
class Trend:
    """A clear way towards the hard limit."""

    slope: float  # units per second, signed
    begins: float  # Unix seconds of the first reading of the stretch
    full_at: float  # Unix seconds


def towards(
    full: float,
    times: FloatArray,
    values: FloatArray,
    *,
    minimum: int,
    least: float,
    falls: bool = False,
    usual: float | None = None,
) -> Trend | None:
    """Find a clear rise (with `falls`, a clear fall) of one series towards `full`. times and values: [time], no gaps.

    Clear means all of these: nearly every later reading is further than every earlier one; the change stands far above
    the noise around its line and above `least`; and the level is one that the series has not been used to before,
    so that a sawtooth is no trend at each of its teeth; and the limit is reached within a year.
    At least `minimum` readings must stand before the stretch, unless the furthest level of a longer past is given as `usual`.
    The slope is Theil and Sen's median of pairwise slopes. A flat or noisy series near its limit has no trend.
    """
    sign = -1.0 if falls else 1.0
    for length in STRETCHES:
        if values.size < length + (minimum if usual is None else 0):
            return None
        stretch, when, before = sign * values[-length:], times[-length:], sign * values[:-length]
        slope = _clear_slope(when, stretch, least)
        if slope is None or stretch[-1] <= (np.quantile(before, _HABIT) if usual is None else sign * usual):
            continue
        left = max(0.0, float(sign * full - stretch[-1]))
        if left > slope * _HORIZON:
            continue
        return Trend(sign * slope, float(when[0]), float(when[-1]) + left / slope)
    return None


def may_rise(values: FloatArray) -> BoolArray:
    """Mark the series of values [series, time] whose last readings are in the order of a rise, and those with gaps there."""
    reasons = [~np.isfinite(values[:, -STRETCHES[-1] :]).all(axis=1)]
    for length in STRETCHES:
        if values.shape[1] >= length:
            stretch = values[:, -length:]
            rises = np.zeros(len(values), dtype=np.int64)
            for apart in range(1, length):
                rises += (stretch[:, apart:] > stretch[:, :-apart]).sum(axis=1)
            reasons.append(rises >= _ALIKE * (length * (length - 1) // 2))
    may: BoolArray = np.logical_or.reduce(reasons)
    return may


def _clear_slope(times: FloatArray, values: FloatArray, least: float) -> float | None:
    first, second = np.triu_indices(values.size, 1)
    rises = values[second] - values[first]
    if np.mean(rises > 0) < _ALIKE:
        return None
    slope = float(np.median(rises / (times[second] - times[first])))
    left_over = values - slope * times
    noise = _NORMAL_CONSISTENT * float(np.median(np.abs(left_over - np.median(left_over))))
    rise = slope * float(times[-1] - times[0])
    return slope if rise > max(_ABOVE_NOISE * noise, least, 0.0) else None
