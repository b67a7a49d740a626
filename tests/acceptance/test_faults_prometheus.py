"""Prometheus down, slow or answering nonsense: named, counted, survived; what fires stays, and work goes on when it is back."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.servers.faulty import Reply, ok
from tests.servers.gate import GatedAlertmanager
from tests.servers.leaky_prometheus import LeakyPrometheus, watcher
from tests.servers.lens_process import LensProcess
from tests.servers.waiting import until

pytestmark = pytest.mark.acceptance

HTML = Reply(b"<html><body>Sign in first</body></html>", content_type="text/html")
EXECUTION = ok({"status": "error", "errorType": "execution", "error": "found duplicate series"}, 422)

# What each server does, and how the failed ticks of its watcher name it. None: it is stopped.
FAULTS: dict[str, tuple[Reply | None, str]] = {
    "down": (None, r"prometheus at {url} cannot be reached: Connection refused"),
    "slow": (Reply(hang=True), r"prometheus at {url} did not answer within 1\.0 s"),
    "http422": (EXECUTION, r"PromQL query failed \(execution\): found duplicate series; query: demo_open_files"),
    "http503": (Reply(b"overloaded", 503), r"prometheus at {url} answered 503: overloaded"),
    "html": (HTML, r"prometheus at {url} answered something that is not its protocol: not JSON \(200, text/html\): <html>.*"),
    "half": (
        Reply(b'{"status": "success"}', half=True),
        r"prometheus at {url} answered .* protocol: the connection broke inside .*",
    ),
}
# By lens_remote_requests_failed_total{error}. A server that says what is wrong with the query has not failed: 422 is not here.
ERRORS = ("Unreachable", "RemoteTimeout", "RemoteUnavailable", "BadAnswer")
GUARDED = [name for name in FAULTS if name != "http422"]

THEIRS = {
    "status": "firing",
    "labels": {"alertname": "Theirs", "severity": "critical", "instance": "api-7:9000"},
    "startsAt": "2026-11-20T14:02:00Z",
}
WEBHOOK = {"version": "4", "groupKey": "{}:{}", "status": "firing", "alerts": [THEIRS]}


class Site:
    """One lens-exporter with one watcher and one Prometheus for each fault, all of them at once."""

    def __init__(self, folder) -> None:
        self.prometheus = {name: LeakyPrometheus() for name in FAULTS}
        self.alertmanager = GatedAlertmanager()
        self.lens = LensProcess(
            folder,
            {
                "prometheus": {"url": "http://127.0.0.1:1"},  # down all the time; alerts of theirs are looked into there
                "datasources": {name: {"url": server.url, "timeout": "1s"} for name, server in self.prometheus.items()},
                "alertmanager": {"urls": [self.alertmanager.url], "resend_interval": "5s"},
                "watchers": [watcher(name, datasource=name) for name in FAULTS],
                "investigate": {"webhook_grace": "100ms", "source_patience": "4s"},
            },
        ).start()

    def close(self) -> None:
        self.lens.kill()
        for server in (*self.prometheus.values(), self.alertmanager):
            server.close()

    def break_all(self) -> None:
        for name, (reply, _) in FAULTS.items():
            if reply is None:
                self.prometheus[name].go_down()
            self.prometheus[name].failing = reply

    def mend_all(self) -> None:
        for name, (reply, _) in FAULTS.items():
            if reply is None:
                self.prometheus[name].come_back()
            self.prometheus[name].failing = None

    def investigation(self, identity: str) -> dict[str, Any]:
        whole: dict[str, Any] = self.lens.get(f"/api/v1/investigations/{identity}").json()
        return whole

    def firing(self) -> dict[str, str]:
        """The start of each watcher's alert."""
        alerts = self.lens.get("/api/v1/alerts").json()["alerts"]
        return {one["labels"]["watcher"]: one["starts_at"] for one in alerts if "watcher" in one["labels"]}

    def breakers(self) -> dict[str, float]:
        page = self.lens.metrics()
        return {
            name: page.value("lens_breaker_state", client=f"prometheus {server.url}") for name, server in self.prometheus.items()
        }

    def failed(self, name: str) -> list[str]:
        """What is told of a watcher: when its ticks begin to fail (a server that goes down may still hang up), and the breaker."""
        told = [event for event in self.lens.events("watcher.failed") if event["subject"] == name]
        opened = [event for event in self.lens.events("breaker.opened") if event["subject"].endswith(self.prometheus[name].url)]
        return [event["data"]["error"] for event in (*told, *opened)]

    def failed_ticks(self) -> list[float]:
        page = self.lens.metrics()
        return [page.value("lens_ticks_failed_total", watcher=name) for name in FAULTS]

    def ran(self) -> dict[str, float]:
        """When each watcher last finished a tick successfully."""
        page = self.lens.metrics()
        return {name: page.value("lens_watcher_last_run_timestamp_seconds", watcher=name) for name in FAULTS}


