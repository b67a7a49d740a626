"""Alerts that end and come back, on a timeline in minutes after noon."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

import pytest

from lens_exporter.baseline.analyzer import Conclusion
from lens_exporter.model.alert import Alert
from lens_exporter.model.decision import Anomaly, Healthy, Rule, Severity
from lens_exporter.watch.alerting import alert_of
from lens_exporter.watch.hysteresis import Begin, Memory, Over, OverReason, Rest, plan
from lens_exporter.watch.ports import Watched
from tests.servers.fake_alertmanager import seconds
from tests.unit.watch.site import MEMORY, quiet, site

NOON = 1_795_176_000.0
MINUTE = 60.0
WATCHED = Watched("python", ())
TARGET = {"instance": "a:1"}
ANOMALY = Anomaly("memory_high", Severity.WARNING, "", "", "", TARGET, Rule.JUMP, NOON, ())


class Open:
    correlation = "01JD"

    def __init__(self, alert: Alert) -> None:
        self.alert = alert


@dataclass
class Told:
    """Minutes at which alerts began and ended, and what was said while they rested and at their ends."""

    watched: Watched = WATCHED
    memory: Memory = field(default_factory=Memory)
    open: list[Open] = field(default_factory=list)
    begun: list[float] = field(default_factory=list)
    over: list[tuple[float, OverReason]] = field(default_factory=list)
    rests: list[tuple[float, str, str]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def look(self, minute: float, conclusions: Sequence[Conclusion], admitted: Callable[[float], bool] = lambda _: True) -> None:
        actions, self.memory = plan(self.open, conclusions, self.memory, NOON + MINUTE * minute, self.watched)
        for action in actions:
            if isinstance(action, Begin) and admitted(minute):
                self.open.append(Open(alert_of(action.anomaly, self.watched, correlation="01JD")))
                self.begun.append(minute)
            elif isinstance(action, Rest):
                self.rests.append((minute, action.headline, action.because))
            elif isinstance(action, Over):
                self.open = [one for one in self.open if one is not action.open]
                self.over.append((minute, action.reason))
                self.reasons.append(action.because)


def told(is_out: Callable[[int], bool], minutes: int, *, step: int = 1, known: Told | None = None, **how: object) -> Told:
    """Look every `step` minutes; the series is an anomaly at the minutes that is_out names, and calm right after."""
    seen = known or Told(replace(WATCHED, step=MINUTE * step))
    calm = 0
    for minute in range(0, minutes, step):
        calm = 0 if is_out(minute) else min(calm + 1, 30)
        seen.look(minute, [conclusion(is_out(minute), calm)], **how)  # type: ignore[arg-type]
    return seen


def conclusion(out: bool, calm: int = 0, category: str = "memory", group: dict[str, str] | None = None) -> Conclusion:
    anomaly = replace(ANOMALY, anomaly_type=f"{category}_high", group=group)
    return Conclusion(category, TARGET, anomaly if out else Healthy("fine"), calm, missing=False)


def every(period: int, out: int, until: int = 10_000) -> Callable[[int], bool]:
    return lambda minute: minute % period < out and minute < until


def test_three_minutes_of_every_twenty_are_two_alerts():
    """The second waits as long as the first was quiet for, and three readings more; it ends 21 minutes after the last of it."""
    seen = told(every(20, 3, until=180), 240)
    assert seen.begun == [0, 20]
    assert seen.over == [(5, OverReason.NORMAL), (183, OverReason.NORMAL)]
    assert seen.reasons == ["", "it came back 8 times, each time within an hour, and is calm for 21 min now"]


@pytest.mark.parametrize("period", [5, 8, 13, 20, 33, 45, 60])
def test_whatever_the_period_it_is_two_alerts_as_long_as_it_is_out_again_within_an_hour(period):
    """From a minute's calm more than the usual, to an hour of it."""
    seen = told(every(period, 1), 10 * period)
    assert len(seen.begun) == 2


def test_what_comes_back_after_more_than_an_hour_is_another_alert_each_time():
    """Each begins, and ends after three readings."""
    seen = told(every(65, 3), 260)
    assert seen.begun == [0, 65, 130, 195]
    assert [minute for minute, _ in seen.over] == [5, 70, 135, 200]
    assert (seen.rests, set(seen.reasons)) == ([], {""})


def test_a_calm_that_was_too_short_is_doubled_and_never_longer_than_an_hour():
    """Back after 10, 16, 31 and 58 minutes of calm: ends after 13, 26, 52 and 60."""
    outs, minute = [0], 0
    for gap in (10, 16, 31, 58):
        minute += gap
        outs.append(minute)
    seen = told(lambda minute: minute in outs, 400)
    assert seen.begun == outs
    assert [end - began for began, (end, _) in zip(outs, seen.over, strict=True)] == [3, 13, 26, 52, 60]


