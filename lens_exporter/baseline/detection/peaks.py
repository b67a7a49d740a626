"""Which surprises are news, and how high one must be for a budget of false alarms."""

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from lens_exporter.baseline.detection.decades import decades
from lens_exporter.baseline.detection.sortedrows import Float32Array, IntArray, rows_of
from lens_exporter.model.window import FloatArray

BoolArray = NDArray[np.bool_]
Number = TypeVar("Number", np.int64, np.float64)

_SECOND_LOOK = float(np.log10(2.0))  # decades
_RECENT = 100  # rows above all of which a surprise must stand to be news
_FEW = 6  # rows; of more, the highest before each is cheaper found for all of them together
_ROOM = 28  # rows behind the recent ones: a row at a time, all of them are moved only now and then
# The record of a series counts peaks rarer than one row in 10^2.5 and by how many decades they exceed that.
_REFERENCE = 2.5  # decades of rarity
_FARTHEST = 3.0  # decades; a peak farther out counts as this far: one great incident must not blind its series
# Until a series has shown its own, three peaks of this kind stand for it: as many as independent rows give, and a heavier tail than
# theirs. Fewer would be believed for weeks at five minutes a row, and cost two to three budgets.
_PRIOR_PEAKS = 3.0
_PRIOR_RATE = 10.0**-_REFERENCE
_PRIOR_EXCESS = 0.8
_CALIBRATED = 1.0 / math.log(10.0)  # decades: how much rarer it takes for a part of e, where p means what it says


@dataclass(frozen=True, slots=True, eq=False)
class Peaked:
    """fresh: the rows that are news; threshold: what their surprise must exceed for the budget; alarm: both. All [series, time].

    loud: what would be an alarm at the usual budget, whatever the budget is.
    """

    fresh: BoolArray
    threshold: FloatArray
    alarm: BoolArray
    loud: BoolArray

    def part(self, rows: slice) -> "Peaked":
        return Peaked(self.fresh[:, rows], self.threshold[:, rows], self.alarm[:, rows], self.loud[:, rows])

    def last(self, rows: int) -> "Peaked":
        return self.part(slice(self.fresh.shape[1] - rows, None))


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """What a series has shown, [series]: rows with a surprise, peaks beyond the reference, the sum of their excess in decades."""

    rows: IntArray
    peaks: IntArray
    excess: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """Surprises [series, time], what was found about the last of them, and the record before each and after [series, time + 1]."""

    surprise: FloatArray
    peaked: Peaked
    record: Record

    def begins_with(self, surprise: FloatArray) -> bool:
        return np.array_equal(self.surprise[:, : surprise.shape[1]], surprise, equal_nan=True)

    def part(self, rows: int) -> tuple[Peaked, Record]:
        """Give what was found about the first rows, and the record after them."""
        found, record = self.peaked, self.record
        # Copies: a view of one row would keep those of all.
        after = Record(record.rows[:, rows].copy(), record.peaks[:, rows].copy(), record.excess[:, rows].copy())
        return found.part(slice(rows)), after


class Peaks:
    """De-duplicates surprises and keeps the threshold that a budget of false alarms asks for, series by series."""

    def __init__(self, series: int, *, alarms_per_row: float, usual: float | None = None, recent: int = _RECENT) -> None:
        """Begin with nothing seen. alarms_per_row is the budget: alarms per week / rows per week; usual is that of most."""
        self._alarms_per_row = alarms_per_row
        self._usual = alarms_per_row if usual is None else usual
        self._length = recent
        self._rows = np.full((recent + _ROOM, series), -np.inf, dtype=np.float32)  # [row, series]: a row is written at once
        self._end = recent  # behind the newest row
        self._record = Record(np.zeros(series, np.int64), np.zeros(series, np.int64), np.zeros(series))
        self._ahead: _Judged | None = None  # rows that were peeked at last: they mostly are learnt next

    def advance(self, surprise: FloatArray, told: int | None = None) -> Peaked:
        """Judge surprises [series, time], NaN where there is none, and remember them; any partition into calls gives the same.

        told: how many of the last rows are wanted, if not all.
        """
        rows = surprise.shape[1]
        told = rows if told is None else told
        judged = self._ahead if self._ahead is not None and self._ahead.begins_with(surprise) else self._judge(surprise, told)
        self._ahead = None
        peaked, self._record = judged.part(rows)
        self._remember(_single(surprise))
        return peaked.last(told)

    def peek(self, surprise: FloatArray) -> Peaked:
        """Judge surprises as `advance` would, and remember nothing."""
        self._ahead = self._judge(surprise, surprise.shape[1])
        return self._ahead.peaked

    def take(self, indices: IntArray) -> "Peaks":
        """Give the state of these series, in this order; -1 is a new one that has seen nothing."""
        taken = Peaks(0, alarms_per_row=self._alarms_per_row, usual=self._usual)
        taken._length, taken._end = self._length, self._end
        taken._rows = np.ascontiguousarray(rows_of(self._rows.T, indices, -np.inf).T)
        past = self._record
        taken._record = Record(rows_of(past.rows, indices, 0), rows_of(past.peaks, indices, 0), rows_of(past.excess, indices, 0))
        return taken

    @property
    def _recent(self) -> Float32Array:
        """The surprises [series, row] that a new one must be above, in order of time."""
        return self._rows[self._end - self._length : self._end].T

    def _remember(self, surprise: Float32Array) -> None:
        """Keep rows [series, time] that follow."""
        rows = surprise.shape[1]
        if self._end + rows <= len(self._rows):
            self._rows[self._end : self._end + rows] = surprise.T
            self._end += rows
        else:
            self._rows[: self._length] = np.concatenate((self._recent, surprise), axis=1)[:, -self._length :].T
            self._end = self._length

    def _judge(self, surprise: FloatArray, told: int) -> _Judged:
        fresh = fresh_peaks(_single(surprise), self._recent)
        rows = _running(self._record.rows, np.isfinite(surprise))
        here = decades(rows[:, 1:])
        with np.errstate(invalid="ignore"):
            beyond = np.where(fresh, np.clip(surprise + here - _REFERENCE, 0.0, _FARTHEST), 0.0)
        peaks, excess = _running(self._record.peaks, beyond > 0.0), _running(self._record.excess, beyond)
        last = slice(surprise.shape[1] - told, None)
        before = Record(rows[:, :-1][:, last], peaks[:, :-1][:, last], excess[:, :-1][:, last])
        threshold = needed_rarity(before, self._alarms_per_row) - here[:, last]
        with np.errstate(invalid="ignore"):
            alarm = loud = fresh[:, last] & (surprise[:, last] > threshold)
            if self._usual != self._alarms_per_row:
                loud = fresh[:, last] & (surprise[:, last] > needed_rarity(before, self._usual) - here[:, last])
        return _Judged(surprise.copy(), Peaked(fresh[:, last], threshold, alarm, loud), Record(rows, peaks, excess))


