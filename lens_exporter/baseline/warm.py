"""Series that are not known for a day yet: their rows, and what their first judge makes of them within the budget."""

from collections.abc import Sequence

import numpy as np

from lens_exporter.baseline.detector import LEAST_RECORD, TAIL, Detector
from lens_exporter.baseline.moved import had_moved
from lens_exporter.baseline.roster import Grouped, Roster
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import BoolArray, FloatArray, IntArray, Scores, Window, Young

_AT_ONCE = 512  # series
_WEEK = 7 * 86_400.0
_LASTS = 3  # readings in which a series must be far away to count as gone there
_SEVERAL, _PART = 3, 0.15  # of a group: so many at least, and this part of its series


class Warm:
    """Rows of the last day, of series that are not known for a day yet: their first judge needs all of them."""

    def __init__(self, rows: int) -> None:
        self._rows = max(TAIL, rows)
        self._times = np.zeros(0)
        self._values = np.zeros((0, 0))  # [series, time]
        self.series: IntArray = np.zeros(0, dtype=np.int64)

    def learn(self, times: FloatArray, values: FloatArray, new: BoolArray) -> None:
        """Keep rows [series, time] of the series that `new` [series] marks, and let go of all others."""
        wanted = np.flatnonzero(new)
        place = np.full(new.size, -1, dtype=np.int64)
        place[self.series] = np.arange(self.series.size)
        before = np.full((wanted.size, self._times.size), np.nan)
        old = place[wanted] >= 0
        before[old] = self._values[place[wanted][old]]
        self._values = np.concatenate([before, values[wanted]], axis=1)[:, -self._rows :]
        self._times = np.concatenate([self._times, times])[-self._rows :]
        self.series = wanted

    def with_rows(self, times: FloatArray, values: FloatArray) -> "Warm":
        """Give these rows followed by others [all series, time]; a series that is new now is among them."""
        joined = Warm(self._rows)
        fresh = np.ones(values.shape[0], dtype=np.bool_)
        if self._times.size or self.series.size:
            fresh[:] = False
            fresh[self.series] = True
        joined._times, joined._values, joined.series = self._times, self._values, self.series
        joined.learn(times, values, fresh)
        return joined

    def take(self, kept: IntArray) -> None:
        """Go on with other series; -1 is a new one, which begins here."""
        place = np.full(max(int(kept.max(initial=-1)), int(self.series.max(initial=-1))) + 1, -1, dtype=np.int64)
        place[self.series] = np.arange(self.series.size)
        rows = np.where(kept >= 0, place[np.maximum(kept, 0)] if place.size else -1, -1)
        wanted = np.flatnonzero((rows >= 0) | (kept < 0))
        values = np.full((wanted.size, self._times.size), np.nan)
        old = rows[wanted] >= 0
        values[old] = self._values[rows[wanted][old]]
        self._values, self.series = values, wanted

    def window(self, metric: str, roster: Roster, chosen: IntArray, step: float, warnings: tuple[str, ...]) -> Window:
        """Give the rows of some of its series, by their place in `series`."""
        labels = tuple(roster.labels[series] for series in self.series[chosen])
        return Window(metric, labels, self._times, self._values[chosen], step, warnings)

    def scores(
        self, judge: Detector, metrics: Sequence[BaselineMetric], roster: Roster, grouped: Grouped, *, per_week: float, step: float
    ) -> Scores:
        """Judge all of it, some at a time: while it is judged, each series takes ten times its day of rows, afterwards the tail's.

        per_week: false alarms that each group, or lone series, may have.
        """
        parts = []
        for first in range(0, max(1, self.series.size), _AT_ONCE):
            chosen = np.arange(first, min(first + _AT_ONCE, self.series.size))
            parts.append(judge.score(self.window("", roster, chosen, step, ())))
        expected, lower, upper, score = (
            np.concatenate([getattr(part, name)[:, -TAIL:] for part in parts]) for name in ("expected", "lower", "upper", "score")
        )
        observations = np.concatenate([part.observations for part in parts])
        allowed = per_week * np.maximum(1, observations) * step / _WEEK
        side = np.array([metric.side for metric in metrics])[roster.metric_of[self.series]]
        far = _stayed(score[:, -_LASTS:], side) > LEAST_RECORD / np.sqrt(allowed)
        moved = np.zeros_like(far)
        for place in np.flatnonzero(far):
            moved[place] = had_moved(self._values[place], expected[place, -1], upper[place, -1] - expected[place, -1])
        together = self._together(grouped, far, moved)
        shares = np.where(together, 1.0, grouped.shares[self.series])
        return Scores(expected, lower, upper, score, observations, young=Young(1.0 / np.sqrt(allowed * shares), together))

    def _together(self, grouped: Grouped, far: BoolArray, moved: BoolArray) -> BoolArray:
        """Mark young series of groups of which several are far away: one thing happens to them then, not one of many.

        One at least must have moved before: what rested may begin together, as the figures of a disk do that is used at last.
        """
        of, groups = grouped.of[self.series], len(grouped.groups)
        members = np.bincount(grouped.of[grouped.of >= 0], minlength=groups)
        counted, lively = (np.bincount(of[mine & (of >= 0)], minlength=groups) for mine in (far, far & moved))
        mark: BoolArray = (counted >= np.maximum(_SEVERAL, _PART * members)) & (lively > 0)
        marked: BoolArray = np.append(mark, False)[of]
        return marked


def _stayed(score: FloatArray, side: FloatArray) -> FloatArray:
    """Give how far outside, on its bad side, each series [series] stayed for all of the columns [series, time] that are no gaps.

    NaN of fewer than two.
    """
    if not score.shape[1]:
        return np.full(score.shape[0], np.nan)
    score = np.where(np.isfinite(score).sum(axis=1, keepdims=True) >= 2, score, np.nan)
    above, below = np.fmin.reduce(score, axis=1), -np.fmax.reduce(score, axis=1)
    stayed: FloatArray = np.where(side > 0, above, np.where(side < 0, below, np.maximum(above, below)))
    return stayed
