"""A group of metrics on a timeline: one alert for one incident, whoever carries it."""

import numpy as np
import pytest

from lens_exporter.baseline.analyzer import Analyzer
from lens_exporter.baseline.baselines import Baselines, Learning
from lens_exporter.model.decision import Anomaly, Rule
from lens_exporter.model.metric import BaselineMetric, Direction
from lens_exporter.watch.alerting import alert_of
from lens_exporter.watch.hysteresis import Begin, Memory, Over, Update, plan
from lens_exporter.watch.look import Looker
from lens_exporter.watch.ports import Watched
from tests.unit.baseline.past import Past

STEP = 300.0
DAY_ROWS = 288
BEGINS = 1_700_006_400.0
NAMES = ("memory", "cpu", "latency", "errors", "queue", "threads")
HERE = {"instance": "api-7:9000", "job": "api"}


def past(incident=None, days=9):
    """Six metrics with a daily season over nine days at five minutes; `incident` changes values {name: [time]} in place."""
    rng = np.random.default_rng(5)
    rows = days * DAY_ROWS
    season = 1 + 0.3 * np.sin(2 * np.pi * np.arange(rows) / DAY_ROWS)
    values = {name: (10.0 + place) * season * (1 + 0.03 * rng.standard_normal(rows)) for place, name in enumerate(NAMES)}
    if incident:
        incident(values)
    return Past(BEGINS, STEP, dict.fromkeys(NAMES, (HERE,)), {name: one[None] for name, one in values.items()})


def looker(source, **declared):
    metrics = tuple(BaselineMetric(name, name, **declared.get(name, {})) for name in NAMES)
    watched = Watched("api", metrics, window=14 * 86_400.0, step=STEP)
    return Looker(watched, source, Baselines(watched.asked, Learning(STEP, watched.window)), Analyzer())


def anomalies(one, rows):
    for row in rows:
        seen = one.look(BEGINS + row * STEP)
        yield row, seen, [c.decision for c in seen.conclusions if isinstance(c.decision, Anomaly)]


INCIDENT = 8 * DAY_ROWS


def together(values):
    for name, factor in (("memory", 2.0), ("latency", 4.0), ("queue", 3.0)):
        values[name][INCIDENT : INCIDENT + 24] *= factor


def test_one_incident_of_three_metrics_is_one_anomaly_of_the_strongest():
    """Two hours of latency x4, queue x3, memory x2: one anomaly at a time, latency leads, the others stand in its text."""
    found = [(row, decisions) for row, _, decisions in anomalies(looker(past(together)), range(INCIDENT - 40, INCIDENT + 24))]
    assert [row for row, decisions in found if decisions and row < INCIDENT] == []
    alarmed = [(row, decisions) for row, decisions in found if decisions]
    assert alarmed[0][0] <= INCIDENT + 3
    assert {len(decisions) for _, decisions in alarmed} == {1}
    (decision,) = alarmed[-1][1]
    assert decision.rule is Rule.GROUP
    assert decision.anomaly_type == "latency_high"
    assert decision.group == HERE
    assert decision.since == BEGINS + INCIDENT * STEP
    assert "together score" in decision.description
    assert decision.description.index("queue") < decision.description.index("memory")
    assert [one.metric for one in decision.evidence][:3] == ["latency", "queue", "memory"]


def test_the_standing_of_the_group_is_told():
    """Score above threshold during the incident, below before it."""
    one = looker(past(together))
    (before,) = one.look(BEGINS + (INCIDENT - 1) * STEP).groups
    (during,) = one.look(BEGINS + (INCIDENT + 5) * STEP).groups
    assert before.labels == HERE
    assert before.score < before.threshold
    assert before.readings == 0
    assert during.score > during.threshold
    assert during.readings == 6


def test_a_spike_of_one_sample_is_no_anomaly():
    """One row of everything times five moves the score for one reading; three are asked for."""

    def spike(values):
        for name in NAMES:
            values[name][INCIDENT] *= 5

    assert not any(decisions for _, _, decisions in anomalies(looker(past(spike)), range(INCIDENT - 2, INCIDENT + 20)))


@pytest.mark.parametrize(
    "declared",
    [
        {key: {"direction": Direction.DOWN} for key in NAMES},
        {key: {"min_change": 1000.0} for key in NAMES},
        {key: {"min_change_ratio": 5.0} for key in NAMES},
    ],
    ids=["other side", "too small", "too small a part"],
)
def test_what_nobody_wants_to_be_told_carries_no_alarm(declared):
    """A group whose departing metrics are all on the harmless side, or too small, raises nothing."""
    one = looker(past(together), **declared)
    assert not any(decisions for _, _, decisions in anomalies(one, range(INCIDENT - 2, INCIDENT + 12)))


