"""How far out an anomaly is said to be, which decides whether it may wait."""

import numpy as np
import pytest

from lens_exporter.baseline.analyzer import Analyzer
from lens_exporter.baseline.rules import Reading
from lens_exporter.model.decision import Anomaly, Rule
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import Learnt, Scores
from tests.unit.baseline.windows import window

GROUP = {"instance": "api-0:9000"}


def concluded(score, group_score):
    """One series at `score` in its band, whose group has stood at `group_score` of a threshold of 2 for three readings."""
    history = window([0.42] * 30)
    flat = np.full((1, 30), 0.42)
    scores = Scores(flat, flat - 0.1, flat + 0.1, np.full((1, 30), score), np.array([5000]))
    learnt = Learnt(
        missed=np.zeros(1, np.int64),
        grouped=np.array([True]),
        alarmed=np.array([3]),
        leads=np.array([True]),
        place=np.array([0]),
        novel=np.zeros((1, 30), dtype=np.bool_),
        unusual=np.zeros((1, 30), dtype=np.bool_),
        sustained=np.zeros((1, 30), dtype=np.int8),
        highest=np.array([0.5]),
        lowest=np.array([0.3]),
        above=np.full((1, 7), np.nan),
        below=np.full((1, 7), np.nan),
        otherwise=np.zeros(1),
        group_about=np.full((1, 7), np.nan),
        group_score=np.array([group_score]),
        group_threshold=np.array([2.0]),
        group=np.array([0]),
        group_labels=(GROUP,),
    )
    metric = BaselineMetric("memory_utilization", "memory")
    scores = Scores(scores.expected, scores.lower, scores.upper, scores.score, scores.observations, learnt)
    (conclusion,) = Analyzer().decide([Reading(metric, history, scores)]).conclusions
    return conclusion.decision


@pytest.mark.parametrize(("score", "group_score", "furthest"), [(0.5, 3.0, 1.5), (0.5, 8.0, 4.0), (-2.5, 3.0, 2.5)])
def test_a_group_is_as_far_out_as_its_score_is_times_its_threshold(score, group_score, furthest):
    """Each of its series may lie inside its band: the group's own distance counts, or that of the series, whichever is more."""
    anomaly = concluded(score, group_score)
    assert isinstance(anomaly, Anomaly)
    assert (anomaly.rules, anomaly.group) == ((Rule.GROUP,), GROUP)
    assert anomaly.furthest == pytest.approx(furthest)
