"""Readings of range queries just after an outage: rate(x[5m]) has five minutes to fill again, and says too little until then."""

import re
from collections.abc import Sequence

import numpy as np

from lens_exporter.baseline.detection.regroup import picked
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import BoolArray, FloatArray, IntArray

_RANGE = re.compile(r"\[\s*((?:\d+(?:ms|[smhdwy]))+)\s*[\]:]")
_PART = re.compile(r"(\d+)(ms|[smhdwy])")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0, "y": 31_536_000.0}
_LONGEST = 900.0  # seconds: to look away for longer would hide more than it spares
_STEADY = 0.9  # of all rows: where nothing is there so often, that it is gone is an outage; errors that are seldom counted are none
_KNOWN = 4 * 3600.0  # seconds of values at least, before a gap of them can be an outage: a first burst of errors is over sooner
_LOST = 0.25  # of a row: what a row of an outage counts for, so that a long one does not make the next ones none
_FEW = 10  # rows that show what comes without a range, before its absence says that its thing has gone
# Places in what is remembered of each series.
_GAP, _PRESENT, _ROWS, _IS_STEADY, _WAS_STEADY, _PLAIN, _LAST_PLAIN = range(7)
_KEPT = 7
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`")


def range_of(query: str) -> float:
    """Give the longest range that a query selects, in seconds, a quarter of an hour at most; 0 where it selects none."""
    found = _RANGE.findall(_QUOTED.sub("", query))
    ranges = (sum(int(count) * _SECONDS[unit] for count, unit in _PART.findall(one)) for one in found)
    return min(max(ranges, default=0.0), _LONGEST)


def span_of(metric: BaselineMetric) -> float:
    """Give for how many seconds what a metric says is too little after an outage.

    Of a ratio both parts are short of the same, and a quantile's buckets too: those are right at once. What has a ceiling is told
    by it whatever was before.
    """
    query = _QUOTED.sub("", metric.query)
    parts = query.split("/")
    ratio = len(parts) > 1 and all(_RANGE.search(part) for part in parts)
    if metric.ceiling is not None or ratio or "histogram_quantile" in query:
        return 0.0
    return range_of(metric.query)


class Refilling:
    """Makes gaps of the readings of a range query that a thing's coming back, or its going away, says too little in.

    Prometheus extrapolates what it has to the range's ends only where samples come near them, so after an outage a rate begins at a
    fraction of what it is, and has no value at all until a second sample. An outage is a gap of what had a value for hours, and in
    nine of ten rows: what is seldom there is as it is. When an instance goes away, what it has without a range ends at once, and a
    rate falls until its samples have run out.
    """

    def __init__(self, metrics: Sequence[BaselineMetric], step: float) -> None:
        self._known = _KNOWN / step  # rows
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
        self.kept, self._things = kept, things
        self._plain = self._ranges[metric_of] == 0.0
        self._span, self._range = self._spans[metric_of], self._ranges[metric_of]
        self._order = np.argsort(things, kind="stable")
        self._starts = np.flatnonzero(np.diff(things[self._order], prepend=-1))
        self._has_plain = self._of_things(self._plain)[things]

    def without(self, times: FloatArray, values: FloatArray, *, learn: bool) -> tuple[FloatArray, BoolArray | None]:
        """Give values [series, time] without those that say too little, and which gaps of it are no missing values (None: none).

        learn: remember gaps.
        """
        if not self._ranges.any() or not values.size:
            return values, None
        finite = np.isfinite(values)
        if finite.all() and (times[0] - self.kept[_GAP] >= self._span).all():
            if learn:
                self.kept[[_PRESENT, _ROWS]] += times.size
                self.kept[_IS_STEADY] = _steady(self.kept[_PRESENT], self.kept[_ROWS], self._known)
                self.kept[_PLAIN] += times.size * self._has_plain
                self.kept[_LAST_PLAIN, self._has_plain] = times[-1]
            return values, None
        seen, plain = self._of_things(finite), self._of_things(finite & self._plain[:, None])  # [thing, time]
        state = self.kept[:, self._order[self._starts]]
        back, gap, gone, last = np.empty_like(seen), np.empty(seen.shape), np.empty_like(seen), np.empty(seen.shape)
        for row, (there, shown) in enumerate(zip(seen.T, plain.T, strict=True)):
            back[:, row], gap[:, row] = there & (state[_WAS_STEADY] > 0.0), state[_GAP]
            gone[:, row], last[:, row] = ~shown & _nearly_always_plain(state), state[_LAST_PLAIN]
            state = _after(state, there, shown, times[row], self._known)
        since, left = (times - gap)[self._things], (times - last)[self._things]
        away: BoolArray = back[self._things] & (since < np.where(finite, self._span[:, None], self._range[:, None]))
        away |= gone[self._things] & finite & (left < self._span[:, None])
        if learn:
            self.kept = state[:, self._things]
        return np.where(away, np.nan, values), away

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
