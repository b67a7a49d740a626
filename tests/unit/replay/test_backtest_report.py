"""Would-be alerts beside the budget, the user's rules, silences and incidents."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_exporter.model.silence import Silence
from lens_exporter.model.window import Window
from lens_exporter.replay.backtest.matchers import matchers_of
from lens_exporter.replay.backtest.overlap import MARGIN, same_thing
from lens_exporter.replay.backtest.theirs import RuleAlert, Theirs, rule_alerts
from tests.unit.replay.backtests import API, DB, HOUR, at, fired, incident, reported, rule_alert

NODE = {"instance": "api-7:9100", "job": "node"}


def silence(begin, end, matchers, identity="s1"):
    return Silence(identity, matchers_of(matchers), at(begin), at(end))


def test_alerts_a_week_are_told_in_all_and_for_each_group():
    """Over one week three alerts are three a week; each group, also a silent one, has the budget for itself."""
    found = reported(fired(10, 11), fired(20, 21), fired(30, 31, DB))
    assert (found.per_week(len(found.alerts)), found.allowed) == (3.0, pytest.approx(2.8))
    assert [(one.labels, one.alerts) for one in found.groups] == [(API, 2), (DB, 1)]
    silent = reported(fired(10, 11))
    assert [(one.labels, one.alerts) for one in silent.groups] == [(API, 1), (DB, 0)]


def test_a_span_of_half_a_week_doubles_the_rate():
    """Two alerts in half a week are four a week."""
    found = reported(fired(10, 11), fired(20, 21))
    asked = dataclasses.replace(found.asked, span=dataclasses.replace(found.asked.span, end=at(84)))
    assert dataclasses.replace(found, asked=asked).per_week(2) == 4.0


def test_a_full_disk_is_no_false_alarm():
    """What a ceiling or a forecast says does not count against the budget; what departs from normal does."""
    rules = ("group", "consecutive", "jump", "sustained", "ceiling", "exhaustion")
    found = reported(*(fired(10 + place, 10.5 + place, rule=rule) for place, rule in enumerate(rules)))
    assert [one.budgeted for one in found.alerts] == [True, True, True, True, False, False]
    assert (found.groups[0].alerts, found.groups[0].budgeted) == (6, 4)


def test_series_that_no_label_groups_have_a_budget_each():
    """Two metrics without any label are two groups, each told with its metric."""
    bare = (("latency", {}), ("errors", {}))
    found = reported(fired(10, 11, {}, metric="errors"), series=bare)
    assert [(one.metric, one.labels, one.alerts) for one in found.groups] == [("errors", {}, 1), ("latency", {}, 0)]


@pytest.mark.parametrize(
    ("begin", "end", "meets"),
    [(10.5, 10.75, True), (9.0, 12.0, True), (11.0 + MARGIN / HOUR, 12.0, True), (11.1, 12.0, False), (8.0, 9.9, False)],
)
def test_an_alert_coincides_with_a_rule_in_its_time(begin, end, meets):
    """It overlaps, or misses by no more than five minutes."""
    found = reported(fired(10, 11), theirs=Theirs(alerts=(rule_alert(begin, end),)))
    assert found.alerts[0].rule_alerts == ((0,) if meets else ())
    assert len(found.alone) == (0 if meets else 1)


@pytest.mark.parametrize(
    ("about", "meets"),
    [
        (API, True),
        ({"instance": "api-7:9000"}, True),
        ({"instance": "api-7:9000", "device": "sda"}, True),
        (NODE, False),
        (DB, False),
        ({}, False),
    ],
)
def test_an_alert_coincides_with_a_rule_about_the_same_thing(about, meets):
    """Labels that both have agree, and there are some; who says nothing about where is about nothing of ours."""
    found = reported(fired(10, 11), theirs=Theirs(alerts=(rule_alert(10, 11, about),)))
    assert bool(found.alerts[0].rule_alerts) is meets


def test_a_common_cluster_makes_no_two_things_one():
    """A label that everything has is not enough, and one that differs is too much."""
    assert not same_thing({"cluster": "eu", "instance": "a"}, {"cluster": "eu", "alertgroup": "x"})
    assert same_thing({"cluster": "eu", "pod": "a"}, {"cluster": "eu", "pod": "a"})
    assert not same_thing({"cluster": "eu", "pod": "a"}, {"cluster": "us", "pod": "a"})


def test_severity_and_name_of_a_rule_do_not_count_as_its_target():
    """A rule of severity page does not miss an alert of severity warning for that."""
    assert rule_alert(1, 2).about == API


def test_a_silence_counts_when_it_holds_while_the_alert_fires():
    """Its matchers meet the labels as posted; before and after it there is no silence, and matchers all have to match."""
    mine = silence(10.5, 12, 'instance=~"api-.*",alertname="LensLatency"')
    others = (silence(10, 12, "instance=db-1:9100", "s2"), silence(12, 13, "job=api", "s3"))
    found = reported(fired(10, 11), fired(14, 15), theirs=Theirs(silences=(mine, *others), alertmanagers=1))
    assert [one.silences for one in found.alerts] == [(0,), ()]
    assert len(found.silenced) == 1


def test_an_alert_that_still_fires_lasts_to_the_end_of_the_span():
    """Its overlaps and its duration go to the end of what was replayed, and no further."""
    found = reported(fired(160, None), theirs=Theirs(silences=(silence(167, 170, "job=api"),), alertmanagers=1))
    assert found.alerts[0].silences == (0,)
    assert found.alerts[0].alert.seconds(found.asked.span.end) == 8 * HOUR


def test_incidents_are_caught_or_missed_and_alerts_outside_are_false():
    """The delay runs from the start of the incident to the first alert about it; the median is of those that were caught."""
    incidents = (incident(10, 12, "slow"), incident(30, 31, "missed"), incident(50, 52), incident(-9, -8, "before"))
    found = reported(fired(10.5, 11), fired(10.75, 11.5), fired(50.25, 51), fired(80, 81), incidents=incidents)
    assert [(one.by, one.delay) for one in found.detections] == [(0, 0.5 * HOUR), (None, 0.0), (2, 0.25 * HOUR)]
    assert found.median_delay == 0.375 * HOUR
    assert [one.alert.began for one in found.false_alarms] == [at(80)]
    assert [one.name for one in found.elsewhere] == ["before"]


def test_an_incident_with_matchers_is_caught_by_what_they_match():
    """An alert about another machine at the same time is none about it."""
    incidents = (incident(10, 12, matchers="instance=db-1:9100"),)
    found = reported(fired(10.5, 11), incidents=incidents)
    assert found.detections[0].by is None
    assert len(found.false_alarms) == 1
    assert reported(fired(10.5, 11, DB), incidents=incidents).detections[0].by == 0


def test_an_alert_that_fired_already_has_no_delay():
    """People write down starts late: up to five minutes before is in time; what was over by then is not about it."""
    early = reported(fired(9.9, 11), incidents=(incident(10, 12),))
    assert (early.detections[0].by, early.detections[0].delay) == (0, 0.0)
    over = reported(fired(8, 9.9), incidents=(incident(10, 12),))
    assert over.detections[0].by is None


def test_an_alert_after_the_end_is_late_and_no_false_alarm():
    """Within five minutes after the end it belongs to the incident, and did not catch it."""
    found = reported(fired(12 + MARGIN / HOUR, 13), incidents=(incident(10, 12),))
    assert (found.detections[0].by, found.false_alarms) == (None, ())


def test_nobody_named_incidents_is_not_no_incidents():
    """Without a file nothing is false; with an empty one every alert is."""
    assert reported(fired(10, 11)).false_alarms == ()
    assert reported(fired(10, 11)).detections is None
    assert len(reported(fired(10, 11), incidents=()).false_alarms) == 1


def window(rows):
    values = np.array(rows, dtype=float)
    labels = tuple({"alertname": f"A{row}"} for row in range(len(rows)))
    return Window("ALERTS", labels, 60.0 * np.arange(values.shape[1]), values, 60.0)


def test_each_unbroken_run_of_alerts_is_one():
    """A gap ends an alert; those of all series stand in the order in which they began."""
    nan = np.nan
    found = rule_alerts(window([[nan, 1, 1, nan, 1], [1, nan, nan, nan, nan]]))
    assert [(one.name, one.began, one.ended) for one in found] == [("A1", 0, 0), ("A0", 60, 120), ("A0", 240, 240)]


@given(st.lists(st.lists(st.booleans(), min_size=8, max_size=8), min_size=1, max_size=3))
def test_runs_cover_exactly_what_fired(firing):
    """Whatever fires when: the runs of a series hold its firing readings, no other, and never touch."""
    found = rule_alerts(window([[1.0 if one else np.nan for one in row] for row in firing]))
    for row, expected in enumerate(firing):
        runs = [one for one in found if one.name == f"A{row}"]
        covered = [any(run.began <= 60.0 * column <= run.ended for run in runs) for column in range(8)]
        assert covered == expected
        assert all(later.began - earlier.ended >= 120.0 for earlier, later in pairwise(runs))


@given(st.floats(0, 100), st.floats(0, 10), st.floats(0, 100), st.floats(0, 10))
def test_coinciding_does_not_depend_on_who_is_asked(begin, length, other, other_length):
    """Ours meets theirs exactly when theirs, taken as ours, meets ours."""
    one = reported(fired(begin, begin + length), theirs=Theirs(alerts=(rule_alert(other, other + other_length),)))
    two = reported(fired(other, other + other_length), theirs=Theirs(alerts=(rule_alert(begin, begin + length),)))
    assert bool(one.alerts[0].rule_alerts) == bool(two.alerts[0].rule_alerts)


def test_a_rule_without_labels_is_about_nothing():
    """A rule over a sum has no labels of its own; nobody can tell what it is about."""
    assert RuleAlert({"alertname": "Down", "alertstate": "firing"}, 0.0, 1.0).about == {}
