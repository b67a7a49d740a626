"""Measures over labelled events on examples that can be counted by hand."""

import numpy as np
import pytest

from bench.quality.data import Event, FloatArray, Machine
from bench.quality.machines import average_precision, caught_at, field, hit_rate, quality, quiet, realised


def machine(days: int = 1, *events: Event, metrics: int = 4) -> Machine:
    rows = days * 288
    label = np.zeros(rows, dtype=np.bool_)
    for event in events:
        label[event.start : event.end] = True
    return Machine("hand", 300.0, np.zeros((10, metrics)), np.zeros((rows, metrics)), label, events)


def scores(rows: int, **values: float) -> FloatArray:
    result = np.zeros(rows)
    for row, value in values.items():
        result[int(row[1:])] = value
    return result


def test_average_precision_of_a_hand_example() -> None:
    """Labelled rows at ranks 1, 3 and 4 of 5: (1/1 + 2/3 + 3/4) / 3."""
    label = np.array([True, False, True, True, False])
    assert average_precision(np.array([0.9, 0.8, 0.7, 0.6, 0.1]), label) == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


def test_tied_rows_are_one_threshold() -> None:
    """A constant score has one threshold, at which precision is the share of labelled rows, whatever the order of rows."""
    label = np.array([True, True, False, False, False])
    assert average_precision(np.zeros(5), label) == pytest.approx(0.4)
    assert average_precision(np.zeros(5), label[::-1].copy()) == pytest.approx(0.4)


def test_one_hit_does_not_mark_the_whole_segment() -> None:
    """No point adjustment: one of ten labelled rows found first and the others last is far from 1."""
    label = np.zeros(100, dtype=np.bool_)
    label[50:60] = True
    found = np.ones(100)
    found[51:60] = 0.0
    found[50] = 2.0
    assert average_precision(found, label) < 0.2


def test_half_an_hour_around_an_event_is_neither_right_nor_wrong() -> None:
    """Six rows of five minutes on both sides."""
    rows = quiet(machine(1, Event(100, 110, ())))
    assert np.flatnonzero(~rows).tolist() == list(range(94, 116))


def test_the_threshold_allows_so_many_false_alarm_hours_a_day() -> None:
    """Five hours with peaks 9, 8, 7, 6, 5 on a day: one allowed puts the threshold at the second peak, exceeded only above."""
    one = machine(1, Event(200, 210, ()), Event(260, 264, ()))
    seen = scores(288, r12=9, r24=8, r36=7, r48=6, r60=5, r61=4.9, r205=8.5, r261=7.5)
    caught = caught_at(seen, one, 1.0)
    assert caught.threshold == 8
    assert caught.caught.tolist() == [True, False]
    assert caught.delay[0] == 25.0  # five rows of five minutes
    assert caught_at(seen, one, 2.0).caught.tolist() == [True, True]
    seen[205] = 8.0
    assert not caught_at(seen, one, 1.0).caught.any()


def test_many_rows_of_one_hour_are_one_alarm_hour() -> None:
    """Twelve rows over the threshold in one hour count once, the first row of the next hour again."""
    alarm = np.zeros(288, dtype=np.bool_)
    alarm[12:24] = True
    assert realised(alarm, machine()).hours_per_day == 1.0
    alarm[24] = True
    assert realised(alarm, machine()).hours_per_day == 2.0


def test_a_fifth_of_an_hour_a_day_over_fifteen_days_is_three_hours() -> None:
    """The budget is over the whole test part, so less than one a day is possible."""
    peaks = np.zeros(15 * 288)
    peaks[[0, 300, 600, 900]] = [4.0, 3.0, 2.0, 1.0]
    assert caught_at(peaks, machine(15), 0.2).threshold == 1.0


def test_alarms_inside_and_near_events_are_not_false() -> None:
    """An alarm in the event catches it; one within the half hour before it does neither."""
    event = Event(100, 110, ())
    alarm = np.zeros(288, dtype=np.bool_)
    alarm[95] = True
    assert realised(alarm, machine(1, event)).hours_per_day == 0
    assert not realised(alarm, machine(1, event)).caught.any()
    alarm[109] = True
    seen = realised(alarm, machine(1, event))
    assert seen.caught.all()
    assert seen.delay.tolist() == [45.0]


def test_rates_are_over_all_machine_days_and_recall_over_all_events() -> None:
    """One day with two false hours and a second machine of three days with none: half an hour a day."""
    noisy, calm = machine(1, Event(200, 210, ())), machine(3, Event(10, 20, ()), Event(300, 310, ()))
    alarm = np.zeros(288, dtype=np.bool_)
    alarm[[12, 36, 205]] = True
    seen = field([noisy, calm], [alarm, np.zeros(864, dtype=np.bool_)])
    assert (seen.hours_per_day, seen.per_machine) == (0.5, (2.0, 0.0))
    assert (seen.recall, seen.delay) == (pytest.approx(1 / 3), 25.0)


def test_hit_rate_counts_true_columns_among_as_many_highest() -> None:
    """Two true columns; ranked first and third: half of them among two, both among three."""
    one = machine(1, Event(100, 110, (0, 2)))
    ranked = np.zeros((4, 288))
    ranked[:, 105] = [9, 7, 5, 1]
    assert hit_rate(ranked, one).tolist() == [0.5]
    assert hit_rate(ranked, one, 1.5).tolist() == [1.0]


def test_a_constant_score_gets_the_hit_rate_of_chance() -> None:
    """Two true columns of four, all tied: one of two expected, wherever the true ones stand."""
    for causes in ((0, 1), (2, 3)):
        assert hit_rate(np.zeros((4, 288)), machine(1, Event(100, 110, causes))).tolist() == [0.5]


def test_the_mean_over_machines_and_the_pooled_figure_are_told_apart() -> None:
    """Machines whose scores have other units are perfect each by itself, and not when their rows are pooled."""
    event = Event(100, 110, (1,))
    machines = [machine(1, event), machine(1, event)]
    low, high = np.zeros(288), np.full(288, 5.0)
    low[100:110], high[100:110] = 1.0, 6.0
    seen = quality(machines, [low, high])
    assert seen.ap == pytest.approx(1.0)
    assert seen.ap_pooled < 0.6
    assert (seen.ev1, seen.ev02, seen.delay) == (1.0, 1.0, 0.0)
    assert np.isnan(seen.hr100)
