"""A backtest as people and programs read it."""

import dataclasses
import json
import re

import orjson

from lens_exporter.baseline.expected import Declaration, DeclarationSource
from lens_exporter.model.silence import Silence
from lens_exporter.replay.backtest.document import document
from lens_exporter.replay.backtest.matchers import matchers_of
from lens_exporter.replay.backtest.report import Expected
from lens_exporter.replay.backtest.text import lasted, text
from lens_exporter.replay.backtest.theirs import Theirs
from lens_exporter.replay.span import Span
from tests.unit.replay.backtests import API, DB, at, fired, incident, reported, rule_alert, suppression, withheld

DECLARATION = Declaration("01JD", DeclarationSource.API, matchers_of("watcher=api"), at(29), at(31), "API", "deploy")
SILENCE = Silence("8c2a", matchers_of("instance=api-7:9000"), at(10), at(12), "upgrade", "ann")


def everything():
    """One report with something of each kind in it."""
    return reported(
        fired(10.5, 11.25),
        fired(20, 20.1, severity="critical", rule="ceiling"),
        fired(160, None, DB),
        theirs=Theirs(
            alerts=(rule_alert(10, 11), rule_alert(60, 61, DB, "DiskWillFill")),
            silences=(SILENCE,),
            silences_unread=("alertmanager at http://b cannot be reached: refused",),
            alertmanagers=2,
        ),
        expected=Expected((DECLARATION,)),
        withheld=(withheld(30),),
        incidents=(incident(10, 12, "api slow"), incident(40, 41, matchers="job=api"), incident(-9, -8, "before")),
        suppressed=(suppression(11.5),),
        ticks=10_000,
        judged=9_000,
        failed=2,
        errors={"PromQL query failed (execution): many-to-many\nmatching": 2},
        reading=True,
    )


def until(hour, report):
    """The same report, of a span that ends then."""
    return dataclasses.replace(report, asked=dataclasses.replace(report.asked, span=Span(report.asked.span.begin, at(hour))))


def lines(report):
    return [line for line, _style in text(report)]


def test_a_report_as_text():
    """Everything in the order in which people ask for it; summaries stand below their alerts."""
    assert "\n".join(lines(everything())) == (
        "backtest of api, 2026-11-20 00:00 to 2026-11-27 00:00 UTC (7d)\n"
        "10,000 ticks (* * * * *) in 42s, 238 ticks a second\n"
        "3 series in 2 groups; history from 2026-11-11 00:00, http://prometheus:9090\n"
        "in 1,000 ticks nothing could be judged yet, or any more\n"
        "could not be read in 2 ticks: PromQL query failed (execution): many-to-many matching\n"
        "a model reads this watcher's anomalies when it runs; none was asked here\n"
        "\n"
        "3 alerts would have fired, 3 a week\n"
        "the budget is 1.4 a week for each of 2 groups; 2 a week count against it\n"
        "1 anomaly came too soon after an alert about the same thing, and stayed quiet\n"
        "\n"
        "began             lasted     severity  alert        about  rule     beside\n"
        "2026-11-20 10:30  45m        warning   LensLatency  api-7  group    HighLatency, silenced, incident\n"
        "  api-7: latency at 400 ms; 90 to 140 ms is normal\n"
        "2026-11-20 20:00  6m         critical  LensLatency  api-7  ceiling\n"
        "  api-7: latency at 400 ms; 90 to 140 ms is normal\n"
        "2026-11-26 16:00  8h so far  warning   LensLatency  db-1   group\n"
        "  api-7: latency at 400 ms; 90 to 140 ms is normal\n"
        "\n"
        "by group     instance=api-7:9000, job=api: 2 alerts, 2 a week\n"
        "             instance=db-1:9100, job=db: 1 alert, 1 a week\n"
        "\n"
        "your rules   fired twice; 1 of 3 alerts coincide (same thing, within 5m)\n"
        "             none of ours coincides with 1 of them:\n"
        "               2026-11-22 12:00  1h  DiskWillFill  db-1\n"
        "\n"
        "silences     could not be asked: alertmanager at http://b cannot be reached: refused\n"
        "             1 silence known of this time; 1 alert would have fired into one\n"
        "\n"
        "expected     1 declaration about this time; 1 anomaly was expected, and not told\n"
        "\n"
        "incidents    1 of 2 incidents caught, half of them within 30m\n"
        "             2 alerts outside of them all, 2 a week\n"
        "               2026-11-20 10:00  api slow: caught after 30m by LensLatency\n"
        "               2026-11-21 16:00  incident: missed\n"
        "             1 incident outside of the span"
    )


