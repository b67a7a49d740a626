"""The newest columns of everything that is watched: what rules about readings in a row look at."""

from dataclasses import dataclass, fields

import numpy as np

from lens_exporter.baseline.detection.regroup import picked
from lens_exporter.baseline.detection.scored import Scored
from lens_exporter.baseline.detector import TAIL
from lens_exporter.model.window import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Values with their scores. Arrays are [time, series]; group_score, group_threshold and alarmed are [time, groups]."""

    times: FloatArray  # [time]
    values: FloatArray
    expected: FloatArray
    lower: FloatArray
    upper: FloatArray
    score: FloatArray  # each series' share in its group's score, or its own surprise
    novel: BoolArray
    group_score: FloatArray
    group_threshold: FloatArray
    alarmed: BoolArray

    def followed_by(self, later: "Columns") -> "Columns":
        """Give the last `TAIL` columns of both."""
        return Columns(
            *(np.concatenate([getattr(self, one.name), getattr(later, one.name)])[-TAIL:] for one in fields(Columns)),
        )

    def take(self, kept: IntArray, groups_kept: IntArray) -> "Columns":
        """Give these series and groups; -1 is a new one."""
        values, expected, lower, upper = (
            picked(one, kept, new=np.nan) for one in (self.values, self.expected, self.lower, self.upper)
        )
        score, novel = picked(self.score, kept, new=0.0), picked(self.novel, kept, new=False)
        group_score = picked(self.group_score, groups_kept, new=np.nan)
        threshold = picked(self.group_threshold, groups_kept, new=np.inf)
        alarmed = picked(self.alarmed, groups_kept, new=False)
        return Columns(self.times, values, expected, lower, upper, score, novel, group_score, threshold, alarmed)


def nothing(series: int, groups: int) -> Columns:
    """Give no columns at all."""
    own, ours = np.zeros((0, series)), np.zeros((0, groups))
    no, none = own.astype(np.bool_), ours.astype(np.bool_)
    return Columns(np.zeros(0), own, own, own, own, own, no, ours, ours, none)


def columns(times: FloatArray, values: FloatArray, scored: Scored) -> Columns:
    """Turn a block's values [series, time] and scores into its last `TAIL` columns."""
    last = slice(-TAIL, None)
    return Columns(
        times[last],
        values[:, last].T,
        scored.expected[:, last].T,
        scored.lower[:, last].T,
        scored.upper[:, last].T,
        scored.score[:, last].T,
        scored.novel[:, last].T,
        scored.groups.score[:, last].T,
        scored.groups.threshold[:, last].T,
        scored.groups.anomaly[:, last].T,
    )
