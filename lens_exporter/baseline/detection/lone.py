"""Series that are judged by themselves: whether a value like this was seen before, as such or at this hour."""

import math
from dataclasses import dataclass

import numpy as np

from lens_exporter.baseline.detection.novelty import Novelty
from lens_exporter.baseline.detection.peaks import Peaked, Peaks, either
from lens_exporter.baseline.detection.regroup import picked
from lens_exporter.baseline.detection.streams import LASTING
from lens_exporter.baseline.detection.structure import BoolArray, IntArray
from lens_exporter.baseline.detection.tuning import DAY, LONG, Tuning
from lens_exporter.model.window import FloatArray

_BLOCKS = 32  # of a lone series' memory; the oldest leaves as a whole
_ORIGIN = 5.0  # added, so that a surprise which a long history makes negative is still told from none
_NEWS = 3.0  # what is news scores at least this, everything else less
_HALF = 40.0  # departures of which half of that is reached


@dataclass(frozen=True, slots=True, eq=False)
class LoneScored:
    """score and anomaly are [time, series] of the lone series only."""

    score: FloatArray
    anomaly: BoolArray


class Lone:
    """Asks of a value and of its residual whether they are unlike any before; a row is news only above all of the last hundred.

    score = surprise + 5 for news, where that is 3 or more: surprise is minus the log10 of how many such values were to be expected
    in the whole history. Every other row is ranked below news by how far it departs, 3 q / (q + 40) with q = s + 1.5 x root mean
    square of s over about the last half hour, s its departure and its jump in spreads, as in a group (`streams.scores`): what was
    said once goes on being unusual. anomaly: news above the threshold that the budget of false alarms and the series' own record
    of news ask for (see Peaks).
    """

    def __init__(self, series: IntArray, tuning: Tuning) -> None:
        """Begin with nothing remembered. The indices of the lone series among the engine's are `series`."""
        self.series = series
        refit = max(12, tuning.memory // _BLOCKS)
        self._value = Novelty(series.size, memory=tuning.memory, refit=refit)
        self._residual = Novelty(series.size, memory=tuning.memory, refit=refit)
        self._peaks = Peaks(series.size, alarms_per_row=tuning.false_alarms_per_week * tuning.step / (7.0 * DAY))
        self._lasts = -math.expm1(-tuning.step / LONG)  # weight of the newest row
        self._square = np.zeros(series.size)  # mean of s^2

    def advance(self, values: FloatArray, r: FloatArray, departed: FloatArray, told: int) -> LoneScored:
        """Score rows [time, all series] and remember them; give so many of the last ones. departed are their s, NaN at gaps."""
        if not self.series.size:
            return _nobody(told)
        surprise = either(self._value.advance(values[:, self.series].T), self._residual.advance(r[:, self.series].T))
        unusual, self._square = self._unusual(departed[:, self.series], told)
        return _scored(surprise[:, -told:], self._peaks.advance(surprise, told), unusual)

    def peek(self, values: FloatArray, r: FloatArray, departed: FloatArray, told: int) -> LoneScored:
        """Score rows without remembering them."""
        if not self.series.size:
            return _nobody(told)
        surprise = either(self._value.peek(values[:, self.series].T), self._residual.peek(r[:, self.series].T))
        unusual, _ = self._unusual(departed[:, self.series], told)
        return _scored(surprise[:, -told:], self._peaks.peek(surprise).last(told), unusual)

    def _unusual(self, departed: FloatArray, told: int) -> tuple[FloatArray, FloatArray]:
        """Give q of the last rows [told, series], NaN at gaps, and the mean square [series] after them; a gap changes nothing."""
        square, lasting = self._square, np.empty((told, self.series.size))
        first = departed.shape[0] - told
        for row, s in enumerate(departed):
            square = square + self._lasts * np.where(np.isnan(s), 0.0, s * s - square)
            if row >= first:
                lasting[row - first] = square
        return departed[first:] + LASTING * np.sqrt(lasting), square

    def take(self, lone: IntArray, kept: IntArray) -> None:
        """Go on with other lone series, given by their new indices; kept gives the old index of each new series, -1 for none."""
        place = {int(series): row for row, series in enumerate(self.series)}
        rows = np.array([place.get(int(kept[series]), -1) for series in lone], dtype=np.int64)
        self._value, self._residual, self._peaks = self._value.take(rows), self._residual.take(rows), self._peaks.take(rows)
        self._square = picked(self._square, rows, new=0.0)
        self.series = lone


def _scored(surprise: FloatArray, peaked: Peaked, unusual: FloatArray) -> LoneScored:
    """Put together surprises [series, time] and how unusual rows [time, series] are otherwise."""
    news = np.where(peaked.fresh, surprise + _ORIGIN, 0.0).T
    score = np.where(news >= _NEWS, news, _NEWS * unusual / (unusual + _HALF))
    return LoneScored(np.nan_to_num(score), peaked.alarm.T)


def _nobody(rows: int) -> LoneScored:
    return LoneScored(np.zeros((rows, 0)), np.zeros((rows, 0), dtype=np.bool_))