def test_a_ceiling_speaks_for_itself():
    """A level beyond its ceiling is an anomaly whatever its group does."""

    def full(values):
        values["threads"][INCIDENT:] = 25.0

    one = looker(past(full), threads={"ceiling": 24.0})
    for _, _, decisions in anomalies(one, range(INCIDENT, INCIDENT + 6)):
        ceilings = [decision for decision in decisions if Rule.CEILING in decision.rules]
    assert [decision.anomaly_type for decision in ceilings] == ["threads_high"]


def test_another_metric_in_the_lead_begins_no_second_alert():
    """Latency leads first, then queue: while latency is unusual too the story goes on under its alert, with the text of both."""
    begun, over, texts = told_of(handing_over(until=60))
    assert begun == ["latency_high"]
    assert over == []
    assert texts[0].startswith("latency: api-7: latency")
    assert texts[-1].startswith("latency: api-7: queue")


def test_another_incident_is_told_though_the_group_never_came_to_rest():
    """Latency is normal again while queue departs: its alert ends, and queue has one of its own."""
    begun, over, texts = told_of(handing_over(until=12))
    assert begun == ["latency_high", "queue_high"]
    assert over == ["latency"]
    assert texts[-1].startswith("queue: api-7: queue")


def test_members_that_lead_in_turns_are_one_alert():
    """Latency and queue, twenty minutes each and then the other."""

    def in_turns(values):
        for row in range(INCIDENT, INCIDENT + 48):
            values["latency" if row // 4 % 2 else "queue"][row] *= 5

    begun, over, texts = told_of(in_turns)
    assert (len(begun), over) == (1, [])
    assert len({text.split(" at ")[0] for text in texts}) == 2


def test_what_speaks_for_itself_lends_its_alert_to_nobody():
    """Threads stay at their ceiling; an hour later latency leads the group's alarm, which has an alert of its own."""

    def full_and_slow(values):
        values["threads"][INCIDENT:] = 25.0
        values["latency"][INCIDENT + 12 : INCIDENT + 40] *= 5

    begun, _, texts = told_of(full_and_slow, leading={"latency", "threads"}, threads={"ceiling": 24.0})
    assert begun == ["threads_high", "latency_high"]
    assert all(text.startswith(("threads: api-7: threads", "latency: api-7: latency")) for text in texts)


def test_what_spoke_for_itself_lends_its_alert_to_nobody_when_it_is_over_either():
    """Threads were at their ceiling for forty minutes: latency, which leads as they leave it, is told as itself at once."""

    def full_then_slow(values):
        values["threads"][INCIDENT : INCIDENT + 8] = 25.0
        values["latency"][INCIDENT + 6 : INCIDENT + 40] *= 5

    begun, _, texts = told_of(full_then_slow, leading={"latency", "threads"}, threads={"ceiling": 24.0})
    assert begun == ["threads_high", "latency_high"]
    assert all(text.startswith(("threads: api-7: threads", "latency: api-7: latency")) for text in texts)


def handing_over(until):
    def change(values):
        values["latency"][INCIDENT : INCIDENT + until] *= 4
        values["queue"][INCIDENT + 10 : INCIDENT + 60] *= 8

    return change


def told_of(incident, leading=frozenset({"latency", "queue"}), **declared):
    """Give what begins, what ends (categories), and "category of the alert: its summary" of each change, in order.

    leading are the categories that must be anomalies at some time.
    """

    one = looker(past(incident), **declared)
    watched = Watched("api", tuple(BaselineMetric(name, name) for name in NAMES), window=14 * 86_400.0, step=STEP)
    begun, over, texts, memory, opened = [], [], [], Memory(), []
    leaders = set()
    for _, seen, decisions in anomalies(one, range(INCIDENT - 2, INCIDENT + 50)):
        leaders |= {decision.category for decision in decisions}
        actions, memory = plan(opened, seen.conclusions, memory, seen.at, watched)
        for action in actions:
            if isinstance(action, Begin):
                begun.append(action.anomaly.anomaly_type)
                opened.append(Open(action.anomaly, watched))
            if isinstance(action, Over):
                over.append(action.open.alert.labels["category"])
                opened.remove(action.open)
            if isinstance(action, Begin | Update):
                alert = opened[-1].alert if isinstance(action, Begin) else action.open.alert
                texts.append(f"{alert.labels['category']}: {action.anomaly.summary}")
    assert leaders == leading
    return begun, over, texts


class Open:
    """An open alert as the lifecycle stores it."""

    def __init__(self, anomaly, watched):
        self.alert = alert_of(anomaly, watched, correlation="01JD")
        self.correlation = "01JD"
