"""What a watcher would tell of a series by itself beside news: readings that stay outside its band."""

from dataclasses import replace

import numpy as np

from lens_exporter.baseline.detection.scored import Scored
from lens_exporter.baseline.rules import Thresholds
from lens_exporter.model.window import BoolArray, FloatArray, IntArray


class Lasting:
    """Counts how many rows in a row each series was above its band, and below; a gap neither counts nor ends a run."""

    def __init__(self, series: int, step: float) -> None:
        """Begin with no row; step is the seconds between two."""
        self._above, self._below = np.zeros((2, series), dtype=np.int64)
        self._enough = Thresholds().lasting(step)

    def added(self, scored: Scored, values: FloatArray) -> Scored:
        """Give the scores of rows that follow, values [series, time], with each as an anomaly that is outside for long enough."""
        present = np.isfinite(values)
        above = _running(self._above, values > scored.upper, present)  # a band that is not known is NaN: nothing is outside
        below = _running(self._below, values < scored.lower, present)
        self._above, self._below = above[:, -1], below[:, -1]
        lasting = present & (np.maximum(above, below)[:, 1:] >= self._enough)
        return replace(scored, anomaly=scored.anomaly | lasting)


def _running(carried: IntArray, outside: BoolArray, present: BoolArray) -> IntArray:
    """Give how many rows in a row were outside after each of them [series, time + 1], what was carried [series] first."""
    counted = np.concatenate([carried[:, None], outside], axis=1).cumsum(axis=1)
    ends = np.concatenate([np.zeros((len(carried), 1), dtype=np.bool_), present & ~outside], axis=1)
    running: IntArray = counted - np.maximum.accumulate(np.where(ends, counted, 0), axis=1)
    return running
