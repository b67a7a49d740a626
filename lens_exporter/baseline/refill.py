"""Readings of range queries just after an outage: rate(x[5m]) has five minutes to fill again, and says too little until then."""

from collections.abc import Collection, Iterable, Sequence

import numpy as np

from lens_exporter.baseline.detection.regroup import picked
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import BoolArray, FloatArray, IntArray
from lens_exporter.prometheus import promql

_LONGEST = 900.0  # seconds: to look away for longer would hide more than it spares
_STEADY = 0.9  # of all rows: where nothing is there so often, that it is gone is an outage; errors that are seldom counted are none
_KNOWN = 4 * 3600.0  # seconds of values at least, before a gap of them can be an outage: a first burst of errors is over sooner
_LOST = 0.25  # of a row: what a row of an outage counts for, so that a long one does not make the next ones none
_FEW = 10  # rows that show what comes without a range, before its absence says that its thing has gone
# Places in what is remembered of each series.
_GAP, _PRESENT, _ROWS, _IS_STEADY, _WAS_STEADY, _PLAIN, _LAST_PLAIN = range(7)
_KEPT = 7


def range_of(query: str) -> float:
    """Give how far back a query reads, in seconds, a quarter of an hour at most; 0 where it reads newest samples only."""
    return _longest(promql.readings(query))


def span_of(metric: BaselineMetric) -> float:
    """Give for how many seconds what a metric says is too little after an outage.

    What has a ceiling is told by it whatever was before.
    """
    return 0.0 if metric.ceiling is not None else _longest(promql.filling(metric.query))


def _longest(readings: Iterable[promql.Reading]) -> float:
    return min(max((reading.reach for reading in readings), default=0.0), _LONGEST)


