"""Metrics by themselves: which rows are theirs, and who ranks them."""

import numpy as np
import pytest

from bench.quality.alone import alone, alone_differences, alone_table, carrying
from bench.quality.bootstrap import Resamples
from bench.quality.data import Event, Machine


@pytest.fixture(scope="module")
def machine():
    """Three metrics for 40 rows: an event of the first, one of the first and the second, none of the third."""
    events = (Event(10, 12, (0,)), Event(20, 24, (0, 1)))
    label = np.zeros(40, dtype=np.bool_)
    for event in events:
        label[event.start : event.end] = True
    return Machine("hand", 60.0, np.zeros((0, 3)), np.zeros((40, 3)), label, events)


def test_a_row_is_of_the_metrics_that_carry_its_event(machine):
    """Not of all that the machine has."""
    assert [np.flatnonzero(rows).tolist() for rows in carrying(machine)] == [[10, 11, 20, 21, 22, 23], [20, 21, 22, 23], []]


def test_a_metric_is_judged_by_its_own_rows(machine):
    """The first ranks its six rows first; the second puts as many others before its four; the third has nothing to find."""
    scores = carrying(machine).astype(np.float64)
    scores[1, :4] = 2.0
    scores[2] = np.arange(40.0)
    found = alone("ours", [machine], [scores])
    assert found.ap[0].tolist() == [1.0, pytest.approx(0.5)]
    assert found.pooled == pytest.approx(10 / 14)
    assert "| ours | 0.750 | 0.714 |" in alone_table([found])
    assert alone_table([found]).startswith("| 2 metrics that carry an event, each by itself |")


def test_who_ranks_better_is_said_with_an_interval(machine):
    """A score that finds nothing is beaten, one's own is not."""
    best = alone("best", [machine], [carrying(machine).astype(np.float64)])
    nothing = alone("nothing", [machine], [np.zeros((3, 40))])
    said = alone_differences(best, [nothing, best], Resamples(resamples=50))
    assert "| nothing | **+0.8" in said
    assert "Not beaten: best" in said
