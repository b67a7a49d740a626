"""What becomes of open alerts, decided from values."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from lens_exporter.baseline.analyzer import Conclusion
from lens_exporter.baseline.underway import Underway
from lens_exporter.model.alert import Alert
from lens_exporter.model.decision import Anomaly, Decision, Departure, Healthy, Rule, Severity
from lens_exporter.watch.alerting import alert_of, key_of
from lens_exporter.watch.hysteresis import Action, Begin, Memory, Over, OverReason, Update, plan, underway
from lens_exporter.watch.ports import Watched

NOON = 1_795_176_000.0
WATCHED = Watched("python", ())
TARGET = {"instance": "a:1"}
ANOMALY = Anomaly("memory_high", Severity.WARNING, "", "", "", TARGET, Rule.EXHAUSTION, NOON, ())


class Open:
    correlation = "01JD"

    def __init__(self, alert: Alert) -> None:
        self.alert = alert


OPEN = Open(alert_of(ANOMALY, WATCHED, correlation="01JD"))
KEY = key_of(OPEN.alert)


def conclusion(decision: Decision, calm: int = 30, *, missing: bool = False) -> Conclusion:
    return Conclusion("memory", TARGET, decision, calm, missing=missing)


def after(memory: Memory, minute: float, decision: Decision, calm: int = 30) -> tuple[list[Action], Memory]:
    return plan([OPEN], [conclusion(decision, calm)], memory, NOON + 60 * minute, WATCHED)


def test_an_anomaly_without_an_open_alert_begins_and_with_one_updates() -> None:
    """One of the two, never both."""
    assert plan([], [conclusion(ANOMALY)], Memory(), NOON, WATCHED)[0] == [Begin(ANOMALY)]
    assert plan([OPEN], [conclusion(ANOMALY)], Memory(), NOON, WATCHED)[0] == [Update(OPEN, ANOMALY)]


def test_a_trend_that_is_unclear_for_two_readings_does_not_end_its_alert() -> None:
    """A trend inside the band has thirty calm readings behind it; the end still takes three since the last anomaly."""
    _, memory = after(Memory(), 0, ANOMALY)
    for minute, actions in ((1, []), (2, []), (3, [Over(OPEN, OverReason.NORMAL)])):
        found, memory = after(memory, minute, Healthy("fine"))
        assert found == actions, minute


@pytest.mark.parametrize("group", [None, {"instance": "a:1"}])
def test_one_quiet_reading_after_a_restart_ends_nothing(group: dict[str, str] | None) -> None:
    """What half an hour or a group told may be inside its band all the time: here, too, the end takes three looks without it."""
    memory = Memory()
    for minute, actions in ((0, []), (1, []), (2, [Over(OPEN, OverReason.NORMAL)])):
        found, memory = after(memory, minute, Healthy("fine"))
        assert found == actions, minute
    going_on = replace(ANOMALY, group=group)
    memory = Memory()
    for minute, decision in enumerate((Healthy("fine"), going_on, Healthy("fine"), Healthy("fine"), going_on)):
        found, memory = after(memory, minute, decision)
        assert found == ([Update(OPEN, going_on)] if decision is going_on else []), minute


def test_nobody_knows_of_calm_what_could_not_be_read_after_a_restart() -> None:
    """Its three looks begin with the first that reads it."""
    _, memory = plan([OPEN], [conclusion(Healthy("fine"))], Memory(), NOON, WATCHED, unreadable={"memory"})
    for minute, actions in ((10, []), (11, []), (12, [Over(OPEN, OverReason.NORMAL)])):
        found, memory = after(memory, minute, Healthy("fine"))
        assert found == actions, minute


def test_a_clock_that_was_set_back_does_not_keep_an_alert_open() -> None:
    """A last anomaly that lies in the future is no reason to wait for it: three looks from now are enough."""
    _, memory = after(Memory(), 60, ANOMALY)
    for minute, actions in ((0, []), (1, []), (2, [Over(OPEN, OverReason.NORMAL)])):
        found, memory = after(memory, minute, Healthy("fine"))
        assert found == actions, minute


def test_absence_since_a_moment_in_the_future_begins_anew() -> None:
    """As for anomalies: a clock that was set back does not stretch the patience."""
    _, memory = plan([OPEN], [], Memory(missing_since={KEY: NOON + 3600}), NOON, WATCHED)
    assert memory.missing_since == {KEY: NOON}


def test_a_target_without_conclusion_and_one_without_values_are_both_missing() -> None:
    """Whether the series left the window or only its last reading."""
    memory = Memory(missing_since={KEY: NOON - 300})
    for conclusions in ([], [conclusion(Healthy(""), 0, missing=True)]):
        assert plan([OPEN], conclusions, memory, NOON, WATCHED)[0] == [Over(OPEN, OverReason.MISSING)]


@pytest.mark.parametrize("calm", [0, 1, 2])
def test_fewer_than_three_normal_readings_end_nothing(calm: int) -> None:
    """Not after a restart either, when only the window knows."""
    assert after(Memory(), 0, Healthy("fine"), calm)[0] == []


HIGH, LOW = Departure("memory", TARGET, 1), Departure("memory", TARGET, -1)


def told(memory: Memory, minute: float, decision: Decision, opened: Sequence[Open] = (OPEN,)) -> Memory:
    return plan(opened, [conclusion(decision)], memory, NOON + 60 * minute, WATCHED)[1]


def test_what_half_an_hour_told_is_known_until_its_alert_is_over() -> None:
    """Over looks without it and looks in which another rule speaks, or the other side; then it has to begin again."""
    memory = told(Memory(), 0, replace(ANOMALY, departures=(HIGH,)), ())
    for minute, decision in enumerate((Healthy("fine"), ANOMALY, replace(ANOMALY, departures=(HIGH,))), 1):
        memory = told(memory, minute, decision)
        assert underway([OPEN], memory) == (Underway("memory", TARGET, (HIGH,)),)
    memory = told(memory, 4, replace(ANOMALY, departures=(LOW,)))
    assert underway([OPEN], memory) == (Underway("memory", TARGET, (HIGH, LOW)),)
    memory = told(told(memory, 8, Healthy("fine")), 9, ANOMALY, ())
    assert underway([OPEN], memory) == (Underway("memory", TARGET, ()),)


def test_of_an_alert_that_a_restart_has_left_nobody_knows_what_told_it() -> None:
    """Until half an hour tells it again. One that began since then is known."""
    unknown = (Underway("memory", TARGET, None),)
    assert underway([OPEN], Memory()) == unknown
    memory = told(told(Memory(), 0, Healthy("fine")), 1, ANOMALY)
    assert underway([OPEN], memory) == unknown
    memory = told(memory, 2, replace(ANOMALY, departures=(HIGH,)))
    assert underway([OPEN], memory) == (Underway("memory", TARGET, (HIGH,)),)
    began = told(told(Memory(), 0, ANOMALY, ()), 1, Healthy("fine"))
    assert underway([OPEN], began) == (Underway("memory", TARGET, ()),)
