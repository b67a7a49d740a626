"""What is kept of the newest columns so that a tick need not work it out again is what it would work out."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lens_exporter.baseline.baselines import Baselines, Learning, cut
from lens_exporter.baseline.rules import Reading
from lens_exporter.model.metric import BaselineMetric
from tests.unit.baseline.past import Past

STEP = 900.0
DAY = 86_400.0
BEGINS = 1_700_006_400.0
ROWS = 320
KNOWN = 200  # rows after which the engine judges
METRICS = (BaselineMetric("memory", "memory"), BaselineMetric("cpu", "cpu"), BaselineMetric("queue", "queue"))


def past(seed: int) -> Past:
    """Six instances, which are groups, and six lone series: constants, gaps, spikes; some come late, some go for good."""
    rng = np.random.default_rng(seed)
    labels, values = {}, {}
    for metric in METRICS:
        x = rng.uniform(1, 100, (12, 1)) + rng.standard_normal((12, ROWS))
        x[rng.random(x.shape) < 0.01] *= 5
        x[rng.random(x.shape) < 0.03] = np.nan
        x[3] = 7.0
        x[rng.integers(0, 12), : rng.integers(150, 300)] = np.nan
        x[rng.integers(0, 12), rng.integers(100, 180) :] = np.nan
        labels[metric.name] = tuple({"instance": f"api-{i // 2}"} | {"i": str(i)} if i < 6 else {"i": str(i)} for i in range(12))
        values[metric.name] = x
    return Past(BEGINS, STEP, labels, values)


def last_judged(source: Past, ends: list[int]) -> list[Reading]:
    """Learn rows in blocks that end where it says, judge the row after each, and give what is said of the last."""
    baselines = Baselines(METRICS, Learning(STEP, 28 * DAY))
    baselines.begin(baselines.due(BEGINS))
    readings, first = list[Reading](), 0
    for end in ends:
        windows = [source.rows(metric, BEGINS + first * STEP, BEGINS + end * STEP, step=STEP) for metric in METRICS]
        baselines.learn([cut(window, 0, end - first) for window in windows], recently=0.0)
        readings = baselines.read([cut(window, end - first, None) for window in windows])
        for one in readings:
            assert_worked_out(one)
        first = end
    return readings


def assert_worked_out(reading: Reading) -> None:
    """The distance is the value's from what is expected, in half-widths of its side: of every column, to the last bit."""
    scores, values = reading.scores, reading.window.values[:, -reading.scores.score.shape[1] :]
    if scores.learnt is not None:
        with np.errstate(invalid="ignore", divide="ignore"):
            off = values - scores.expected
            width = np.where(off < 0.0, scores.expected - scores.lower, scores.upper - scores.expected)
            np.testing.assert_array_equal(scores.score, off / width)


@given(st.integers(0, 1000), st.lists(st.integers(1, 45), max_size=20))
@settings(max_examples=10, deadline=None)
def test_kept_distances_are_those_of_the_columns_whatever_blocks_they_came_in(seed: int, blocks: list[int]) -> None:
    """Rows one by one or many at a time, series that come, leave or are regrouped: none gets another's distance or an old one."""
    readings = last_judged(past(seed), [KNOWN, *(end for end in (KNOWN + np.cumsum(blocks)).tolist() if end < ROWS - 1)])
    assert any(one.scores.learnt is not None and np.isfinite(one.scores.score).any() for one in readings)