def test_an_hour_of_quiet_forgets_it():
    """The next time it is an alert like any other; what is kept is empty."""
    seen = told(every(20, 3, until=60), 300)
    assert seen.memory.courses == {}
    assert told(lambda minute: minute == 0, 5, known=seen).over[-1] == (3, OverReason.NORMAL)


def test_one_that_has_been_on_for_an_hour_flaps_no_more():
    """It ends after three readings, as the one that it became."""
    seen = told(lambda minute: minute < 3 or 20 <= minute < 90, 120)
    assert seen.begun == [0, 20]
    assert seen.over[-1] == (92, OverReason.NORMAL)
    assert seen.reasons[-1] == ""


def test_while_it_waits_it_says_so_once_in_each_calm():
    """Since when it is calm, and until when it has to be."""
    seen = told(every(20, 3, until=60), 120)
    assert seen.rests == [
        (25, "calm since 12:23 UTC", "It came back within an hour: it is over when it stays calm until 12:43 UTC."),
        (
            45,
            "calm since 12:43 UTC",
            "It came back twice, each time within an hour: it is over when it stays calm until 13:03 UTC.",
        ),
    ]
    assert seen.over[-1] == (63, OverReason.NORMAL)


def test_where_the_last_readings_are_outside_the_band_a_long_calm_is_not_over():
    """No anomaly for an hour, but the newest reading deviates: as for any alert, three calm ones are asked for."""
    seen = told(every(20, 3, until=40), 43)
    seen.look(60, [conclusion(False, 1)])
    assert len(seen.open) == 1
    seen.look(62, [conclusion(False, 3)])
    assert seen.open == []


def test_steps_so_wide_that_three_take_an_hour_change_nothing():
    """Nothing comes back sooner than an alert takes to end."""
    seen = told(lambda minute: minute % 300 == 0, 1500, step=60)
    assert [end - began for began, (end, _) in zip(seen.begun, seen.over, strict=True)] == [180] * 5


def test_looks_that_are_rare_see_no_return_in_what_goes_on():
    """Every ten minutes, at a step of one: on at each look is on, though ten readings lie between two."""
    seen = Told()
    for minute in (0, 10, 20, 30, 40, 50):
        seen.look(minute, [conclusion(minute != 10, 10)])
    assert seen.begun == [0, 20]
    assert [course.returns for course in seen.memory.courses.values()] == [1]


def test_what_comes_back_after_nobody_looked_for_two_hours_has_not_come_back_within_one():
    """Of an alert that is over and of one that is open: how it was meanwhile is not known."""
    ended = told(every(20, 3, until=20), 10)
    for minute in (130, 131):
        ended.look(minute, [conclusion(True)])
    assert (ended.begun, ended.memory.courses) == ([0, 130], {})
    resting = told(every(20, 3, until=40), 30)
    resting.look(150, [conclusion(True)])
    assert (resting.begun, resting.memory.courses) == ([0, 20], {})


def test_one_that_no_cooldown_lets_through_has_not_come_back():
    """It is out twice within the hour and nobody is told: the third time it comes back once."""
    seen = told(every(20, 3, until=60), 64, admitted=lambda minute: minute < 3 or minute >= 40)
    assert seen.begun == [0, 40]
    assert [course.returns for course in seen.memory.courses.values()] == [1]


def test_what_somebody_else_ended_comes_back_only_after_a_calm():
    """An alert that was ended while it went on (declared to be expected) and is told again was never over."""
    seen = told(every(20, 3, until=40), 23)
    seen.open.clear()
    for minute in range(23, 30):
        seen.look(minute, [conclusion(True)], admitted=lambda _: False)
    seen.look(30, [conclusion(True)])
    seen.look(31, [conclusion(True)])
    assert [course.returns for course in seen.memory.courses.values()] == [1]


def test_series_that_are_gone_end_it_as_soon_as_ever():
    """Five minutes without a value, however long its calm would have to be; and it has come back if it is there again."""
    seen = told(every(20, 3, until=40), 23)
    for minute in range(23, 30):
        seen.look(minute, [])
    assert seen.over[-1] == (28, OverReason.MISSING)
    for minute in (30, 31):
        seen.look(minute, [conclusion(True)])
    assert [course.returns for course in seen.memory.courses.values()] == [2]


def test_a_clock_that_was_set_back_forgets_it():
    """What lies in the future is no reason to keep an alert open: it ends like one that never came back."""
    seen = told(every(20, 3, until=40), 26)
    for minute in (-60, -59, -58):
        seen.look(minute, [conclusion(False, 30)])
    assert (seen.open, seen.over[-1]) == ([], (-58, OverReason.NORMAL))


