"""Trailing windows over series: what the peers are made of. Windows are given in seconds and follow the timestamps.

A window is two row numbers per row of time, `start` and `stop` (not inside), so irregular files need no other code. NaN is a gap.
"""

from bisect import bisect_left, insort

import numpy as np

from ..data import FloatArray, IntArray

Window = tuple[IntArray, IntArray]  # start, stop [time]


def trailing(times: FloatArray, seconds: float, *, offset: float = 0.0, own: bool = False) -> Window:
    """Rows of the last so many seconds, ending `offset` seconds ago; with `own` the row itself is inside, as in a PromQL range.

    times [time] in seconds; a clock set back counts as standing still.
    """
    clock = np.maximum.accumulate(times)
    start = np.searchsorted(clock, clock - offset - seconds, side="right" if own else "left")
    now = np.arange(len(clock))
    stop = np.searchsorted(clock, clock - offset, side="right") if offset else now + own
    return start.astype(np.int64), stop.astype(np.int64)


def count(values: FloatArray, window: Window) -> FloatArray:
    """How many known values each window holds, [series, time]."""
    return _summed(np.isfinite(values).astype(np.float64), window)


def mean(values: FloatArray, window: Window) -> FloatArray:
    """Mean of each window [series, time]; NaN where it is empty."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return _summed(np.nan_to_num(values), window) / count(values, window)


def spread(values: FloatArray, window: Window) -> tuple[FloatArray, FloatArray]:
    """Mean and population standard deviation of each window [series, time]; NaN where it is empty."""
    known = np.isfinite(values)
    first = values[np.arange(len(values)), known.argmax(axis=1)]
    centred = values - np.nan_to_num(first)[:, None]  # keeps squares small where a level is large
    middle, square = mean(centred, window), mean(centred**2, window)
    return middle + np.nan_to_num(first)[:, None], np.sqrt(np.maximum(square - middle**2, 0.0))


def median(values: FloatArray, window: Window) -> FloatArray:
    """Exact median of each window [series, time]; NaN where it is empty. One sorted list per series, about 2 us a row."""
    return np.array([_running_median(row, *window) for row in values])


def _running_median(row: FloatArray, start: IntArray, stop: IntArray) -> FloatArray:
    values, known = row.tolist(), np.isfinite(row).tolist()
    result = np.full(len(row), np.nan)
    held: list[float] = []
    low = high = 0
    for now, (first, last) in enumerate(zip(start.tolist(), stop.tolist(), strict=True)):
        while high < last:
            if known[high]:
                insort(held, values[high])
            high += 1
        while low < min(first, high):
            if known[low]:
                del held[bisect_left(held, values[low])]
            low += 1
        if held:
            half = len(held) // 2
            result[now] = held[half] if len(held) % 2 else (held[half - 1] + held[half]) / 2
    return result


def _summed(values: FloatArray, window: Window) -> FloatArray:
    start, stop = window
    totals = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
    taken: FloatArray = totals[:, np.maximum(stop, start)] - totals[:, start]
    return taken
