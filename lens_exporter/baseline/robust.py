"""Median and median absolute deviation: the baseline that half a window of trouble cannot move far."""

import numpy as np
from numpy.typing import NDArray

from lens_exporter.baseline.detector import TAIL, Bands
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

    def score(self, window: Window) -> Scores:
        """Score the last `tail` columns. Costs one sort of the window, then one pass over it for each column."""
        values = window.values
        series, length = values.shape
        last = min(self._tail, length)
        bands = self.bands(values, last, length)
        expected, half_width = np.full_like(values, np.nan), np.full_like(values, np.nan)
        expected[:, length - last :], half_width[:, length - last :] = bands.expected[:, :last], bands.half_width[:, :last]
        observed = np.isfinite(values[:, :-1]).sum(axis=1) if length else np.zeros(series, dtype=np.int64)
        with np.errstate(over="ignore", invalid="ignore"):
            score = (np.where(np.isfinite(values), values, np.nan) - expected) / half_width
            return Scores(expected, expected - half_width, expected + half_width, score, observed)

    @np.errstate(over="ignore", invalid="ignore")  # near the largest float an infinite or no score is the right answer
    def bands(self, values: FloatArray, last: int, most: int) -> Bands:
        """Give the bands of the last columns of values [series, time] and of one that would follow (see FirstJudge)."""
        series, length = values.shape
        if not last:
            values = values[:, max(0, length - most) :]  # what is left out of it needs not be sorted
            length = values.shape[1]
        present = np.isfinite(values)
        values = np.where(present, values, np.nan)
        seen, broken = _upto(present), _upto(present & (values != np.floor(values)))
        order = np.argsort(values, axis=1) if last else None  # gaps last
        ranked = np.sort(values, axis=1) if order is None else np.take_along_axis(values, order, axis=1)
        expected, half_width = np.full((2, series, last + 1), np.nan)
        for place, column in enumerate(range(length - last, length + 1)):
            first = max(0, column - most)
            if column == first or not series:
                continue
            # Every row has exactly so many entries from before it, so the selection keeps its shape and its order.
            inside = None if order is None else (order < column) & (order >= first)
            earlier = ranked if inside is None else ranked[inside].reshape(series, column - first)
            count = seen[:, column] - seen[:, first]
            centre = _median(earlier, count)
            whole = broken[:, column] == broken[:, first]
            width = self._half_width(centre, _deviation(earlier, count, centre), whole)
            known = count >= self._minimum
            expected[known, place], half_width[known, place] = centre[known], width[known]
        return Bands(expected, half_width)

    def _half_width(self, centre: FloatArray, deviation: FloatArray, whole: NDArray[np.bool_]) -> FloatArray:
        level = np.abs(centre)
        counted = np.where(whole & (level >= _SMALLEST_COUNT), _QUIET_QUANTA, 0.0)
        noise = self._sensitivity * _NORMAL_CONSISTENT * deviation
        floor = np.maximum(self._relative_floor * level, self._absolute_floor)
        widest: FloatArray = np.maximum.reduce([noise, floor, counted])
        return widest


def _upto(marks: NDArray[np.bool_]) -> IntArray:
    """Count the marks [series, time] before each column, and before one that would follow: [series, time + 1]."""
    counted = np.zeros((marks.shape[0], marks.shape[1] + 1), dtype=np.int64)
    np.cumsum(marks, axis=1, out=counted[:, 1:])
    return counted


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
