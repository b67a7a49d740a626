"""Series that are judged by themselves: whether a value like this was seen before, as such or at this hour."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lens_exporter.baseline.detection.novelty import Novelty
from lens_exporter.baseline.detection.peaks import Peaked, Peaks, either
from lens_exporter.baseline.detection.structure import BoolArray, IntArray
from lens_exporter.baseline.detection.tuning import DAY, Tuning
from lens_exporter.model.budget import USUAL_PER_WEEK
from lens_exporter.model.window import FloatArray

_BLOCKS = 16  # of a lone series' memory at least; the oldest leaves as a whole
_LONGEST = 250  # rows of a block
NEWS = 3.0  # what is news scores at least this, everything else less
_SO_MANY = 20.0  # such values in a whole history are too many to be news; more would rank above the rest of an incident
_ORIGIN = NEWS + math.log10(_SO_MANY)  # added to a surprise
_HALF = 40.0  # departures of which half of that is reached
_USUAL, _FURTHER = 20.0, 0.3  # departures of what is news, about, and the power of them that makes it greater or smaller news


@dataclass(frozen=True, slots=True, eq=False)
class LoneScored:
    """score and anomaly are [time, series] of the lone series only."""

    score: FloatArray
    anomaly: BoolArray


class Lone:
    """Asks of a value and of its residual whether they are unlike any before; a row is news only above all of the last hundred.

    score = 3 + log10(20 / n) + 0.3 log10((q + 1) / 20), if that is 3 or more, for news: n is how many values as novel were to be
    expected in the whole history, q how far it departs, as in `streams.enduring`. News that is an anomaly at the usual budget of
    false alarms has at least 3.
    Every other row is ranked below by how far it departs, 3 q / (q + 40): what was said once goes on being unusual until it is
    learnt. anomaly: news above the threshold that the budget of false alarms and the series' own record
    of news ask for (see Peaks).
    """

    def __init__(self, series: IntArray, tuning: Tuning) -> None:
        """Begin with nothing remembered. The indices of the lone series among the engine's are `series`."""
        self.series = series
        refit = max(12, min(tuning.memory // _BLOCKS, _LONGEST))
        self._value = Novelty(series.size, memory=tuning.memory, refit=refit)
        self._residual = Novelty(series.size, memory=tuning.memory, refit=refit)
        rows = 7.0 * DAY / tuning.step  # a week
        self._peaks = Peaks(series.size, alarms_per_row=tuning.false_alarms_per_week / rows, usual=USUAL_PER_WEEK / rows)

    def advance(
        self,
        values: FloatArray,
        r: FloatArray,
        departed: FloatArray,
        most: FloatArray,
        seasons: Sequence[tuple[int, BoolArray]] = (),
    ) -> LoneScored:
        """Score the last of rows [time, all series] and remember all. departed [told, all series] are their q, NaN at gaps.

        most [told, all series] is what news may score at most, 0 for what is none.
        seasons: before which row the residuals of which series [all series] began to be those of something far better.
        """
        if not self.series.size:
            return _nobody(len(departed))
        mine, residuals = (np.ascontiguousarray(rows[:, self.series].T) for rows in (values, r))
        surprise = either(self._value.advance(mine), self._of_residuals(residuals, seasons))
        return self._scored(surprise, self._peaks.advance(surprise, len(departed)), departed, most)

    def peek(self, values: FloatArray, r: FloatArray, departed: FloatArray, most: FloatArray) -> LoneScored:
        """Score rows without remembering them."""
        if not self.series.size:
            return _nobody(len(departed))
        surprise = either(self._value.peek(values[:, self.series].T), self._residual.peek(r[:, self.series].T))
        return self._scored(surprise, self._peaks.peek(surprise).last(len(departed)), departed, most)

    def _of_residuals(self, r: FloatArray, seasons: Sequence[tuple[int, BoolArray]]) -> FloatArray:
        """Give the surprise of residuals [series, time], and forget those that are no measure of what follows."""
        parts, first = [], 0
        for row, found in seasons:
            which = found[self.series]
            if which.any():
                parts.append(self._residual.advance(r[:, first:row]))
                self._residual.forget(which)
                first = row
        return np.concatenate([*parts, self._residual.advance(r[:, first:])], axis=1)

    def _scored(self, surprise: FloatArray, peaked: Peaked, departed: FloatArray, most: FloatArray) -> LoneScored:
        """Put together surprises [series, time], of which the last are told, and how far rows [told, all series] depart."""
        q, most = departed[:, self.series], most[:, self.series]
        novel = surprise[:, surprise.shape[1] - len(departed) :].T + _ORIGIN + _FURTHER * np.log10((q + 1.0) / _USUAL)
        news = np.where(peaked.fresh.T, np.minimum(novel, most), 0.0)
        score = np.where((news >= NEWS) | (peaked.loud.T & (most > 0.0)), np.maximum(news, NEWS), NEWS * q / (q + _HALF))
        return LoneScored(np.nan_to_num(score), peaked.alarm.T)

    def take(self, lone: IntArray, kept: IntArray) -> None:
        """Go on with other lone series, given by their new indices; kept gives the old index of each new series, -1 for none."""
        place = {int(series): row for row, series in enumerate(self.series)}
        rows = np.array([place.get(int(kept[series]), -1) for series in lone], dtype=np.int64)
        self._value, self._residual, self._peaks = self._value.take(rows), self._residual.take(rows), self._peaks.take(rows)
        self.series = lone


def _nobody(rows: int) -> LoneScored:
    return LoneScored(np.zeros((rows, 0)), np.zeros((rows, 0), dtype=np.bool_))