def test_a_quiet_week_says_so():
    """No table, no list: what there is not takes a line."""
    said = lines(reported())
    assert "no alert would have fired" in said
    assert not [line for line in said if line.startswith("began")]
    assert "by group     2 groups without an alert" in said
    assert "your rules   none of them fired in this time" in said
    assert "silences     no Alertmanager is configured" in said
    assert "expected     0 declarations about this time; 0 anomalies were expected, and not told" in said
    assert "incidents    none were given (--incidents)" in said


def test_declarations_that_were_left_out_or_not_read_are_not_none():
    """What the replay did not go by stands where their number would, with the reason; silences may have declared something."""
    said = lines(reported(expected=Expected(ignored=True)))
    assert "expected     what is declared was left out (--ignore-expected)" in said
    said = lines(reported(expected=Expected((DECLARATION,), unread="database sqlite:///lens.db: gone")))
    place = said.index("expected     what is stored could not be read: database sqlite:///lens.db: gone")
    assert said[place + 1] == "             1 declaration about this time; 0 anomalies were expected, and not told"


def test_rules_that_could_not_be_asked_are_not_none():
    """The reason stands where the answer would."""
    said = lines(reported(theirs=Theirs(alerts_unread="prometheus at http://p cannot be reached: gone", alertmanagers=1)))
    assert "your rules   could not be asked: prometheus at http://p cannot be reached: gone" in said
    assert "silences     0 silences known of this time; 0 alerts would have fired into one" in said


def test_an_alertmanager_that_is_away_leaves_nothing_to_count():
    """With nobody's answer there is no number of silences."""
    said = "\n".join(lines(reported(theirs=Theirs(silences_unread=("alertmanager at http://a: gone",), alertmanagers=1))))
    assert "silences     could not be asked: alertmanager at http://a: gone" in said
    assert "known of this time" not in said


def test_a_group_over_its_budget_is_told():
    """Two a week are more than 1.4; one alert in two days proves nothing, and alerts that no budget is for do not count."""
    over = lines(reported(fired(10, 11), fired(20, 21)))
    assert "by group     instance=api-7:9000, job=api: 2 alerts, 2 a week, more than its budget" in over
    one = reported(fired(10, 11))
    said = lines(until(48, one))
    assert "by group     instance=api-7:9000, job=api: 1 alert, 3.5 a week" in said
    full = lines(reported(fired(10, 11, rule="ceiling"), fired(20, 21, rule="ceiling")))
    assert "by group     instance=api-7:9000, job=api: 2 alerts, 2 a week" in full


def test_less_than_two_days_say_nothing_of_a_week():
    """One alert in an hour would be 168 a week."""
    said = "\n".join(lines(until(1, reported(fired(0.2, 0.4), fired(0.6, 0.8), incidents=[incident(0.1, 0.3)]))))
    assert "2 alerts would have fired\nthe budget is 1.4 a week for each of 2 groups; 1h is too short to compare\n" in said
    assert "by group     instance=api-7:9000, job=api: 2 alerts\n" in said
    assert "1 alert outside of them all\n" in said
    assert said.count("a week") == 1


def test_long_lists_are_cut_and_counted():
    """Ten of a list, then how many more; alerts themselves are all told."""
    alerts = [fired(place, place + 0.5, {"instance": f"api-{place:02}"}) for place in range(14)]
    rules = tuple(rule_alert(20 + place, 20.5 + place, DB, f"R{place}") for place in range(12))
    said = lines(reported(*alerts, theirs=Theirs(alerts=rules)))
    assert len([line for line in said if re.match(r"2026-\S+ \S+ .*LensLatency", line)]) == 14
    assert "             4 alerts of 4 more groups" in said
    assert "               and 2 more" in said


