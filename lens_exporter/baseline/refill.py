"""Readings of range queries just after a gap: rate(x[5m]) has five minutes to fill again, and says too little until then."""

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


def span_of(query: str) -> float:
    """Give the longest range that a query selects, in seconds, a quarter of an hour at most; 0 where it selects none."""
    spans = (sum(int(count) * _SECONDS[unit] for count, unit in _PART.findall(found)) for found in _RANGE.findall(query))
    return min(max(spans, default=0.0), _LONGEST)


class Refilling:
    """Makes gaps of the readings of a range query that follow a gap of all that its thing has, for as long as the range.

    Prometheus extrapolates what it has to the range's ends only where samples come near them, so after an outage a rate begins at a
    fraction of what it is. Where others of the same instance had values nothing was lost: what is seldom there stays as it is.
    """

    def __init__(self, metrics: Sequence[BaselineMetric], step: float) -> None:
        self._spans = np.array([span_of(metric.query) for metric in metrics])
        self._step = step
        self.forget()

    def forget(self) -> None:
        """Begin anew: no series, and nobody knows of a gap."""
        nobody = np.zeros(0, dtype=np.int64)
        self.resume(np.zeros(0), nobody, nobody)

    def resume(self, gap: FloatArray, metric_of: IntArray, things: IntArray) -> None:
        """Go on with these series: metric and thing of each, and the newest row in which nothing of its thing had a value."""
        self.gap, self._things = gap, things
        self._span = self._spans[metric_of] + self._step * (
            self._spans[metric_of] > 0.0
        )  # a gap ends within a step after its last row
        self._order = np.argsort(things, kind="stable")
        self._starts = np.flatnonzero(np.diff(things[self._order], prepend=-1))

    def without(self, times: FloatArray, values: FloatArray, *, learn: bool) -> tuple[FloatArray, BoolArray | None]:
        """Give values [series, time] without those that say too little, and which those are (None: none). learn: remember gaps."""
        if not self._spans.any() or not values.size:
            return values, None
        finite = np.isfinite(values)
        if finite.all() and (times[0] - self.gap >= self._span).all():
            return values, None
        seen = np.logical_or.reduceat(finite[self._order], self._starts, axis=0)  # [thing, time]
        newest = np.concatenate([self.gap[self._order[self._starts]][:, None], np.where(seen, -np.inf, times)], axis=1)
        newest = np.maximum.accumulate(newest, axis=1)[self._things]
        away: BoolArray = finite & (times - newest[:, :-1] < self._span[:, None])
        if learn:
            self.gap = newest[:, -1].copy()
        return np.where(away, np.nan, values), away

    def take(self, kept: IntArray, metric_of: IntArray, things: IntArray, until: float | None) -> None:
        """Go on with other series: the old index of each, -1 for a new one; what is new as a thing had no value up to `until`."""
        gap = picked(self.gap, kept, new=-np.inf)
        known = np.full(things.max(initial=-1) + 1, -np.inf)
        old = np.zeros(known.size, dtype=np.bool_)
        old[things[kept >= 0]] = True
        np.maximum.at(known, things, gap)
        if until is not None:
            known[~old] = until
        self.resume(known[things], metric_of, things)
