"""How many of the newest readings in a row are outside the band or beyond the ceiling, for all series of a metric at once."""

from dataclasses import dataclass

import numpy as np

from lens_exporter.model.metric import BaselineMetric, Direction
from lens_exporter.model.window import BoolArray, FloatArray, IntArray, Scores


@dataclass(frozen=True, slots=True)
class Runs:
    """How many of the last readings in a row hold, and the column of the first of them; gaps neither count nor break."""

    length: IntArray
    first: IntArray

    def placed(self, rows: IntArray, count: int) -> "Runs":
        """Give the runs of so many series, of which these are the runs of some rows and the others have none."""
        length, first = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
        length[rows], first[rows] = self.length, self.first
        return Runs(length, first)


def runs_of(
    metric: BaselineMetric, values: FloatArray, present: BoolArray, counted: IntArray, scores: Scores
) -> tuple[Runs, Runs, Runs, IntArray]:
    """Count readings above the band, below it, beyond the ceiling, and [series] those that are none of it.

    counted [series] are the readings there are: most series have only calm ones, and are not looked at one by one.
    """
    stirs = np.flatnonzero(_may_stir(metric, values, scores))
    above, below = _outside(metric, values, scores, stirs)
    mine = present[stirs]
    over = _beyond(metric, values[stirs])
    calm = counted.copy()
    calm[stirs] = _trailing(mine & ~above & ~below & ~over, mine).length
    up, down, high = (_trailing(mask, mine).placed(stirs, len(values)) for mask in (above, below, over))
    return up, down, high, calm


def _may_stir(metric: BaselineMetric, values: FloatArray, scores: Scores) -> BoolArray:
    """Pick the series that went beyond the band or the ceiling in any reading, by the furthest of each; gaps may be among them."""
    score = scores.score[:, -values.shape[1] :]
    with np.errstate(invalid="ignore"):
        stir: BoolArray = (np.fmax.reduce(score, axis=1) > 1.0) | (np.fmin.reduce(score, axis=1) < -1.0)
        if metric.ceiling is not None:
            furthest = np.fmin if metric.direction is Direction.DOWN else np.fmax
            stir |= _beyond(metric, furthest.reduce(values, axis=1))
    return stir


def _outside(metric: BaselineMetric, values: FloatArray, scores: Scores, rows: IntArray) -> tuple[BoolArray, BoolArray]:
    """Mark readings of some rows above and below the band that are worth telling: on the metric's side, far enough in its unit."""
    width = values.shape[1]
    values, expected, score = (array[rows] for array in (values, scores.expected[:, -width:], scores.score[:, -width:]))
    with np.errstate(invalid="ignore", over="ignore"):
        departure = np.abs(values - expected)
        least = np.maximum(metric.min_change, metric.min_change_ratio * np.abs(expected))
        far = np.isfinite(values) & (departure >= least)
        above, below = far & (score > 1.0), far & (score < -1.0)
    nothing = np.zeros_like(far)
    return (nothing if metric.direction is Direction.DOWN else above), (nothing if metric.direction is Direction.UP else below)


def _beyond(metric: BaselineMetric, values: FloatArray) -> BoolArray:
    if metric.ceiling is None:
        return np.zeros(values.shape, dtype=np.bool_)
    with np.errstate(invalid="ignore"):
        beyond: BoolArray = values <= metric.ceiling if metric.direction is Direction.DOWN else values >= metric.ceiling
    return beyond


def _trailing(holds: BoolArray, present: BoolArray) -> Runs:
    columns = np.arange(holds.shape[1])
    broken = np.where(present & ~holds, columns, -1).max(axis=1, initial=-1)
    counts = present & (columns > broken[:, None])
    return Runs(counts.sum(axis=1), counts.argmax(axis=1))
