"""A backtest over a real Prometheus: what it reports is what live ticks say, beside real rules, silences and incidents."""

import json
import math
import os
import subprocess
import sys
import time
from datetime import UTC, datetime

import numpy as np
import pytest
import requests
import yaml

from lens_exporter.baseline.bands import BandCollector
from lens_exporter.baseline.expected import Declaration, DeclarationSource
from lens_exporter.baseline.register import Register
from lens_exporter.config.secrets import Secrets
from lens_exporter.config.settings import Config
from lens_exporter.demo.backfill import Series
from lens_exporter.foundation.clock import rfc3339
from lens_exporter.foundation.database import Database
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.model.matcher import Matcher
from lens_exporter.prometheus.history import History
from lens_exporter.publish.lifecycle import AlertLifecycle
from lens_exporter.replay.span import Span, moments
from lens_exporter.wiring.ground import lay
from lens_exporter.wiring.remotes import Remotes
from lens_exporter.wiring.watching import watcher
from tests.servers.alertmanager import AlertmanagerServer
from tests.servers.faulty import FaultyServer, ok
from tests.servers.prometheus import PrometheusServer
from tests.servers.waiting import until

pytestmark = pytest.mark.integration

STEP = 60
HOUR = 3600
BACK = "4h"  # history cannot be written into a server's last three hours: everybody looks at it four hours later
API = {"instance": "api-7:9000", "job": "api"}
METRICS = ("cpu", "latency", "errors", "memory", "threads")
RULE = {
    "name": "own",
    "rules": [
        {"alert": "HighLatency", "expr": f"demo_latency offset {BACK} > 0.5", "labels": {"severity": "page"}},
        {"alert": "Elsewhere", "expr": f'vector(1) > 0 and on() demo_latency{{instance="api-7:9000"}} offset {BACK} > 0'},
    ],
}


def history(now):
    """Five days of five metrics that end ten minutes from now, seen four hours later.

    All depart together for half an hour, three hours ago; latency and errors do again twenty minutes ago, to the end.
    """
    end = now + 600 - 4 * HOUR
    times = [end - STEP * back for back in reversed(range(5 * 1440))]
    at = np.array(times) + 4 * HOUR - now  # seconds from now
    rng = np.random.default_rng(3)
    first, second = (at >= -3 * HOUR) & (at < -2.5 * HOUR), at >= -1200
    levels = {"cpu": (0.4, 0.3), "latency": (0.12, 0.9), "errors": (2.0, 20.0), "memory": (0.5, 0.2), "threads": (30.0, 40.0)}
    found = []
    for name in METRICS:
        level, rise = levels[name]
        day = 1 + 0.2 * np.sin(2 * np.pi * np.array(times) / 86_400)
        values = level * day * (1 + rng.normal(0, 0.03, len(times))) + rise * first
        if name in {"latency", "errors"}:
            values = values + rise * second
        found.append(Series(f"demo_{name}", API, list(zip(times, values.tolist(), strict=True))))
    return found


@pytest.fixture(scope="module")
def now():
    return math.floor(time.time() / STEP) * STEP


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory, now):
    with PrometheusServer(tmp_path_factory.mktemp("backtest"), history=history(now), rules=[RULE]) as running:
        yield running


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory):
    with AlertmanagerServer(tmp_path_factory.mktemp("backtest")) as running:
        yield running


def configuration(prometheus, *alertmanagers):
    metrics = {name: {"query": f"demo_{name} offset {BACK}", "direction": "up"} for name in METRICS}
    entry = {"name": "api", "lens": "promql", "schedule": "* * * * *", "window": "4d", "metrics": metrics}
    return {"prometheus": {"url": prometheus.url}, "alertmanager": {"urls": list(alertmanagers)}, "watchers": [entry]}


def lens(*arguments, folder):
    command = [sys.executable, "-m", "lens_exporter.cli", "backtest", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=280, check=False, env={**os.environ})


def backtest(folder, config, *arguments):
    (folder / "lens.yml").write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")
    return lens("--config.file=lens.yml", "--watcher=api", *arguments, folder=folder)


def unexpected(answer):
    """Give what standard error says beside how far it is."""
    return [line for line in answer.stderr.splitlines() if not line.startswith("backtest of api: ")]


