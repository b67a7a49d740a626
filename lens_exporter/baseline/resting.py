"""Series that are as they always are: of each the figures can be read, and there is nothing to conclude about it."""

import math
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from lens_exporter.baseline.naming import NAMES, related
from lens_exporter.model.decision import Observation, Phase
from lens_exporter.model.labels import Labels
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import FloatArray, IntArray, Scores, Window


@dataclass(frozen=True, slots=True, eq=False)
class Resting:
    """Series of one metric that have a value now, inside the band and below the ceiling, for as long as one looks back."""

    metric: BaselineMetric
    window: Window
    scores: Scores
    rows: IntArray  # of the window
    minimum: int  # observations; a series with fewer is still collecting
    _by_name: dict[str, dict[str, list[int]]] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.rows.size)

    @property
    def collecting(self) -> int:
        """How many of them are not known for long enough to be called healthy."""
        return int((self.scores.observations[self.rows] < self.minimum).sum())

    def first(self, most: int) -> list[Observation]:
        """Observe the first so many: always the same ones, so that what is published of them has no gaps."""
        return self.observe(self.rows[:most])

    def near(self, target: Labels) -> list[Observation]:
        """Observe those of the same thing as a target: of its instance, or pod, or whatever names it."""
        name = next((name for name in NAMES if target.get(name)), None)
        if name is None:
            return []
        if name not in self._by_name:
            rows = self._by_name[name] = defaultdict(list)
            for row in self.rows.tolist():
                rows[self.window.labels[row].get(name, "")].append(row)
        alike = self._by_name[name].get(target[name], [])
        return self.observe(np.array([row for row in alike if related(self.window.labels[row], target)], dtype=np.int64))

    def observe(self, rows: IntArray) -> list[Observation]:
        """Observe these rows. Columns become numbers of Python as a whole: one by one takes ten times as long."""
        metric, window, scores = self.metric, self.window, self.scores
        if not rows.size:
            return []
        at = float(window.times[-1])
        columns = zip(
            (window.labels[row] for row in rows.tolist()),
            window.values[rows, -1].tolist(),
            _known(scores.expected[rows, -1]),
            _known(scores.lower[rows, -1]),
            _known(scores.upper[rows, -1]),
            [None if math.isnan(score) else score for score in scores.score[rows, -1].tolist()],
            [Phase.COLLECTING if few else Phase.NORMAL for few in (scores.observations[rows] < self.minimum).tolist()],
            strict=True,
        )
        return [
            Observation(metric.name, metric.unit, target, at, value, expected, lower, upper, score, phase)
            for target, value, expected, lower, upper, score, phase in columns
        ]


def _known(values: FloatArray) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values.tolist()]
