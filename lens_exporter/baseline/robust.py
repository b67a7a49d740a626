"""Median and median absolute deviation: the baseline that half a window of trouble cannot move far."""

import numpy as np
from numpy.typing import NDArray

from lens_exporter.baseline.detector import TAIL
from lens_exporter.model.window import FloatArray, Scores, Window

_NORMAL_CONSISTENT = 1.4826  # MAD times this estimates the standard deviation of normal noise (Rousseeuw and Croux, 1993)
_QUIET_QUANTA = 1.5  # a move by one unit stays inside the band, a move by two does not
_SMALLEST_COUNT = 2.0  # below it a whole number may be a ratio or a flag, where one is not a small step

IntArray = NDArray[np.int64]


class RobustDetector:
    """Expected is the median of everything before the scored column; the band is `sensitivity` robust deviations to each side.

    Both estimates have a breakdown point of one half: an incident does not teach the detector before it fills half of the
    window. Then it is the new normal. There is no guard gap before the scored column for that reason.

    The half-width of the band is never below any of these floors:
        relative_floor x |expected|: a constant series does not alert on float noise or on a small change of level;
        absolute_floor, in the metric's unit: the same for a series that rests at zero;
        one and a half units, for a series of whole numbers at two or more: four threads becoming five is nothing.

    A series that rests at one value for most of the window has no deviation, so its regular bursts are outside its band
    (min_change of the metric is for them). A raw counter is judged as the level it shows: use rate().
    """

    def __init__(
        self,
        sensitivity: float = 6.0,
        *,
        tail: int = TAIL,
        relative_floor: float = 0.05,
        absolute_floor: float = 1e-9,
        minimum: int = 3,
    ) -> None:
        self._sensitivity = sensitivity
        self._tail = tail
        self._relative_floor = relative_floor
        self._absolute_floor = absolute_floor
        self._minimum = minimum

    @np.errstate(over="ignore", invalid="ignore")  # near the largest float an infinite or no score is the right answer
    def score(self, window: Window) -> Scores:
        """Score the last `tail` columns. Costs one sort of the window, then one pass over it for each column."""
        values = np.where(np.isfinite(window.values), window.values, np.nan)
        series, length = values.shape
        expected, half_width = np.full_like(values, np.nan), np.full_like(values, np.nan)
        present = np.isfinite(values)
        seen = np.cumsum(present, axis=1, dtype=np.int64)
        fractional = np.logical_or.accumulate(present & (values != np.floor(values)), axis=1)
        order = np.argsort(values, axis=1)  # gaps last
        ranked = np.take_along_axis(values, order, axis=1)
        for column in range(max(1, length - self._tail), length if series else 0):
            # Every row has exactly `column` entries from before it, so the selection keeps its shape and its order.
            earlier = ranked[order < column].reshape(series, column)
            count = seen[:, column - 1]
            centre = _median(earlier, count)
            width = self._half_width(centre, _deviation(earlier, count, centre), ~fractional[:, column - 1])
            known = count >= self._minimum
            expected[known, column] = centre[known]
            half_width[known, column] = width[known]
        return Scores(
            expected=expected,
            lower=expected - half_width,
            upper=expected + half_width,
            score=(values - expected) / half_width,
            observations=seen[:, -2] if length > 1 else np.zeros(series, dtype=np.int64),
        )

    def _half_width(self, centre: FloatArray, deviation: FloatArray, whole: NDArray[np.bool_]) -> FloatArray:
        level = np.abs(centre)
        counted = np.where(whole & (level >= _SMALLEST_COUNT), _QUIET_QUANTA, 0.0)
        noise = self._sensitivity * _NORMAL_CONSISTENT * deviation
        floor = np.maximum(self._relative_floor * level, self._absolute_floor)
        widest: FloatArray = np.maximum.reduce([noise, floor, counted])
        return widest


def _median(ranked: FloatArray, count: IntArray) -> FloatArray:
    """Read the median of the first `count` values of each sorted row; NaN for none."""
    return 0.5 * (_at(ranked, (count - 1) // 2) + _at(ranked, count // 2))


def _deviation(ranked: FloatArray, count: IntArray, centre: FloatArray) -> FloatArray:
    """Give the median absolute deviation from `centre` of the first `count` values of each sorted row."""
    nearest = np.stack([(count + 1) // 2, count // 2 + 1])
    deviation: FloatArray = 0.5 * _distance(ranked, count, centre, nearest).sum(axis=0)
    return deviation


def _distance(ranked: FloatArray, count: IntArray, centre: FloatArray, nearest: IntArray) -> FloatArray:
    """Give the distance from `centre` within which `nearest` [several, series] values of each sorted row lie.

    The nearest k values of a sorted row are neighbours, and where they begin is found by bisection: this needs no second sort.
    """
    nearest = np.minimum(nearest, count)
    low, high = np.zeros_like(nearest), count - nearest
    for _ in range(ranked.shape[1].bit_length()):
        middle = (low + high) // 2
        right = (low < high) & (centre - _at(ranked, middle) > _at(ranked, middle + nearest) - centre)
        low, high = np.where(right, middle + 1, low), np.where(right, high, middle)
    reach: FloatArray = np.maximum(centre - _at(ranked, low), _at(ranked, low + nearest - 1) - centre)
    return reach


def _at(ranked: FloatArray, index: IntArray) -> FloatArray:
    """Read one value of each row, or several [several, series]; beyond a row's ends the last one there is."""
    inside = np.minimum(np.maximum(index, 0), ranked.shape[1] - 1)  # np.clip takes three times as long on a few rows
    picked: FloatArray = ranked[np.arange(ranked.shape[0]), inside]
    return picked