def _single(surprise: FloatArray) -> Float32Array:
    """Give surprises as they are compared: in single precision, a gap (NaN) as a row without surprise."""
    return np.where(np.isnan(surprise), -np.inf, surprise).astype(np.float32)


def either(value: FloatArray, residual: FloatArray) -> FloatArray:
    """Give the surprise of two views of the same rows: the value's, or its seasonal residual's if that is more than twice as rare.

    A value that was often seen may still be news at this hour. The second look counts by half: two find twice as much by chance.
    """
    return np.fmax(value, residual - _SECOND_LOOK)


def fresh_peaks(surprise: Float32Array, recent: Float32Array) -> BoolArray:
    """Say which surprises [series, time] are above all of the rows before them that `recent` [series, row] reaches back to."""
    time, length = surprise.shape[1], recent.shape[1]
    if time > min(_FEW, length):
        both = np.concatenate((recent, surprise), axis=1)
        return surprise > _sliding_highest(both[:, :-1], length)
    fresh = np.empty(surprise.shape, dtype=np.bool_)
    for row in range(time):
        highest = recent[:, row:].max(axis=1)
        fresh[:, row] = surprise[:, row] > np.maximum(highest, surprise[:, :row].max(axis=1, initial=-np.inf))
    return fresh


def _sliding_highest(rows: Float32Array, length: int) -> Float32Array:
    """Give the highest of each `length` neighbours of rows [series, time]; spans double until two of them cover the length."""
    span = 1
    while span < length:
        step = min(span, length - span)
        rows = np.maximum(rows[:, :-step], rows[:, step:])
        span += step
    return rows


def needed_rarity(record: Record, alarms_per_row: float) -> FloatArray:
    """Give -log10 of how rare a fresh peak must be, that so many per row are rarer.

    Peaks beyond the reference are taken to exceed it by an exponentially distributed number of decades (a Pareto tail):
        rate(rarity) = rate(reference) x exp(-(rarity - reference) / mean excess),
    rate and mean excess from the series' own record, shrunk towards the prior; below the reference, where no excess is recorded,
    as p says. So a budget is kept also where the tail of the distances promises too much: where a series is never the
    same for long, its own peaks say so. A further peak in the record never lowers the threshold.
    """
    peaks = record.peaks + _PRIOR_PEAKS
    rate = peaks / (record.rows + _PRIOR_PEAKS / _PRIOR_RATE)
    mean_excess = (record.excess + _PRIOR_PEAKS * _PRIOR_EXCESS) / peaks
    fewer = np.log(rate / alarms_per_row)
    needed: FloatArray = _REFERENCE + np.where(fewer > 0.0, mean_excess, _CALIBRATED) * fewer
    return needed


def _running(carried: NDArray[Number], rows: NDArray[np.generic]) -> NDArray[Number]:
    """Sum up rows [series, time] from what was carried [series], that first: [series, time + 1]."""
    total = np.empty((carried.size, rows.shape[1] + 1), dtype=carried.dtype)
    total[:, 0] = carried
    if rows.shape[1] > _FEW:
        total[:, 1:] = rows
        return np.add.accumulate(total, axis=1)
    for row in range(rows.shape[1]):
        np.add(total[:, row], rows[:, row], out=total[:, row + 1])
    return total
