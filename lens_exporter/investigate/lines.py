"""When a series began to go along the line it is on: a leak begins long before it leaves its band. Pure: values in, a line out."""

from dataclasses import dataclass

import numpy as np

from lens_exporter.investigate.shape import steady_slope
from lens_exporter.model.window import FloatArray

_REACH = 5.0  # of the line's time, that both lines are fitted to
_WIDE = 240  # points, where the line's time is shorter
_ROUNDS = 3  # a line that turns out longer is laid over a longer time
_LEAST = 5, 8  # points of the line before, and of the line itself
_LIKELY = 12.0  # twice the log likelihood lost at the ends of a range; of values apart 4 would do, neighbours are alike


@dataclass(frozen=True, slots=True)
class Line:
    """A line from `place` on, until the last value. within: seconds that its begin may be off by; slope: units a second."""

    place: int
    within: float
    slope: float


def line_since(times: FloatArray, values: FloatArray, left: int) -> Line | None:
    """Find the line that a series was on when it left its band at `left` and is on still; None where it is on none.

    Two lines, each with its own level, are laid over the values by least squares, the second from every place up to `left` on: the
    bend of a leak and the fall of a restart are both between them. It is a line where nearly every later value lies on one side of
    every earlier one. times and values have the shape [time] and no gaps.
    """
    place, within = left, 0.0
    for _ in range(_ROUNDS):
        reached = int(np.searchsorted(times, times[-1] - _REACH * (times[-1] - times[place])))
        begin = max(0, min(reached, len(times) - _WIDE))
        until = min(left, len(values) - _LEAST[1])
        if until - begin <= _LEAST[0]:
            break
        candidates = np.arange(begin + _LEAST[0], until + 1)
        lost = _misfit(times[begin:], values[begin:], candidates - begin)
        found = int(candidates[np.argmin(lost)])
        likely = candidates[(len(values) - begin) * np.log(lost / lost.min()) <= _LIKELY]
        within = float(max(times[found] - times[likely[0]], times[likely[-1]] - times[found]))
        if found >= place:
            place = found
            break
        place = found
    slope = steady_slope(times[place:], values[place:])
    return None if slope is None else Line(place, within, slope)


def _misfit(times: FloatArray, values: FloatArray, places: np.ndarray[tuple[int], np.dtype[np.int64]]) -> FloatArray:
    """Give the squares that remain around a line before each place and another from it on."""
    at, of = times - times.mean(), values / max(float(np.abs(values).max()), np.finfo(np.float64).tiny)
    of = of - of.mean()
    tiny = float(1e-12 * np.sum(of * of)) + np.finfo(np.float64).tiny
    sums = np.concatenate([np.zeros((6, 1)), np.cumsum([np.ones_like(at), at, at * at, of, at * of, of * of], axis=1)], axis=1)
    before, since = sums[:, places], sums[:, [-1]] - sums[:, places]
    return _around_a_line(before) + _around_a_line(since) + tiny


def _around_a_line(sums: FloatArray) -> FloatArray:
    """Give the squares around the line through points whose sums are 1, t, tt, v, tv and vv."""
    count, t, tt, v, tv, vv = sums
    across, along = tv - t * v / count, tt - t * t / count
    squares: FloatArray = vv - v * v / count - across * across / along
    return np.maximum(squares, 0.0)