class Refilling:
    """Makes gaps of the readings of a range query that a thing's coming back, or its going away, says too little in.

    Prometheus extrapolates what it has to the range's ends only where samples come near them, so after an outage a rate begins at a
    fraction of what it is, and has no value at all until a second sample. An outage is a gap of what had a value for hours, and in
    nine of ten rows: what is seldom there is as it is. When an instance goes away, what it has without a range ends at once, and a
    rate falls until its samples have run out.
    """

    def __init__(self, metrics: Sequence[BaselineMetric], step: float) -> None:
        self._step, self._known = step, _KNOWN / step  # seconds, rows
        # A gap ends within a step after its last row.
        self._spans = np.array([length + step * (length > 0.0) for length in map(span_of, metrics)])
        self._ranges = np.array([length + step * (length > 0.0) for length in (range_of(metric.query) for metric in metrics)])
        self.forget()

    def forget(self) -> None:
        """Begin anew: no series, and nobody knows of a gap."""
        nobody = np.zeros(0, dtype=np.int64)
        self.resume(np.zeros((_KEPT, 0)), nobody, nobody)

    def resume(self, kept: FloatArray, metric_of: IntArray, things: IntArray) -> None:
        """Go on with these series: metric and thing of each.

        kept [7, series]: the newest row in which nothing of its thing had a value (Unix seconds), the rows in which something had,
        and all rows since the first of those; whether it was nearly always there as of the last of them, and before that gap; the
        rows in which something without a range had a value, and the newest of those.
        """
        self.kept, self._metric_of, self._things = kept, metric_of, things
        self._plain = self._ranges[metric_of] == 0.0
        self._span, self._range = self._spans[metric_of], self._ranges[metric_of]
        self._order = np.argsort(things, kind="stable")
        self._starts = np.flatnonzero(np.diff(things[self._order], prepend=-1))
        self._has_plain = self._of_things(self._plain)  # [thing]

    def without(
        self, times: FloatArray, values: FloatArray, *, learn: bool, unread: Collection[int] = ()
    ) -> tuple[FloatArray, BoolArray | None]:
        """Give values [series, time] without those that say too little, and which gaps of it are no missing values (None: none).

        learn: remember gaps. unread: metrics that could not be read, so that nobody knows whether they had a value.
        """
        if not self._ranges.any() or not values.size:
            return values, None
        known = np.isfinite(values)
        if unread:
            known |= np.isin(self._metric_of, list(unread))[:, None]
        seen, plain = self._of_things(known), self._of_things(known & self._plain[:, None])  # [thing, time]
        state = self.kept[:, self._order[self._starts]]  # [7, thing]
        lately = times[0] - state[_LAST_PLAIN]
        undisturbed = seen.all(axis=1) & (times[0] - state[_GAP] >= _LONGEST + self._step)
        undisturbed &= ~self._has_plain | (plain.all(axis=1) & ((lately < 1.5 * self._step) | np.isinf(lately)))
        disturbed, away = np.flatnonzero(~undisturbed), None
        if disturbed.size:
            found = seen[disturbed], plain[disturbed], state[:, disturbed]
            state[:, disturbed], away = self._disturbed(times, values, disturbed, found)
        if learn:
            self._undisturbed(state, np.flatnonzero(undisturbed), times)
            self.kept = state[:, self._things]
        return (values, None) if away is None else (np.where(away, np.nan, values), away)

    def _undisturbed(self, state: FloatArray, which: IntArray, times: FloatArray) -> None:
        """Go on with the state of things that were there, with what needs no range, in all of these rows."""
        present, rows = state[_PRESENT, which] + times.size, state[_ROWS, which] + times.size
        plain = which[self._has_plain[which]]
        state[_PRESENT, which], state[_ROWS, which], state[_IS_STEADY, which] = present, rows, _steady(present, rows, self._known)
        state[_PLAIN, plain] += times.size
        state[_LAST_PLAIN, plain] = times[-1]

    def _disturbed(
        self, times: FloatArray, values: FloatArray, which: IntArray, found: tuple[BoolArray, BoolArray, FloatArray]
    ) -> tuple[FloatArray, BoolArray]:
        """Go row by row through the things `which`: give their state afterwards, and what is away of all series [series, time].

        found is what was there of each thing, and without a range [thing, time], and the state before.
        """
        there, shown, state = found
        back, gone = np.empty_like(there), np.empty_like(there)
        gap, last = np.empty((2, *there.shape))
        for row, at in enumerate(times):
            state = self._returned(state, shown[:, row], at)
            back[:, row], gap[:, row] = there[:, row] & (state[_WAS_STEADY] > 0.0), state[_GAP]
            gone[:, row], last[:, row] = ~shown[:, row] & _nearly_always_plain(state), state[_LAST_PLAIN]
            state = _after(state, there[:, row], shown[:, row], at, self._known)
        series = np.flatnonzero(np.isin(self._things, which))
        thing = np.searchsorted(which, self._things[series])
        finite, span = np.isfinite(values[series]), self._span[series, None]
        too_little = back[thing] & ((times - gap)[thing] < np.where(finite, span, self._range[series, None]))
        too_little |= gone[thing] & finite & ((times - last)[thing] < span)
        away = np.zeros(values.shape, dtype=np.bool_)
        away[series] = too_little
        return state, away

    def _returned(self, state: FloatArray, shown: BoolArray, at: float) -> FloatArray:
        """Take it for an outage that a thing was away for two rows and more though its ranges went on: it was down."""
        lapse = at - state[_LAST_PLAIN]
        returned = shown & _nearly_always_plain(state) & (lapse > 2.5 * self._step) & (lapse <= _LONGEST)
        if returned.any():
            state[_GAP, returned], state[_WAS_STEADY, returned] = at, 1.0  # its first sample may lie just before this row
        return state

    def _of_things(self, marks: BoolArray) -> BoolArray:
        """Say of which things [thing, ...] any series is marked [series, ...]."""
        if not self._starts.size:
            return marks
        found: BoolArray = np.logical_or.reduceat(marks[self._order], self._starts, axis=0)
        return found

    def take(self, kept: IntArray, metric_of: IntArray, things: IntArray) -> None:
        """Go on with other series: the old index of each, -1 for a new one. A thing that was never seen has had no outage."""
        of = np.zeros((_KEPT, things.max(initial=-1) + 1))
        of[[_GAP, _LAST_PLAIN]] = -np.inf
        for place, one in enumerate(picked(self.kept, kept, new=-np.inf)):
            np.maximum.at(of[place], things, one)
        self.resume(of[:, things], metric_of, things)


def _steady(present: FloatArray, rows: FloatArray, known: float) -> BoolArray:
    steady: BoolArray = (present >= known) & (present >= _STEADY * rows)
    return steady


def _nearly_always_plain(state: FloatArray) -> BoolArray:
    nearly: BoolArray = (state[_PLAIN] >= _FEW) & (state[_PLAIN] >= _STEADY * state[_PRESENT])
    return nearly


def _after(state: FloatArray, there: BoolArray, plain: BoolArray, at: float, enough: float) -> FloatArray:
    """Give the state [7, thing] after a row in which some things are there; one that never was has no gaps."""
    gap, present, rows, steady, was_steady, with_plain, last_plain = state
    known = rows > 0.0
    present = present + there
    rows = rows + np.where(there, 1.0, known * np.where(steady > 0.0, _LOST, 1.0))
    lost = known & ~there
    return np.stack(
        [
            np.where(lost, at, gap),
            present,
            rows,
            np.where(there, _steady(present, rows, enough), steady),
            np.where(lost, steady, was_steady),
            with_plain + plain,
            np.where(plain, at, last_plain),
        ]
    )