def live(config, span):
    """Tick the live watcher at the moments of its schedule, and say which alerts it stored and when."""
    settings = Config.model_validate(config)
    database = Database("sqlite://")
    database.migrate()
    clock = [span.begin]
    ground = lay(database, Telemetry(), Secrets({}), clock=lambda: clock[0])
    lifecycle = AlertLifecycle(database, (), events=ground.events, telemetry=ground.telemetry, clock=ground.clock)
    one = watcher(
        settings.watchers[0],
        settings,
        ground,
        histories={"": History(Remotes(ground).prometheus("prometheus", settings.prometheus))},
        lifecycle=lifecycle,
        announce=lambda _alert, _correlation: None,
        over=lambda _alert: None,
        bands=BandCollector(),
    )
    for clock[0] in moments(settings.watchers[0].schedule, span):
        assert one.tick(clock[0]).failures == ()
    fired = [(rfc3339(event.at), event.data["labels"]) for event in ground.events.query(kind="alert.fired")]
    over = [rfc3339(event.at) for event in ground.events.query(kind="anomaly.over")]
    database.close()
    return fired, over


def silence(alertmanager, now, **labels):
    body = {
        "matchers": [{"name": name, "value": value, "isRegex": False} for name, value in labels.items()],
        "startsAt": rfc3339(now),
        "endsAt": rfc3339(now + HOUR),
        "createdBy": "ann",
        "comment": "known",
    }
    answer = requests.post(f"{alertmanager.url}/api/v2/silences", json=body, timeout=10)
    answer.raise_for_status()
    return answer.json()["silenceID"]


def test_a_backtest_reports_what_live_ticks_say_beside_rules_and_silences(prometheus, alertmanager, now, tmp_path):
    """The same alerts, labels and moments as the live watcher's; with the real rule, silences, incidents, JSON and picture."""
    mine, over, other = (
        silence(alertmanager, now, severity="warning", instance="api-7:9000"),
        silence(alertmanager, now, job="api"),
        silence(alertmanager, now, instance="db-1:9100"),
    )
    requests.delete(f"{alertmanager.url}/api/v2/silence/{over}", timeout=10).raise_for_status()
    asked = {"query": 'count_over_time(ALERTS{alertname="HighLatency",alertstate="firing"}[15s])'}

    def fired_by(moment):
        answer = requests.get(f"{prometheus.url}/api/v1/query", params={**asked, "time": moment}, timeout=10)
        return answer.json()["data"]["result"]

    # A quarter of a minute that the rule fired in has to be over.
    until(lambda: fired_by(math.floor(time.time() / 15) * 15), 60)
    (tmp_path / "incidents.csv").write_text(
        "start,end,name,matchers\n"
        f"{now - 3 * HOUR},{now - 2.5 * HOUR},slow,instance=api-7:9000\n"
        f"{now - 2 * HOUR},{now - 1.9 * HOUR},unseen,\n",
        "utf-8",
    )
    span = Span(now - 4 * HOUR, math.floor(time.time() / 15) * 15)
    config = configuration(prometheus, alertmanager.url, "http://127.0.0.1:9")
    answer = backtest(
        tmp_path,
        config,
        f"--from={span.begin}",
        f"--to={span.end}",
        "--format=json",
        "--incidents=incidents.csv",
        "--plot=out.png",
    )
    assert (answer.returncode, unexpected(answer)) == (0, [])
    found = json.loads(answer.stdout)

    fired, ended = live(config, span)
    assert len(fired) == 2
    assert [(one["began"], one["labels"]) for one in found["alerts"]] == fired
    assert [one["ended"] for one in found["alerts"]] == [*ended, None]
    assert (found["ticks"]["all"], found["ticks"]["failed"]) == (len(list(moments("* * * * *", span))), 0)

    first, second = found["alerts"]
    assert (first["rule"], first["group"]) == ("group", API)
    rules = {one["name"]: one for one in found["your_rules"]["alerts"]}
    assert rules.keys() == {"HighLatency", "Elsewhere"}
    assert (rules["HighLatency"]["alone"], rules["Elsewhere"]["alone"]) == (False, True)
    assert [found["your_rules"]["alerts"][place]["name"] for place in second["your_alerts"]] == ["HighLatency"]
    assert first["your_alerts"] == []

    ids = [one["id"] for one in found["silences"]["silences"]]
    assert set(ids) == {mine, over, other}
    assert {ids[place] for place in second["silences"]} == {mine, over}
    assert (first["silences"], found["silences"]["silenced"]) == ([], 1)
    (unanswered,) = found["silences"]["errors"]
    assert "http://127.0.0.1:9 cannot be reached" in unanswered

    incidents = found["incidents"]
    assert [(one["name"], one["caught"]) for one in incidents["incidents"]] == [("slow", True), ("unseen", False)]
    assert 0 < incidents["median_delay_seconds"] <= 600
    assert incidents["false_alarms"] == 1

    picture = (tmp_path / "out.png").read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(picture) > 50_000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["incidents.csv", "lens.yml", "out.png"]


