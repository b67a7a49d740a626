"""What a declaration leaves of the actions of a look, decided from values."""

import pytest

from lens_exporter.baseline.expected import Declared
from lens_exporter.model.decision import Anomaly, Rule, Severity
from lens_exporter.watch.alerting import alert_of
from lens_exporter.watch.hysteresis import Begin, Escalate, Over, OverReason, Rest, Update
from lens_exporter.watch.ports import Watched
from lens_exporter.watch.withheld import Withhold, withheld
from tests.unit.watch.declaring import declared

WATCHED = Watched("api", ())
HERE, THERE = {"instance": "api-7:9000", "job": "api"}, {"instance": "api-8:9000", "job": "api"}


class Open:
    """An open alert as the lifecycle stores it."""

    def __init__(self, anomaly, story="01JD"):
        self.alert = alert_of(anomaly, WATCHED, correlation=story)
        self.correlation = story


def anomaly(kind="memory_high", severity=Severity.WARNING, target=HERE, group=None):
    return Anomaly(kind, severity, "s", "d", "q", target, Rule.GROUP if group else Rule.CEILING, 0.0, (), group=group)


def left(actions, opened=(), anomalies=(), *, running=(), groups=None):
    return withheld(actions, opened, anomalies, Declared(tuple(running), groups or {}), WATCHED)


SAID = declared(alertname="LensMemory", instance="api-7:9000")
WHOLE = {frozenset(HERE.items()): SAID}
WARNING, CRITICAL, INFO = (anomaly(severity=one) for one in (Severity.WARNING, Severity.CRITICAL, Severity.INFO))


def test_without_declarations_everything_is_as_it_was():
    """The actions come back as they are."""
    actions = [Begin(WARNING), Update(Open(WARNING), WARNING)]
    assert left(actions, [actions[1].open], [WARNING]) == actions


@pytest.mark.parametrize(
    ("action", "becomes"),
    [
        (Begin(WARNING), [Withhold]),
        (Begin(INFO), [Withhold]),
        (Begin(CRITICAL), [Begin]),
        (Begin(anomaly(target=THERE)), [Begin]),
        (Begin(anomaly("cpu_high")), [Begin]),
        (Update(Open(WARNING), WARNING), [Over, Withhold]),
        (Update(Open(CRITICAL), WARNING), [Update]),
        (Escalate(Open(WARNING), CRITICAL), [Escalate]),
        (Escalate(Open(INFO), WARNING), [Over, Withhold]),
        (Over(Open(WARNING), OverReason.NORMAL), [Over]),
    ],
)
def test_nothing_below_critical_begins_or_goes_on(action, becomes):
    """Of an alert that is declared: not begun, ended with its story; critical ones and others stay."""
    opened = [action.open] if hasattr(action, "open") else []
    done = left([action], opened, [getattr(action, "anomaly", WARNING)] if not isinstance(action, Over) else [], running=[SAID])
    assert [type(one) for one in done] == becomes
    if becomes == [Over, Withhold]:
        assert done[0].reason is OverReason.EXPECTED
        assert done[1].story == "01JD"
    if becomes == [Over]:
        assert done[0].reason is OverReason.NORMAL


def test_an_alert_that_waits_for_a_longer_calm_ends_with_what_is_declared_of_it():
    """What it says of its calm is written and then it is over: nobody has to wait for an hour."""
    waits = Open(WARNING)
    done = left([Rest(waits, "calm since 12:30 UTC", "It came back.")], [waits], [], running=[SAID])
    assert [type(one) for one in done] == [Rest, Over]
    assert done[1].reason is OverReason.EXPECTED


def test_an_alarm_that_speaks_for_a_declared_group_is_kept_back_whoever_carries_it():
    """The silence names LensMemory; LensCpu leads the alarm of the same group, and another group's alarm is told."""
    mine, other = anomaly("cpu_high", group=HERE), anomaly("cpu_high", target=THERE, group=THERE)
    done = left([Begin(mine), Begin(other)], (), [mine, other], running=[SAID], groups=WHOLE)
    assert done == [Withhold(mine, SAID), Begin(other)]


def test_an_alert_of_the_group_under_which_the_alarm_went_on_ends_with_it():
    """LensLatency began it, LensCpu leads now: the open alert ends, and the story goes on as the withheld one's."""
    began, leads = Open(anomaly("latency_high", group=HERE), "story"), anomaly("cpu_high", group=HERE)
    done = left([], [began], [leads], running=[SAID], groups=WHOLE)
    assert done[0] == Withhold(leads, SAID, "story")
    assert (type(done[1]), done[1].open, done[1].reason) == (Over, began, OverReason.EXPECTED)
    assert done[1].because == 'alice has declared it to be expected: "expected: load test"'
    critical = Open(anomaly("latency_high", Severity.CRITICAL, group=HERE))
    assert left([], [critical], [leads], running=[SAID], groups=WHOLE) == []


def test_who_and_why_may_be_missing():
    """Nobody's name and no reason still make a sentence."""
    nobody = declared(**HERE, by="", comment="")
    over, _ = left([Update(Open(WARNING), WARNING)], (), [WARNING], running=[nobody])
    assert over.because == "somebody has declared it to be expected"