def test_a_look_that_failed_forgets_absences_and_nothing_else():
    """How an alert comes and goes is known on."""
    memory = told(every(20, 3, until=60), 64).memory
    assert memory.courses
    assert replace(memory, missing_since={"a": 1.0}).without_absences() == memory


def test_a_group_that_comes_back_led_by_another_metric_has_come_back():
    """Latency leads, then the queue, in turns: two alerts, and the second waits."""
    group, seen = {"instance": "a:1"}, Told()
    calm = {"latency": 0, "queue": 0}
    for minute in range(180):
        leads = ("latency", "queue")[minute // 20 % 2]
        out = leads if minute % 20 < 3 else ""
        calm = {name: 0 if name == out else min(before + 1, 30) for name, before in calm.items()}
        seen.look(minute, [conclusion(name == out, readings, name, group) for name, readings in calm.items()])
    assert seen.begun == [0, 20]
    assert [one.alert.labels["category"] for one in seen.open] == ["queue"]


def led(minutes: int, latency: set[int], queue: set[int], *, by_itself: Collection[int] = ()) -> Told:
    """Look every minute at two metrics of a group, each the anomaly that leads it at its minutes, or speaks for itself at some."""
    seen, calm = Told(), {"latency": 30, "queue": 30}
    for minute in range(minutes):
        group = None if minute in by_itself else {"instance": "a:1"}
        out = {name for name, at in (("latency", latency), ("queue", queue)) if minute in at}
        calm = {name: 0 if name in out else min(before + 1, 30) for name, before in calm.items()}
        seen.look(minute, [conclusion(name in out, readings, name, group) for name, readings in calm.items()])
    return seen


def test_while_it_waits_for_its_end_what_its_group_does_is_told_under_it():
    """Latency came back after 40 minutes and has to be calm for 43: after 35 of them queue leads, and it is one story."""
    seen = led(130, latency={0, 1, 2, 42, 43, 44}, queue={79, 80, 81})
    assert seen.begun == [0, 42]
    assert seen.over == [(5, OverReason.NORMAL), (124, OverReason.NORMAL)]


def test_what_had_an_alert_of_its_own_goes_on_with_that_when_its_group_comes_back():
    """Queue comes back after 18 minutes, its group after 8: it waits as queue has to, and what latency left stays latency's."""
    seen = led(45, latency={10, 11, 12}, queue={0, 1, 2, 20, 21, 22}, by_itself=range(5))
    assert (seen.begun, seen.over[-1]) == ([0, 10, 20], (43, OverReason.NORMAL))
    assert len(seen.memory.courses) == 2


def test_what_has_an_alarm_of_its_own_is_no_return_of_its_group():
    """Its group was told and over; now it is at its ceiling: that ends after three readings."""
    seen = Told()
    for minute, out in enumerate([True] * 3 + [False] * 10):
        seen.look(minute, [conclusion(out, 0 if out else minute - 2, "latency", {"instance": "a:1"})])
    for minute, out in enumerate([True] * 3 + [False] * 10, 20):
        seen.look(minute, [conclusion(out, 0 if out else minute - 22, "threads")])
    assert seen.begun == [0, 20]
    assert seen.over == [(5, OverReason.NORMAL), (25, OverReason.NORMAL)]


def test_what_people_read_of_one_that_flaps():
    """Full for five minutes at 12:05, 12:25 and 12:45: calm is said while it lasts, and at the end how it went."""
    with site() as here:
        here.story.tell(MEMORY.name, lambda m: 0.95 if 5 <= m < 50 and m % 20 in range(5, 10) else quiet(m))
        here.every_minute(5, 33)
        (alert,) = here.firing
        assert alert.annotations["summary"] == "api-7 uses 95 % of its memory; 37 to 47 % is normal; calm since 12:30 UTC"
        assert alert.annotations["description"].splitlines()[-1] == (
            "It came back within an hour: it is over when it stays calm until 12:50 UTC."
        )
        here.every_minute(34, 47)
        assert "calm" not in str(here.firing[0].annotations)
        here.every_minute(48, 71)
        assert here.firing == []
        assert [event["reason"] for event in here.events("anomaly.over")] == ["normal", "normal"]
        resolved = here.line.servers[0].last()
        assert seconds(resolved["endsAt"]) == NOON + 70 * MINUTE
        assert (
            "Over at 13:10 UTC after 45 min: it came back twice, each time within an hour, and is calm for 21 min now."
            in (resolved["annotations"]["description"])
        )
