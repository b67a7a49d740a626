"""What the first judge makes of series that are not known for a day yet, within the budget of false alarms."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lens_exporter.baseline.detector import LEAST_RECORD
from lens_exporter.baseline.moved import had_moved
from lens_exporter.baseline.roster import Grouped, Roster, run_of
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import BoolArray, FloatArray, IntArray, Peers, Scores, Window, Young

_WEEK = 7 * 86_400.0
_LASTS = 3  # readings in which a series must be far away to count as gone there
_SEVERAL, _PART = 3, 0.15  # of a group: so many at least, and this part of its series


@dataclass(frozen=True, slots=True, eq=False)
class Early:
    """Young series with the day's rows [series, time], and the bands of the last of these columns."""

    series: IntArray
    times: FloatArray
    values: FloatArray
    expected: FloatArray
    half_width: FloatArray
    observations: IntArray  # values before the newest column

    def window(self, metric: str, roster: Roster, chosen: IntArray, step: float, warnings: tuple[str, ...]) -> Window:
        """Give the rows of some of its series, by their place in `series`."""
        labels = tuple(roster.labels[series] for series in self.series[chosen].tolist())
        return Window(metric, labels, self.times, self.values[run_of(chosen)], step, warnings)

    def scores(
        self,
        metrics: Sequence[BaselineMetric],
        roster: Roster,
        grouped: Grouped,
        peers: Peers,
        *,
        per_week: float,
        step: float,
    ) -> Scores:
        """Hold the newest columns to the bands and to the budget.

        peers: what others of their kind have. per_week: false alarms that each group, or lone series, may have.
        """
        columns = self.expected.shape[1]
        newest = self.values[:, self.values.shape[1] - columns :]
        with np.errstate(over="ignore", invalid="ignore"):  # near the largest float an infinite or no score is the right answer
            score = (np.where(np.isfinite(newest), newest, np.nan) - self.expected) / self.half_width
            lower, upper = self.expected - self.half_width, self.expected + self.half_width
        allowed = per_week * np.maximum(1, self.observations) * step / _WEEK
        side = np.array([metric.side for metric in metrics])[roster.metric_of[self.series]]
        far = _stayed(score[:, -_LASTS:], side) > LEAST_RECORD / np.sqrt(allowed)
        moved = np.zeros_like(far)
        for place in np.flatnonzero(far):
            moved[place] = had_moved(self.values[place], self.expected[place, -1], self.half_width[place, -1])
        together = self._together(grouped, far, moved)
        shares = np.where(together, 1.0, grouped.shares[self.series])
        young = Young(1.0 / np.sqrt(allowed * shares), together, peers)
        return Scores(self.expected, lower, upper, score, self.observations, young=young)

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