def test_text_is_for_people(prometheus, now, tmp_path):
    """Plain in a pipe: no colours, the alerts in a table, and what was not asked for says how to."""
    answer = backtest(tmp_path, configuration(prometheus), f"--from={now - 3.5 * HOUR}", f"--to={now - 2 * HOUR}", "--every=5m")
    assert (answer.returncode, unexpected(answer)) == (0, [])
    assert "\x1b" not in answer.stdout
    begin, end = (f"{datetime.fromtimestamp(now - back * HOUR, UTC):%Y-%m-%d %H:%M}" for back in (3.5, 2))
    assert f"backtest of api: {begin} to {end} UTC, 19 ticks" in answer.stderr.splitlines()
    lines = answer.stdout.splitlines()
    assert lines[0].startswith("backtest of api, ")
    assert "1 alert would have fired" in answer.stdout
    table = lines.index(next(line for line in lines if line.startswith("began")))
    assert lines[table + 1].split()[4].startswith("Lens")
    assert "silences     no Alertmanager is configured" in lines
    assert "incidents    none were given (--incidents)" in lines


def expected_silence(begin, end):
    """As an Alertmanager gives it: it makes none whose beginning is over, so none can be made for this test."""
    matcher = {"name": "instance", "value": "api-7:9000", "isRegex": False, "isEqual": True}
    moments_of_it = {"startsAt": rfc3339(begin), "endsAt": rfc3339(end), "updatedAt": rfc3339(begin)}
    return {"id": "8c2a", "matchers": [matcher], "createdBy": "ann", "comment": "Expected: upgrade", **moments_of_it}


def test_years_without_a_value_are_left_out(prometheus, now, tmp_path):
    """It begins where the first value is, says so, and counts its rates from there."""
    answer = backtest(tmp_path, configuration(prometheus), "--from=-1000d", f"--to={now - HOUR}", "--every=6h", "--format=json")
    assert (answer.returncode, unexpected(answer)) == (0, [])
    found = json.loads(answer.stdout)
    oldest = now + 600 - 5 * 24 * HOUR + STEP
    begun = datetime.fromisoformat(found["from"]).timestamp()
    assert oldest - 600 <= begun <= oldest
    assert datetime.fromisoformat(found["history"]["from"]).timestamp() == oldest
    assert found["ticks"]["all"] in {20, 21}
    said = answer.stderr.splitlines()
    assert said[1].startswith(f"backtest of api: {datetime.fromtimestamp(begun, UTC):%Y-%m-%d %H:%M} to ")
    assert said[1].endswith(f" UTC, {found['ticks']['all']} ticks; no value is older")
    assert said[2].startswith(f"backtest of api: {found['ticks']['all']} ticks in ")


@pytest.mark.parametrize(
    ("query", "begins"),
    [
        ("demo_cpu > 1e9", None),
        ("sum(demo_cpu +)", None),
        ("time()", 1000),  # which cannot be counted, and has a value at all times
        ("demo_cpu offset 4h or vector(0)", 1000),
        ("demo_cpu", None),  # of the last four hours, in which nothing was written
        ("demo_cpu offset 4h", 0),
    ],
)
def test_what_has_no_value_is_not_ticked_through(prometheus, query, begins, tmp_path):
    """At no time: that is the error, at once. At all times: every tick is made."""
    config = configuration(prometheus)
    config["watchers"][0]["metrics"] = {"cpu": {"query": query}}
    begin = "-3h" if query == "demo_cpu" else "-1000d"
    config["watchers"][0]["window"] = "10m"
    answer = backtest(tmp_path, config, f"--from={begin}", "--every=300d", "--format=json")
    if begins is None:
        assert (answer.returncode, answer.stdout) == (1, "")
        assert "watcher api has nothing to judge from" in answer.stderr
        assert ("parse error" in answer.stderr) == ("+)" in query)
    else:
        said = answer.stderr.splitlines()[1]
        assert ("no value is older" in said) == (begins == 0)
        assert (", 4 ticks" in said) == (begins == 1000)


