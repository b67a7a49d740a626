"""Readings in a row: what is counted for all series at once is what one counts by hand."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lens_exporter.baseline.rules import LISTED, Reading, Thresholds, judge
from lens_exporter.model.metric import BaselineMetric, Direction
from lens_exporter.model.window import Scores, Window

VALUES = st.sampled_from([0.0, 4.0, 5.0, 6.0, 9.0, math.nan, math.inf, -math.inf])
SERIES = st.integers(1, 5).flatmap(
    lambda columns: st.lists(st.lists(VALUES, min_size=columns, max_size=columns), min_size=20, max_size=LISTED)
)


def reading(metric: BaselineMetric, rows: list[list[float]]) -> Reading:
    """Expect 5 of everything, give or take 2."""
    values = np.array(rows)
    five = np.full(values.shape, 5.0)
    labels = tuple({"i": str(row)} for row in range(len(rows)))
    window = Window(metric.name, labels, np.arange(values.shape[1]) * 60.0, values, 60.0)
    with np.errstate(invalid="ignore"):
        scores = Scores(five, five - 2.0, five + 2.0, (values - five) / 2.0, np.full(len(rows), 99, dtype=np.int64))
    return Reading(metric, window, scores)


def in_a_row(row: list[float], holds: list[bool]) -> int:
    """Count from the end; gaps neither count nor break."""
    count = 0
    for value, mark in zip(reversed(row), reversed(holds), strict=True):
        if math.isfinite(value):
            if not mark:
                break
            count += 1
    return count


@settings(max_examples=100, deadline=None)
@given(SERIES, st.sampled_from(Direction), st.sampled_from([None, 0.0, 4.0, 6.0, 9.0]))
def test_readings_in_a_row_are_those_one_counts_by_hand(
    rows: list[list[float]], direction: Direction, ceiling: float | None
) -> None:
    """Outside the band, beyond the ceiling, or neither: an infinity is a gap, however far beyond the ceiling it seems."""
    metric = BaselineMetric("m", "m", direction=direction, ceiling=ceiling)
    verdicts = {verdict.observation.target["i"]: verdict for verdict in judge(reading(metric, rows), Thresholds()).verdicts}
    for index, row in enumerate(rows):
        if not np.isfinite(row).any():
            assert str(index) not in verdicts
            continue
        above = [value > 7.0 and direction is not Direction.DOWN for value in row]
        below = [value < 3.0 and direction is not Direction.UP for value in row]
        over = [ceiling is not None and (value <= ceiling if direction is Direction.DOWN else value >= ceiling) for value in row]
        calm = [not (one or other or far) for one, other, far in zip(above, below, over, strict=True)]
        verdict = verdicts[str(index)]
        assert verdict.outside == (in_a_row(row, above) or in_a_row(row, below))
        assert (verdict.beyond, verdict.calm) == (in_a_row(row, over), in_a_row(row, calm))
