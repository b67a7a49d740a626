"""Events of servers that are not known for a day: which are taken, and what is counted of them."""

import numpy as np
import pytest

from bench.quality.data import Event, Machine
from bench.quality.young import alarms, cases, seen, young_table

STEP, HOUR = 300.0, 12  # seconds, rows


@pytest.fixture(scope="module")
def machine():
    """Six metrics for two days; all go to a hundred times their spread for an hour at 20:00, and another event follows an hour later."""
    rng = np.random.default_rng(1)
    test = 10.0 + rng.standard_normal((48 * HOUR, 6))
    events = (Event(20 * HOUR, 21 * HOUR, ()), Event(22 * HOUR, 23 * HOUR, ()))
    label = np.zeros(len(test), dtype=np.bool_)
    for event in events:
        test[event.start : event.end] += 100.0
        label[event.start : event.end] = True
    return Machine("one", STEP, np.zeros((0, 6)), test, label, events)


def test_an_event_is_taken_where_nothing_came_before_it(machine):
    """The second is an hour after the first: it is one of a machine known for an hour, and of no longer."""
    assert cases(machine, 1.0) == list(machine.events)
    assert cases(machine, 20.0) == [machine.events[0]]
    assert cases(machine, 21.0) == []


def test_an_event_is_counted_as_it_is_told(machine):
    """Six metrics leap: an alert of each, at the second reading at the earliest, and none in the hours before."""
    found = seen(machine, machine.events[0], 6.0)
    assert (found.told, found.before) == (6, 0)
    assert STEP <= found.delay <= 4 * STEP
    assert "| 6 h | 1 | 1.00 |" in young_table([found])


def test_alerts_before_an_event_are_false(machine):
    """What was taken for a quiet time holds an incident that nobody labelled: one alarm, with an alert of each metric."""
    event = Event(machine.events[0].start + 4 * HOUR, machine.events[0].start + 5 * HOUR, ())
    found = seen(machine, event, 10.0)
    assert (found.before, found.alerts_before) == (1, 6)
    assert found.told == 0
    assert found.delay is None
    assert "| 10 h | 1 | 0.00 | - |" in young_table([found])


def test_an_alarm_ends_half_an_hour_after_it_began():
    """Alerts that follow each other for hours are several."""
    assert alarms([]) == 0
    assert alarms([0.0, 60.0, 1800.0]) == 1
    assert alarms([0.0, 1500.0, 3000.0, 4500.0]) == 2