@pytest.mark.parametrize("by", ["request", "silence"])
def test_what_is_declared_is_not_told(prometheus, now, tmp_path, by):
    """By a request or by a silence: the departure is reported as expected, and as an alert where declarations are left out."""
    begin, end = now - 3 * HOUR - 60, now - 2.5 * HOUR + 600
    database = Database(f"sqlite:///{tmp_path / 'lens.db'}")
    database.migrate()
    if by == "request":
        matchers = (Matcher("watcher", "api"), Matcher("instance", "api-7:9000"))
        Register(database).put(Declaration("01JD", DeclarationSource.API, matchers, begin, end, "API", "deploy"))
        elsewhere = (Matcher("watcher", "host"),)
        Register(database).put(Declaration("01JE", DeclarationSource.API, elsewhere, begin, end, "API", "of another watcher"))
    stored = Register(database).all()
    silences = [expected_silence(begin, end)] if by == "silence" else []
    with FaultyServer(ok(silences)) as alertmanager:
        config = {**configuration(prometheus, alertmanager.url), "database_url": "sqlite:///lens.db"}
        asked = (f"--from={now - 3.5 * HOUR}", f"--to={now - 2 * HOUR}", "--every=5m")
        answer = backtest(tmp_path, config, *asked, "--format=json")
        ignoring = backtest(tmp_path, config, *asked, "--ignore-expected")
    assert (answer.returncode, unexpected(answer), ignoring.returncode, unexpected(ignoring)) == (0, [], 0, [])
    found = json.loads(answer.stdout)
    assert found["alerts"] == []
    expected = found["expected"]
    assert (expected["ignored"], expected["error"]) == (False, None)
    (declaration,) = expected["declarations"]
    (anomaly,) = expected["anomalies"]
    assert anomaly["declaration"] == declaration["id"] == {"request": "01JD", "silence": "8c2a"}[by]
    assert rfc3339(begin) < anomaly["at"] < rfc3339(end)
    assert "1 alert would have fired" in ignoring.stdout
    assert "expected     what is declared was left out (--ignore-expected)" in ignoring.stdout.splitlines()
    assert Register(database).all() == stored
    database.close()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--watcher=ap", "--from=-1h"), 2, "there is no watcher 'ap' (did you mean \"api\"?); known: api"),
        (("--watcher=api", "--from=-1h", "--to=-2h"), 2, "is not before --to"),
        (("--watcher=api", "--from=soon"), 2, '--from: expected a time like "2026-11-20T14:00:00Z"'),
        (("--watcher=api", "--from=-1h", "--to=+1h"), 2, "is still to come"),
        (("--watcher=api", "--from=-1h", "--incidents=none.csv"), 2, "'none.csv' does not exist"),
        (("--watcher=api", "--from=-1h", "--incidents=bad.csv"), 1, "bad.csv:2: start: expected an ISO 8601 time or Unix"),
        (("--watcher=api", "--from=-1h", "--plot=out.gif"), 1, "cannot write out.gif: expected a file whose name ends in"),
        (("--watcher=api", "--from=-40d", "--to=-39d", "--every=6h"), 1, "watcher api has nothing to judge from"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(prometheus, arguments, code, said, tmp_path):
    """Exit code 2 for a wrong call, 1 for what did not work out; nothing on standard output."""
    (tmp_path / "bad.csv").write_text("start,end\nsoon,later\n", "utf-8")
    (tmp_path / "lens.yml").write_text(yaml.safe_dump(configuration(prometheus), sort_keys=False), "utf-8")
    answer = lens("--config.file=lens.yml", *arguments, folder=tmp_path)
    assert (answer.returncode, answer.stdout) == (code, "")
    assert said in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_prometheus_that_is_away_is_a_failure(tmp_path):
    """Exit code 1 and whom it could not reach: no report is made up."""
    config = {"prometheus": {"url": "http://127.0.0.1:9"}}
    (tmp_path / "lens.yml").write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")
    answer = lens("--config.file=lens.yml", "--watcher=host", "--from=-1h", folder=tmp_path)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "prometheus at http://127.0.0.1:9 cannot be reached" in answer.stderr
