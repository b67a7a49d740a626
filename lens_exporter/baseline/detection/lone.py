"""Series that are judged by themselves: whether a value like this was seen before, as such or at this hour."""

from dataclasses import dataclass

import numpy as np

from lens_exporter.baseline.detection.novelty import Novelty
from lens_exporter.baseline.detection.regroup import picked
from lens_exporter.baseline.detection.structure import BoolArray, IntArray
from lens_exporter.baseline.detection.tuning import Tuning
from lens_exporter.model.window import FloatArray

_REPEATS = 100  # rows
_ORIGIN = 5.0  # added, so that a surprise which a long history makes negative is still told from none


@dataclass(frozen=True, slots=True, eq=False)
class LoneScored:
    """score and anomaly are [time, series] of the lone series only."""

    score: FloatArray
    anomaly: BoolArray


class Lone:
    """max of the surprise of the value and of the surprise of its residual; a row counts only above everything of the last 100."""

    def __init__(self, series: IntArray, tuning: Tuning) -> None:
        """Begin with nothing remembered. The indices of the lone series among the engine's are `series`."""
        self.series = series
        refit = max(12, tuning.memory // 32)
        self._value = Novelty(series.size, memory=tuning.memory, refit=refit)
        self._residual = Novelty(series.size, memory=tuning.memory, refit=refit)
        self._recent = np.full((_REPEATS, series.size), -np.inf)
        self._threshold = _ORIGIN + 3.0

    def advance(self, _times: FloatArray, values: FloatArray, r: FloatArray) -> LoneScored:
        """Score rows [time, all series] and remember them."""
        if not self.series.size:
            return _nobody(values.shape[0])
        surprise = _larger(
            self._value.advance(values[:, self.series].T).T,
            self._residual.advance(r[:, self.series].T).T,
        )
        scored, self._recent = self._fresh(surprise)
        return scored

    def peek(self, _times: FloatArray, values: FloatArray, r: FloatArray) -> LoneScored:
        """Score rows without remembering them."""
        if not self.series.size:
            return _nobody(values.shape[0])
        surprise = _larger(self._value.peek(values[:, self.series].T).T, self._residual.peek(r[:, self.series].T).T)
        return self._fresh(surprise)[0]

    def take(self, lone: IntArray, kept: IntArray) -> None:
        """Go on with other lone series, given by their new indices; kept gives the old index of each new series, -1 for none."""
        place = {int(series): row for row, series in enumerate(self.series)}
        rows = np.array([place.get(int(kept[series]), -1) for series in lone], dtype=np.int64)
        self._value, self._residual = self._value.take(rows), self._residual.take(rows)
        self._recent = picked(self._recent, rows, new=-np.inf)
        self.series = lone

    def _fresh(self, surprise: FloatArray) -> tuple[LoneScored, FloatArray]:
        both = np.concatenate([self._recent, surprise])
        score = np.empty_like(surprise)
        for row in range(surprise.shape[0]):
            new = surprise[row] > both[row : row + _REPEATS].max(axis=0)
            score[row] = np.where(new, np.maximum(surprise[row] + _ORIGIN, 0.0), 0.0)
        return LoneScored(score, score > self._threshold), both[surprise.shape[0] :]


def _larger(one: FloatArray, other: FloatArray) -> FloatArray:
    larger: FloatArray = np.nan_to_num(np.fmax(one, other), nan=-np.inf)
    return larger


def _nobody(rows: int) -> LoneScored:
    return LoneScored(np.zeros((rows, 0)), np.zeros((rows, 0), dtype=np.bool_))
