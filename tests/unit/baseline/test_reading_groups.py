"""A group's alarm is read once, whichever of its series speaks for it at the moment."""

from dataclasses import replace

import pytest

from lens_exporter.baseline.analyzer import Conclusion
from lens_exporter.model.decision import Healthy, Rule
from lens_exporter.watch.look import Look
from tests.unit.baseline.reading_site import ANOMALY, SERIES, answers, confirms, healthy, reading
from tests.unit.publish.timeline import NOON
from tests.unit.watch.site import MINUTE

GROUP = {"instance": "a"}
GRAVE = replace(ANOMALY, rule=Rule.GROUP, rules=(Rule.GROUP,), group=GROUP, since=NOON)
CPU = replace(
    GRAVE, anomaly_type="cpu_high", target={"instance": "a", "cpu": "7"}, evidence=(SERIES._replace(metric="cpu", at=NOON),)
)


def shows(here, *anomalies, observations=()):
    """Let the next looks conclude this about the two series of the group."""
    found = {one.category: one for one in anomalies}
    conclusions = tuple(
        Conclusion(one.category, one.target, found.get(one.category, Healthy("fine")), calm=0, missing=False)
        for one in (GRAVE, CPU)
    )
    here.watcher.look = lambda at: Look(at, observations, conclusions, None)


def fired(here):
    return [((event.at - NOON) / MINUTE, event.data["labels"]["severity"]) for event in here.line.events.query(kind="alert.fired")]


def test_the_allowance_does_not_begin_anew_when_another_series_speaks():
    """Latency carries it at 12:00, a core from 12:04 on: still asked three times, and told at 12:15."""
    with reading(healthy()) as (here, model):
        shows(here, GRAVE)
        here.every_minute(0, 3)
        shows(here, CPU)
        here.every_minute(4, 16)
        assert len(model.asked) == 3
        assert fired(here) == [(15, "warning")]


def test_two_series_that_speak_at_once_are_one_question():
    """Both are held back by one answer, and both go out."""
    with reading(healthy()) as (here, model):
        shows(here, GRAVE, CPU)
        here.every_minute(0, 4)
        assert len(model.asked) == 1
        assert fired(here) == []
        here.every_minute(5, 15)
        assert {minute for minute, _ in fired(here)} == {15}


def test_a_lowered_group_is_a_warning_in_time_also_when_another_series_speaks_then():
    """Info under one name at 12:00; at 12:15 it is replaced by a warning under the other."""
    with reading(confirms("info")) as (here, model):
        shows(here, GRAVE)
        here.every_minute(0, 9)
        shows(here, CPU)
        here.every_minute(10, 14)
        assert [alert.labels["severity"] for alert in here.firing] == ["info"]
        here.every_minute(15, 16)
        (alert,) = here.firing
        assert (alert.labels["severity"], alert.labels["category"]) == ("warning", "cpu")
        assert len(model.asked) == 1


def test_a_group_that_is_told_about_already_is_not_read():
    """The alert stands under latency; that a core speaks for the group now is no news."""
    with reading(confirms()) as (here, model):
        shows(here, GRAVE)
        here.every_minute(0, 1)
        shows(here, CPU)
        here.every_minute(2, 6)
        assert len(model.asked) == 1
        assert fired(here) == [(0, "warning")]


def test_a_restart_keeps_a_groups_allowance():
    """Held back under one series, restarted, spoken for by the other."""
    with reading(healthy()) as (here, model):
        shows(here, GRAVE)
        here.every_minute(0, 3)
        here.restart()
        shows(here, CPU)
        here.every_minute(4, 16)
        assert (len(model.asked), fired(here)) == (3, [(15, "warning")])


@pytest.mark.parametrize("held", [True, False])
def test_a_series_of_a_held_group_that_reaches_its_ceiling_goes_out(held):
    """It is another anomaly, and one that may not wait; the group's hold ends with it."""
    with reading(answers("healthy", summary="fine", confidence="high")) as (here, _model):
        if held:
            shows(here, GRAVE)
            here.every_minute(0, 3)
        worse = replace(GRAVE, group=None, rule=Rule.CEILING, rules=(Rule.GROUP, Rule.CEILING))
        shows(here, worse, observations=worse.evidence)
        here.at(4)
        assert fired(here) == [(4, "warning")]
        assert [event["reason"] for event in here.events("reading.released")] == (["spent"] if held else [])


@pytest.mark.parametrize("lasts", [True, False])
def test_a_group_beside_an_alert_that_tells_its_own_story_is_read(lasts):
    """Latency stands at its ceiling, or did a moment ago: what a core speaks for from then on is new, and a model may read it."""
    with reading(confirms("info", anomaly_type="cpu_high")) as (here, model):
        worse = replace(GRAVE, group=None, rule=Rule.CEILING, rules=(Rule.CEILING,))
        shows(here, worse, observations=worse.evidence)
        here.every_minute(0, 2)
        assert (fired(here), len(model.asked)) == ([(0, "warning")], 0)
        shows(here, CPU, *([worse] if lasts else []), observations=worse.evidence)
        here.every_minute(3, 4)
        assert (fired(here), len(model.asked)) == ([(0, "warning"), (3, "info")], 1)
