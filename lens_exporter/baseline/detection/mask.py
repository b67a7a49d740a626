"""Which rows of a group are kept out of its memory: those of an incident, until it has lasted so long that it is the new normal."""

from dataclasses import dataclass

import numpy as np

from lens_exporter.baseline.detection.regroup import picked
from lens_exporter.baseline.detection.structure import BoolArray, IntArray
from lens_exporter.baseline.detection.tuning import DAY, Tuning
from lens_exporter.model.window import FloatArray

_SLOT = 300.0  # seconds: of each, one row's score is remembered
_SLOTS = 2016  # a week of them
_HOT = 2.8  # -log10 of the part of rows that are as high: about one in 600
_TAIL_PART = 200  # one in so many rows makes the tail
_PRIOR, _PRIOR_EXPONENT = 5.0, 3.0  # pseudo-exceedances, and the exponent they have
_STEEPEST = 20.0
_COOLING = 4.0  # a quiet row takes back as much as so many hot ones
_LONGEST = DAY  # then a shifted level is learnt
_FEWEST = 5
_MOST = max(_FEWEST, _SLOTS // _TAIL_PART)  # rows of the tail
_MASKED = -1.0  # stands for the score of a row that was kept out
_TINY = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class ScoreTail:
    """Pareto tail (Hill's estimate, shrunk) of a group's unmasked scores, arrays [groups]; known marks those that have one."""

    share: FloatArray  # log10(n / k)
    begins: FloatArray  # u, the k-th largest
    exponent: FloatArray
    roomy: BoolArray  # at least half of the memory is unmasked
    known: BoolArray

    def take(self, kept: IntArray) -> "ScoreTail":
        """Give the groups at these indices, in this order; -1 is one that has no tail."""
        share, begins, exponent = (picked(one, kept, new=1.0) for one in (self.share, self.begins, self.exponent))
        return ScoreTail(share, begins, exponent, picked(self.roomy, kept, new=False), picked(self.known, kept, new=False))


class Mask:
    """Remembers unmasked scores h of a week. A row is hot if log10(n/k) + a log10(h/u) > 2.8.

    A hot row is masked while hot time has not added up to a day (quiet rows take back four times as fast), and while at least half
    of the memory is unmasked.
    """

    def __init__(self, groups: int, tuning: Tuning) -> None:
        self._scores = np.full((_SLOTS, groups), np.nan, dtype=np.float32)  # NaN: no row was seen
        self._step = tuning.step
        self._slot: int | None = None
        self._warm = max(2 * DAY / max(_SLOT, tuning.step), 50.0)

    def learn(self, times: FloatArray, scores: FloatArray, masked: BoolArray) -> None:
        """Remember one row of each five minutes; scores and masked are [time, groups]."""
        if not scores.shape[1]:
            return
        for at, score, out in zip(times, scores, masked, strict=True):
            slot = int(at // _SLOT)
            if self._slot is not None and slot <= self._slot:
                continue
            first = slot if self._slot is None else max(self._slot + 1, slot - _SLOTS)
            passed = np.arange(first, slot + 1) % _SLOTS
            self._scores[passed] = np.nan
            self._scores[slot % _SLOTS] = np.where(out, _MASKED, score)
            self._slot = slot

    def fit(self) -> ScoreTail:
        """Fit the tail of what is remembered."""
        if not self._scores.shape[1]:
            return _no_tail()
        seen = _SLOTS - np.isnan(self._scores).sum(axis=0)
        # All of them sorted: among the many equal ones of a first week, np.partition takes ten times as long.
        ordered = np.sort(np.fmax(self._scores, np.float32(_MASKED)).T, axis=1)  # [groups, slots]
        unmasked = ordered > _MASKED
        count = np.where(unmasked[:, -1], _SLOTS - unmasked.argmax(axis=1), 0)
        largest = np.maximum(_FEWEST, count // _TAIL_PART)
        top = ordered[:, : -_MOST - 1 : -1].astype(np.float64)  # falling
        inside = np.minimum(largest, count)
        begins = np.maximum(np.take_along_axis(top, np.maximum(inside - 1, 0)[:, None], axis=1)[:, 0], _TINY)
        excess = np.log(np.maximum(top, _TINY) / begins[:, None]).sum(axis=1, where=np.arange(_MOST) < inside[:, None])
        return ScoreTail(
            share=np.log10(np.maximum(count, 1) / largest),
            begins=begins,
            exponent=np.minimum(_STEEPEST, (largest + _PRIOR) / (excess + _PRIOR / _PRIOR_EXPONENT)),
            roomy=count >= 0.5 * seen,
            known=seen >= self._warm,
        )

    def apply(self, scores: FloatArray, tail: ScoreTail, hot_for: FloatArray) -> tuple[BoolArray, FloatArray]:
        """Give which rows are masked [time, groups] and for how long each group has been hot afterwards [groups], in seconds."""
        if not scores.shape[1]:
            return np.zeros(scores.shape, dtype=np.bool_), hot_for
        with np.errstate(invalid="ignore"):
            surprise = tail.share + tail.exponent * np.log10(np.maximum(scores, _TINY) / tail.begins)
            hot = (surprise > _HOT) & tail.known
        masked = np.zeros(scores.shape, dtype=np.bool_)
        for row in range(scores.shape[0]):
            hot_for = np.where(hot[row], hot_for + self._step, np.maximum(hot_for - _COOLING * self._step, 0.0))
            masked[row] = hot[row] & (hot_for <= _LONGEST) & tail.roomy
        return masked, hot_for

    def take(self, kept: IntArray) -> None:
        """Keep the groups at these indices, in this order; -1 is a new one."""
        self._scores = picked(self._scores, kept, new=np.nan)


def _no_tail() -> ScoreTail:
    nobody = np.zeros(0)
    return ScoreTail(nobody, nobody, nobody, nobody.astype(np.bool_), nobody.astype(np.bool_))
