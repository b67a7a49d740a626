"""grafana/promql-anomaly-detection (Apache-2.0): adaptive.yml and robust.yml of early 2026, in numpy.

As the rules are evaluated: a range includes the newest sample, samples at or below 0 do not exist. Score: the distance of the
metric from the band's middle, over the band's half width on that side: above 1 is outside. Differences: rules run once per row of
the data (Prometheus would once a minute), `for: 5m` is 5 minutes of rows, the seasonal rules run each row and not every 5
minutes, and the sparseness filter for request rates is left out, for the data names no types. The seasonal band takes part in
minimum and maximum, as is meant.
"""

from functools import partial

import numpy as np

from ..data import FloatArray
from .peer import Peer, any_above
from .rolling import mean, median, spread, trailing

_HOUR, _MINUTE = 3600.0, 60.0
_WIDTH = 2.0  # standard or median absolute deviations
_MARGIN = 0.5  # of the level: the least half width
_COVAR = 0.5  # an hour's deviation counts only above this share of its mean
_FOR = 5 * _MINUTE


def adaptive() -> Peer:
    """Mean of an hour, +- twice the mean over 26 h of an hour's deviation where that is high, at least +- 50 %."""
    return Peer("grafana adaptive", "any metric outside its band for 5 min", _adaptive, any_above(1.0, _FOR))


def robust() -> Peer:
    """Median of an hour against the median of a day +- twice its median absolute deviation, at least +- 50 %."""
    return Peer("grafana robust", "any metric outside its band for 5 min", _robust, any_above(1.0, _FOR))


def _adaptive(values: FloatArray, times: FloatArray, step: float) -> FloatArray:
    select = np.where(values > 0, values, np.nan)
    hour = partial(trailing, times, _span(step), own=True)
    middle, deviation = spread(select, hour())
    high = np.where(deviation > _COVAR * middle, deviation, np.nan)
    width = np.fmax(_WIDTH * mean(high, trailing(times, 26 * _HOUR, own=True)), _MARGIN * middle)
    seasonal = [spread(select, hour(offset=offset)) for offset in (167.5 * _HOUR, 23.5 * _HOUR)]
    return _outside(select, middle, width, [(level, _WIDTH * sd) for level, sd in seasonal])


def _robust(values: FloatArray, times: FloatArray, step: float) -> FloatArray:
    select = np.where(values > 0, values, np.nan)
    day, hour = trailing(times, 24 * _HOUR, own=True), trailing(times, _span(step), own=True)
    middle, level = median(select, day), median(select, hour)
    deviation = median(np.abs(select - middle), day)
    width = np.fmax(_WIDTH * deviation, _MARGIN * middle)
    nearby = median(np.abs(select - level), hour)
    seasonal = []
    for offset in (167.75 * _HOUR, 23.75 * _HOUR):
        _, stop = trailing(times, _span(step), offset=offset, own=True)
        then = np.where(stop > 0, stop - 1, 0)
        seasonal.append(tuple(np.where(stop > 0, each[:, then], np.nan) for each in (level, _WIDTH * nearby)))
    return _outside(level, middle, width, [(centre, half) for centre, half in seasonal])


def _span(step: float) -> float:
    """The rules' hour; two rows at least, or a series with one sample an hour would be compared with itself."""
    return max(_HOUR, 2 * step)


def _outside(
    metric: FloatArray, middle: FloatArray, width: FloatArray, seasonal: list[tuple[FloatArray, FloatArray]]
) -> FloatArray:
    upper, lower = middle + width, middle - width
    for level, half in seasonal:
        upper, lower = np.fmax(upper, level + half), np.fmin(lower, level - half)
    lower = np.maximum(lower, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        position = np.where(metric > middle, (metric - middle) / (upper - middle), (middle - metric) / (middle - lower))
    return np.nan_to_num(position, posinf=0.0)
