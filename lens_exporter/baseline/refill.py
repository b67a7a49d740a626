"""Readings of range queries just after an outage: rate(x[5m]) has five minutes to fill again, and says too little until then."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import BoolArray, FloatArray, IntArray
from lens_exporter.prometheus import promql

_LONGEST = 900.0  # seconds: to look away for longer would hide more than it spares
_STEADY = 0.9  # of all rows: where nothing is there so often, that it is gone is an outage; errors that are seldom counted are none
_KNOWN = 4 * 3600.0  # seconds of values at least, before a gap of them can be an outage: a first burst of errors is over sooner
_LOST = 0.25  # of a row: what a row of an outage counts for, so that a long one does not make the next ones none
_FEW = 10  # rows that show what comes without a range, before its absence says that its thing has gone


def range_of(query: str) -> float:
    """Give how far back a query reads, in seconds, a quarter of an hour at most; 0 where it reads newest samples only."""
    return _longest(promql.readings(query))


def span_of(metric: BaselineMetric) -> float:
    """Give for how many seconds what a metric says is too little after an outage.

    What has a ceiling is told by it whatever was before.
    """
    return 0.0 if metric.ceiling is not None else _longest(promql.filling(metric.query))


def _longest(readings: Iterable[promql.SelectorReading]) -> float:
    return min(max((reading.reach for reading in readings), default=0.0), _LONGEST)


@dataclass(frozen=True, slots=True, eq=False)
class Presence:
    """When things had values: each an array [thing], or [series] with what is known of the thing of each."""

    gap: FloatArray  # the newest row in which nothing of it had a value, Unix seconds; -inf: there was none
    present: FloatArray  # rows in which something had
    rows: FloatArray  # all since the first of those
    steady: BoolArray  # whether it was nearly always there, as of the last of them
    was_steady: BoolArray  # and before that gap
    plain: FloatArray  # rows in which something without a range had a value
    last_plain: FloatArray  # the newest of those, Unix seconds; -inf: there was none

    @classmethod
    def unknown(cls, count: int) -> "Presence":
        """Give what is known of things that were never there."""
        never, none, no = np.full(count, -np.inf), np.zeros(count), np.zeros(count, dtype=np.bool_)
        return cls(never, none, none.copy(), no, no.copy(), none.copy(), never.copy())

    @property
    def series(self) -> int:
        """How many there are."""
        return self.gap.size

    @property
    def arrays(self) -> tuple[FloatArray | BoolArray, ...]:
        """All of it, in the order of the fields."""
        return self.gap, self.present, self.rows, self.steady, self.was_steady, self.plain, self.last_plain

    def of(self, which: IntArray) -> "Presence":
        """Copy what is known of these."""
        return Presence(
            gap=self.gap[which],
            present=self.present[which],
            rows=self.rows[which],
            steady=self.steady[which],
            was_steady=self.was_steady[which],
            plain=self.plain[which],
            last_plain=self.last_plain[which],
        )

    def put(self, which: IntArray, known: "Presence") -> None:
        """Set what is known of these."""
        for mine, new in zip(self.arrays, known.arrays, strict=True):
            mine[which] = new

    def nearly_always_plain(self) -> BoolArray:
        """Say which have had something without a range whenever they had anything."""
        nearly: BoolArray = (self.plain >= _FEW) & (self.plain >= _STEADY * self.present)
        return nearly


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
        self.resume(Presence.unknown(0), nobody, nobody)

    def resume(self, kept: Presence, metric_of: IntArray, things: IntArray) -> None:
        """Go on with these series: what is known of the thing of each, its metric and its thing."""
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
        state = self.kept.of(self._order[self._starts])  # [thing]
        lately = times[0] - state.last_plain
        undisturbed = seen.all(axis=1) & (times[0] - state.gap >= _LONGEST + self._step)
        undisturbed &= ~self._has_plain | (plain.all(axis=1) & ((lately < 1.5 * self._step) | np.isinf(lately)))
        disturbed, away = np.flatnonzero(~undisturbed), None
        if disturbed.size:
            after, away = self._disturbed(times, values, disturbed, (seen[disturbed], plain[disturbed], state.of(disturbed)))
            state.put(disturbed, after)
        if learn:
            self._undisturbed(state, np.flatnonzero(undisturbed), times)
            self.kept = state.of(self._things)
        return (values, None) if away is None else (np.where(away, np.nan, values), away)

    def _undisturbed(self, state: Presence, which: IntArray, times: FloatArray) -> None:
        """Go on with the state of things that were there, with what needs no range, in all of these rows."""
        plain = which[self._has_plain[which]]
        state.present[which] += times.size
        state.rows[which] += times.size
        state.steady[which] = _steady(state.present[which], state.rows[which], self._known)
        state.plain[plain] += times.size
        state.last_plain[plain] = times[-1]

    def _disturbed(
        self, times: FloatArray, values: FloatArray, which: IntArray, found: tuple[BoolArray, BoolArray, Presence]
    ) -> tuple[Presence, BoolArray]:
        """Go row by row through the things `which`: give their state afterwards, and what is away of all series [series, time].

        found is what was there of each thing, and without a range [thing, time], and the state before.
        """
        there, shown, state = found
        back, gone = np.empty_like(there), np.empty_like(there)
        gap, last = np.empty((2, *there.shape))
        for row, at in enumerate(times):
            state = self._returned(state, shown[:, row], at)
            back[:, row], gap[:, row] = there[:, row] & state.was_steady, state.gap
            gone[:, row], last[:, row] = ~shown[:, row] & state.nearly_always_plain(), state.last_plain
            state = _after(state, there[:, row], shown[:, row], at, self._known)
        series = np.flatnonzero(np.isin(self._things, which))
        thing = np.searchsorted(which, self._things[series])
        finite, span = np.isfinite(values[series]), self._span[series, None]
        too_little = back[thing] & ((times - gap)[thing] < np.where(finite, span, self._range[series, None]))
        too_little |= gone[thing] & finite & ((times - last)[thing] < span)
        away = np.zeros(values.shape, dtype=np.bool_)
        away[series] = too_little
        return state, away

    def _returned(self, state: Presence, shown: BoolArray, at: float) -> Presence:
        """Take it for an outage that a thing was away for two rows and more though its ranges went on: it was down."""
        lapse = at - state.last_plain
        returned = shown & state.nearly_always_plain() & (lapse > 2.5 * self._step) & (lapse <= _LONGEST)
        # Its first sample may lie just before this row.
        return replace(state, gap=np.where(returned, at, state.gap), was_steady=state.was_steady | returned)

    def _of_things(self, marks: BoolArray) -> BoolArray:
        """Say of which things [thing, ...] any series is marked [series, ...]."""
        if not self._starts.size:
            return marks
        found: BoolArray = np.logical_or.reduceat(marks[self._order], self._starts, axis=0)
        return found

    def take(self, kept: IntArray, metric_of: IntArray, things: IntArray) -> None:
        """Go on with other series: the old index of each, -1 for a new one. A thing that was never seen has had no outage."""
        known = Presence.unknown(things.max(initial=-1) + 1)  # [thing]
        old = kept >= 0
        for of_things, of_series in zip(known.arrays, self.kept.arrays, strict=True):
            np.maximum.at(of_things, things[old], of_series[kept[old]])
        self.resume(known.of(things), metric_of, things)


def _steady(present: FloatArray, rows: FloatArray, known: float) -> BoolArray:
    steady: BoolArray = (present >= known) & (present >= _STEADY * rows)
    return steady


def _after(state: Presence, there: BoolArray, plain: BoolArray, at: float, enough: float) -> Presence:
    """Give the state [thing] after a row in which some things are there; one that never was has no gaps."""
    known = state.rows > 0.0
    lost = known & ~there
    present = state.present + there
    rows = state.rows + np.where(there, 1.0, known * np.where(state.steady, _LOST, 1.0))
    return Presence(
        gap=np.where(lost, at, state.gap),
        present=present,
        rows=rows,
        steady=np.where(there, _steady(present, rows, enough), state.steady),
        was_steady=np.where(lost, state.steady, state.was_steady),
        plain=state.plain + plain,
        last_plain=np.where(plain, at, state.last_plain),
    )
