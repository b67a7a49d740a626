"""Rolling z, rolling median/MAD, and the residual of the same-time-of-day median: what a PromQL recipe or a notebook does first.

All use rows before t only. Every scale has the floor of our own detector: 1 % of the last 7 days' range + 0.1 % of the level +
1e-4. Without it a constant metric's first move is infinite, and a median absolute deviation 0 wherever half of the values are
equal; with it the rolling z of a day catches three times as many events of SMD at 0.2 false alarm-hours a day.
"""

from collections.abc import Iterator

import numpy as np

from ..data import FloatArray
from .peer import Peer, any_above
from .rolling import Window, count, mean, spread, trailing

_DAY = 86_400.0
_LEAST = 0.1  # share of a window's rows that must be known before anything is scored
_TO_SIGMA = 1.4826  # a normal distribution's standard deviation in median absolute deviations
_REACH_REFRESH = 3600.0
_REFRESH = 144  # median and deviation are taken anew so many times a window: every 10 minutes for a day


def rolling_z(days: float) -> Peer:
    """|x - mean| / standard deviation of the days before.

    Threshold 3: GitLab's recipe, "How to use Prometheus for anomaly detection in GitLab" (2019), there with a week.
    """

    def score(values: FloatArray, times: FloatArray, step: float) -> FloatArray:
        window = trailing(times, days * _DAY)
        middle, sd = spread(values, window)
        scale = np.maximum(sd, _floor(values, middle, times, step))
        return _known(np.abs(values - middle) / scale, values, window, days * _DAY / step)

    return Peer(f"rolling z {days:g} d", "any metric beyond 3 standard deviations", score, any_above(3.0))


def median_mad(days: float) -> Peer:
    """|x - median| / (1.4826 x median absolute deviation) of the days before; threshold 3.5 (Iglewicz and Hoaglin, 1993).

    Median and deviation are refreshed 144 times a window, not each row.
    """

    def score(values: FloatArray, times: FloatArray, step: float) -> FloatArray:
        window = trailing(times, days * _DAY)
        middle, deviation = (np.full(values.shape, np.nan) for _ in range(2))
        for rows, past in _blocks(values, window, max(1, round(days * _DAY / _REFRESH / step))):
            middle[:, rows] = _nanmedian(past.T)[:, None]
            deviation[:, rows] = _nanmedian(np.abs(past.T - middle[:, rows.start]))[:, None]
        scale = np.maximum(_TO_SIGMA * deviation, _floor(values, middle, times, step))
        return _known(np.abs(values - middle) / scale, values, window, days * _DAY / step)

    return Peer(f"median/MAD {days:g} d", "any metric beyond 3.5 robust standard deviations", score, any_above(3.5))


def time_of_day() -> Peer:
    """|x - m| over the spread of such residuals in the 7 days before, m the median over 7 days of the same time of day (+- 15 min).

    Divided by a spread because a bare residual has its metric's unit and no threshold could be common; beyond 3 of them by custom.
    """

    def score(values: FloatArray, times: FloatArray, step: float) -> FloatArray:
        half = max(900.0, step)
        days = [mean(values, trailing(times, 2 * half, offset=day * _DAY - half)) for day in range(1, 8)]
        residual = values - _nanmedian(np.stack(days))
        window = trailing(times, 7 * _DAY)
        _, sd = spread(residual, window)
        scale = np.maximum(sd, _floor(values, values - residual, times, step))
        return _known(np.abs(residual) / scale, residual, window, _DAY / step)

    return Peer("same-time-of-day median", "any metric beyond 3 standard deviations of its residual", score, any_above(3.0))


def _blocks(values: FloatArray, window: Window, every: int) -> Iterator[tuple[slice, FloatArray]]:
    """Give rows in blocks of `every`, each with the values [series, rows] of its first row's window; none where that is empty."""
    for at in range(0, values.shape[1], every):
        past = values[:, window[0][at] : window[1][at]]
        if past.shape[1]:
            yield slice(at, min(at + every, values.shape[1])), past


def _nanmedian(values: FloatArray) -> FloatArray:
    """Median over the first axis without warning about empty ones, and fast where nothing is missing."""
    missing = np.isnan(values)
    if not missing.any():
        plain: FloatArray = np.median(values, axis=0)
        return plain
    ordered = np.sort(values, axis=0)  # NaN last
    known = len(values) - missing.sum(axis=0)
    low, high = (
        np.take_along_axis(ordered, np.maximum(each, 0)[None], axis=0)[0] for each in ((known - 1) // 2, known // 2 - (known == 0))
    )
    middle: FloatArray = (low + high) / 2
    return middle


def _floor(values: FloatArray, level: FloatArray, times: FloatArray, step: float) -> FloatArray:
    reach = np.zeros(values.shape)
    for rows, past in _blocks(values, trailing(times, 7 * _DAY), max(1, round(_REACH_REFRESH / step))):
        reach[:, rows] = (np.fmax.reduce(past, axis=1) - np.fmin.reduce(past, axis=1))[:, None]
    floor: FloatArray = 0.01 * np.nan_to_num(reach) + 0.001 * np.abs(level) + 1e-4
    return floor


def _known(scores: FloatArray, values: FloatArray, window: Window, rows: float) -> FloatArray:
    """Nothing is scored before a tenth of the window is known."""
    enough = count(values, window) >= max(10.0, _LEAST * rows)
    return np.where(enough, np.nan_to_num(scores), 0.0)
