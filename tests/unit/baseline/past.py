"""A data source in memory whose past does not change: what Prometheus is to a watcher, for many series at once."""

from dataclasses import dataclass, field

import numpy as np

from lens_exporter.model.labels import Labels
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import FloatArray, Window


@dataclass
class Past:
    """values[metric] is [series, time] on a grid of `step` from `begins`; labels[metric] has a label set for each of its series.

    It has nothing of a metric that is not among them.
    """

    begins: float
    step: float
    labels: dict[str, tuple[Labels, ...]]
    values: dict[str, FloatArray]
    block: int = 500  # points of a block
    asked: list[tuple[str, float, float]] = field(default_factory=list)

    def points_per_block(self, _metric: BaselineMetric, _at: float, *, step: float) -> int:
        return self.block

    def rows(self, metric: BaselineMetric, start: float, end: float, *, step: float) -> Window:
        self.asked.append((metric.name, start, end))
        times = np.arange(round(start / step), round(end / step) + 1) * step
        columns = np.rint((times - self.begins) / self.step).astype(np.int64)
        there = self.values.get(metric.name, np.empty((0, 0)))
        known = (columns >= 0) & (columns < there.shape[1])
        values = np.full((there.shape[0], times.size), np.nan)
        values[:, known] = there[:, columns[known]]
        alive = ~np.isnan(values).all(axis=1)
        labels = tuple(one for one, is_alive in zip(self.labels.get(metric.name, ()), alive, strict=True) if is_alive)
        return Window(metric.name, labels, times, values[alive], step)
