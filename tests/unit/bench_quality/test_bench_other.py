"""Machines at another step, or by fewer metrics: what is labelled stays where it was."""

import dataclasses

import numpy as np
import pytest

from bench.quality.data import Event, Machine
from bench.quality.other import coarser, fewer


@pytest.fixture(scope="module")
def machine():
    """Three metrics in a train part of 7 and a test part of 20 rows, with events in rows 3 to 4, 6 and 13 to 19."""
    label = np.zeros(20, dtype=np.bool_)
    label[[3, 4, 6]] = label[13:20] = True
    events = (Event(3, 5, (0,)), Event(6, 7, (1, 2)), Event(13, 20, (2,)))
    return Machine("hand", 60.0, np.arange(21.0).reshape(7, 3), np.arange(60.0).reshape(20, 3), label, events)


def test_rows_become_means_and_what_is_labelled_in_part_is_labelled(machine):
    """Of 20 rows three by three the last two are left out, of train the first; events that touch are one."""
    found = coarser(machine, 3)
    assert found.step == 180.0
    assert found.test[:, 0].tolist() == [3.0, 12.0, 21.0, 30.0, 39.0, 48.0]
    assert found.train[:, 2].tolist() == [8.0, 17.0]
    assert np.flatnonzero(found.label).tolist() == [1, 2, 4, 5]
    assert found.events == (Event(1, 3, (0, 1, 2)), Event(4, 6, (2,)))


def test_an_event_in_rows_that_are_cut_is_none(machine):
    """Seven by seven leaves 14 rows: the last event has its first row in them, and by thirteen none. It carries a cause of its own."""
    last = dataclasses.replace(machine, events=(*machine.events[:1], Event(13, 20, (2,))))
    assert coarser(last, 7).events == (Event(0, 2, (0, 2)),)
    assert coarser(last, 13).events == (Event(0, 1, (0,)),)


def test_causes_follow_the_metrics_that_are_left(machine):
    """Whatever was drawn, a cause is the same course as before, and an event without one stays."""
    found = fewer(machine, 2, seed=1)
    assert found.test.shape == (20, 2)
    assert [(event.start, event.end) for event in found.events] == [(3, 5), (6, 7), (13, 20)]
    for now, before in zip(found.events, machine.events, strict=True):
        courses = {tuple(found.test[:, cause]) for cause in now.causes}
        assert courses == {tuple(machine.test[:, cause]) for cause in before.causes} & {tuple(course) for course in found.test.T}
    assert fewer(machine, 2, seed=1).test.tolist() == found.test.tolist()