def test_two_exporters_of_one_machine_are_told_apart():
    """Both are on db-1: the table says which of them an alert is about."""
    said = lines(reported(fired(1, 2, DB), fired(3, 4, {"instance": "db-1:9187", "job": "postgres"})))
    rows = [re.split(r"  +", line) for line in said if re.match(r"2026-\S+ \S+ .*LensLatency", line)]
    assert [row[4] for row in rows] == ["db-1 (job=db)", "db-1 (job=postgres)"]


def test_durations_are_short():
    """Days, hours and minutes; seconds only below one minute."""
    assert [lasted(each) for each in (0, 42.4, 61, 3599, 5400, 90_000)] == ["0s", "42s", "1m", "1h", "1h30m", "1d1h"]


def test_a_report_as_json():
    """Version 1: field names and their values are the contract of docs/how-to/backtest.md."""
    found = json.loads(orjson.dumps(document(everything())))
    assert list(found) == [
        *("version", "watcher", "source", "from", "to", "margin_seconds", "ticks", "history"),
        *("alerts", "suppressed", "rate", "your_rules", "silences", "expected", "incidents"),
    ]
    assert (found["version"], found["from"], found["to"]) == (1, "2026-11-20T00:00:00Z", "2026-11-27T00:00:00Z")
    assert found["ticks"] == {
        "schedule": "* * * * *",
        "every_seconds": None,
        "all": 10_000,
        "judged": 9_000,
        "failed": 2,
        "errors": {"PromQL query failed (execution): many-to-many\nmatching": 2},
        "seconds": 42.0,
    }
    assert found["history"] == {"series": 3, "groups": 2, "from": "2026-11-11T00:00:00Z"}
    first, _, last = found["alerts"]
    assert first == {
        "name": "LensLatency",
        "severity": "warning",
        "rule": "group",
        "budgeted": True,
        "labels": {"alertname": "LensLatency", "severity": "warning", "watcher": "api", "category": "latency", **API},
        "target": API,
        "metric": "latency",
        "series": API,
        "group": API,
        "summary": "api-7: latency at 400 ms; 90 to 140 ms is normal",
        "since": "2026-11-20T10:30:00Z",
        "began": "2026-11-20T10:30:00Z",
        "escalated": None,
        "ended": "2026-11-20T11:15:00Z",
        "end_reason": "normal",
        "seconds": 2700.0,
        "your_alerts": [0],
        "silences": [0],
        "incidents": [0],
    }
    assert (last["ended"], last["end_reason"], last["seconds"]) == (None, None, 28_800.0)
    assert found["suppressed"][0]["times"] == 3
    rate = found["rate"]
    assert (rate["alerts_per_week"], rate["budgeted_alerts"], rate["budget_per_week_and_group"]) == (3.0, 2, 1.4)
    assert [(one["labels"], one["alerts"], one["budgeted_alerts"]) for one in rate["groups"]] == [(API, 2, 1), (DB, 1, 1)]
    rules = found["your_rules"]
    assert (rules["read"], rules["coinciding"], rules["alone"]) == (True, 1, 1)
    assert [one["alone"] for one in rules["alerts"]] == [False, True]
    assert found["silences"]["silenced"] == 1
    assert found["silences"]["silences"][0]["matchers"] == ['instance="api-7:9000"']
    assert found["expected"] == {
        "ignored": False,
        "error": None,
        "declarations": [
            {
                "id": "01JD",
                "source": "api",
                "matchers": ['watcher="api"'],
                "starts_at": "2026-11-21T05:00:00Z",
                "ends_at": "2026-11-21T07:00:00Z",
                "by": "API",
                "comment": "deploy",
            }
        ],
        "anomalies": [
            {
                "anomaly_type": "latency_high",
                "severity": "warning",
                "target": API,
                "summary": "api-7 again",
                "at": "2026-11-21T06:00:00Z",
                "declaration": "01JD",
            }
        ],
    }
    incidents = found["incidents"]
    assert (incidents["caught"], incidents["missed"], incidents["median_delay_seconds"]) == (1, 1, 1800.0)
    assert (incidents["false_alarms"], incidents["outside_of_the_span"][0]["name"]) == (2, "before")
    assert [(one["caught"], one["alert"], one["delay_seconds"]) for one in incidents["incidents"]] == [
        (True, 0, 1800.0),
        (False, None, None),
    ]


def test_without_incidents_there_is_no_count_of_them():
    """null is not an empty list: nobody said that there were none."""
    assert document(reported())["incidents"] is None
