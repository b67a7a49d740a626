"""From a watcher's events to alerts: begun, raised, over, kept back."""

import pytest

from lens_exporter.foundation.database import Database
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.replay.journal import Journal, Withheld, alerts, suppressions, withheld

API = {"instance": "api-7:9000", "job": "api", "device": "sda"}


@pytest.fixture
def told():
    now = [0.0]
    database = Database("sqlite://")

    class At(Journal):
        def at(self, moment, kind, story="", **data):
            now[0] = moment
            self.append(kind, correlation=story, subject="api", **data)

    yield At(database, Telemetry(), lambda: now[0])
    database.close()


def detected(rule="group", severity="warning"):
    carrier, other = ({"metric": metric, "target": API} for metric in ("latency", "errors"))
    return {"rule": rule, "severity": severity, "summary": "slow", "evidence": [carrier, other]}


def posted(severity="warning"):
    return {"labels": {"alertname": "LensLatency", "severity": severity, **API}, "starts_at": 40.0}


def test_an_alert_from_its_first_post_to_its_end(told):
    """What carries it, since when, the labels as posted, when and why it was over."""
    told.at(100, "anomaly.detected", "s1", **detected())
    told.at(100, "alert.fired", "s1", **posted())
    told.at(400, "anomaly.over", "s1", reason="normal")
    (one,) = alerts(told.kept, None)
    assert (one.name, one.metric, one.series, one.rule, one.summary) == ("LensLatency", "latency", API, "group", "slow")
    assert (one.since, one.began, one.ended, one.reason, one.escalated) == (40.0, 100.0, 400.0, "normal", None)
    assert one.seconds(1000.0) == 300.0


def test_a_higher_severity_is_the_same_alert(told):
    """One alert that was raised on the way: its labels are the first, its severity the highest."""
    told.at(100, "anomaly.detected", "s1", **detected())
    told.at(100, "alert.fired", "s1", **posted())
    told.at(160, "alert.fired", "s1", **posted("critical"))
    (one,) = alerts(told.kept, None)
    assert (one.severity, one.labels["severity"], one.escalated) == ("critical", "warning", 160.0)
    assert (one.ended, one.seconds(1000.0)) == (None, 900.0)


def test_what_speaks_for_a_group_is_about_the_group(told):
    """And what speaks for itself about its series; both count against the budget of the group."""
    for story, rule in (("s1", "group"), ("s2", "ceiling")):
        told.at(100, "anomaly.detected", story, **detected(rule))
        told.at(100, "alert.fired", story, **posted())
    group = {"instance": "api-7:9000", "job": "api"}
    assert [(one.about, one.group) for one in alerts(told.kept, None)] == [(group, group), (API, group)]
    assert [one.group for one in alerts(told.kept, ("device",))] == [{"device": "sda"}] * 2


def test_each_cooldown_keeps_back_once(told):
    """Kept back look after look within one cooldown is one thing; the next cooldown's is another."""
    for moment, until in ((100, 500), (160, 500), (600, 900)):
        told.at(moment, "anomaly.suppressed", anomaly_type="latency_high", summary="slow", target=API, cooldown_until=until)
    told.at(700, "watcher.decided", seconds=1)
    first, second = suppressions(told.kept)
    assert (first.at, first.until, first.times) == (100, 500, 2)
    assert (second.at, second.times) == (600, 1)
    assert len(told.kept) == 3  # of what no report needs nothing is kept


def test_what_is_expected_is_kept_with_its_declaration(told):
    """Each anomaly that was not told, in order, and whose word it was."""
    facts = {"rule": "group", "since": 40.0, "by": "ann", "comment": "upgrade", "until": 900.0}
    told.at(
        100,
        "anomaly.expected",
        "s1",
        anomaly_type="latency_high",
        severity="info",
        summary="slow",
        target=API,
        declaration="d1",
        **facts,
    )
    assert withheld(told.kept) == (Withheld("latency_high", "info", API, "slow", 100.0, "d1"),)
    assert alerts(told.kept, None) == ()