@pytest.fixture
def site(tmp_path) -> Iterator[Site]:
    running = Site(tmp_path)
    yield running
    running.close()


def test_every_fault_is_named_counted_and_survived(site):
    """Six watchers with an alert each, over six servers that fail in six ways: no alert ends of it, five breakers open and close
    again, and every watcher goes on by itself."""
    for server in site.prometheus.values():
        server.leak()
    fired = until(lambda: len(site.firing()) == len(FAULTS) and site.firing(), 30)
    # What the investigations ask counts for the breakers too, so they come first.
    until(lambda: len(site.alertmanager.companions()) == len(FAULTS), 30, what="each alert is investigated")
    with site.lens.answering():
        assert_named_and_counted(site, fired)
        assert_going_on(site, fired)
    for server in site.prometheus.values():
        server.recover()
    until(lambda: site.firing() == {}, 20, what="alerts end when the leaks do")


def assert_named_and_counted(site, fired):
    site.break_all()
    until(lambda: [name for name, state in site.breakers().items() if state == 2] == GUARDED, 30, what="five breakers are open")
    until(lambda: min(site.failed_ticks()) >= 5, 20, what="every watcher's ticks fail")
    page = site.lens.metrics()
    for name, (_, words) in FAULTS.items():
        pattern = words.format(url=re.escape(site.prometheus[name].url))
        named = [error for error in site.failed(name) if re.fullmatch(pattern, error)]
        assert len(named) >= 1, (pattern, site.failed(name))
    for error in ERRORS:
        assert page.value("lens_remote_requests_failed_total", service="prometheus", error=error) >= 5
    opened = {event["subject"]: event["data"]["failures"] for event in site.lens.events("breaker.opened")}
    assert {f"prometheus {site.prometheus[name].url}": 5 for name in GUARDED}.items() <= opened.items()
    assert page.value("lens_remote_requests_failed_total", service="prometheus", error="BreakerOpen") > 0
    assert site.firing() == fired, "an alert does not end because nobody can look"
    assert_investigated_all_the_same(site)


def assert_investigated_all_the_same(site):
    """An alert of theirs comes while Prometheus is away: it waits a while, then its result is published and says so."""
    published = len(site.alertmanager.companions())
    taken = site.lens.post("/webhook", json=WEBHOOK).json()
    whole = until(lambda: (one := site.investigation(taken["investigation"]))["state"] == "done" and one, 20)
    assert whole["verdict"] == "inconclusive", whole
    assert "prometheus at http://127.0.0.1:1 cannot be reached: Connection refused" in whole["reason"]
    assert len(site.alertmanager.companions()) == published + 1
    (put_off,) = site.lens.events("investigation.put_off")
    assert put_off["subject"] == taken["investigation"]
    assert site.lens.metrics().value("lens_investigations_put_off_total") == 1


def assert_going_on(site, fired):
    before = site.ran()
    site.mend_all()
    until(lambda: all(at > before[name] for name, at in site.ran().items()), 60, what="every watcher ticks again")
    until(lambda: set(site.breakers().values()) == {0.0}, 20, what="every breaker is closed")
    closed = {event["subject"] for event in site.lens.events("breaker.closed")}
    assert closed == {f"prometheus {site.prometheus[name].url}" for name in GUARDED}
    assert site.firing() == fired, "it is the same alert still"
    assert site.lens.events("alert.resolved") == []
