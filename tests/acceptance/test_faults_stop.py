"""SIGTERM in the middle of everything: the end is quick, and the next start goes on where it was."""

import signal
import time
from collections.abc import Iterator

import pytest

from tests.servers.faulty import Reply
from tests.servers.gate import GatedAlertmanager, GatedPrometheus
from tests.servers.leaky_prometheus import LeakyPrometheus, watcher
from tests.servers.lens_process import LensProcess
from tests.servers.waiting import until

pytestmark = pytest.mark.acceptance

ALERT = {
    "status": "firing",
    "labels": {"alertname": "DiskFailing", "severity": "critical", "instance": "disk-0"},
    "annotations": {},
    "startsAt": "2026-11-20T14:02:00Z",
}
WEBHOOK = {"version": "4", "groupKey": "{}:{}", "status": "firing", "alerts": [ALERT]}


class Site:
    """A watcher whose Prometheus hangs, and investigations whose Prometheus can be held back."""

    def __init__(self, folder) -> None:
        self.prometheus, self.hanging = GatedPrometheus(), LeakyPrometheus()
        self.alertmanager = GatedAlertmanager()
        self.lens = LensProcess(
            folder,
            {
                "prometheus": {"url": self.prometheus.url},
                "datasources": {"hanging": {"url": self.hanging.url}},
                "alertmanager": {"urls": [self.alertmanager.url], "resend_interval": "1s"},
                "watchers": [watcher("hangs", datasource="hanging")],
            },
        )

    def close(self) -> None:
        self.prometheus.gate.open()
        self.lens.kill()
        for server in (self.prometheus, self.hanging, self.alertmanager):
            server.close()


@pytest.fixture
def site(tmp_path) -> Iterator[Site]:
    running = Site(tmp_path)
    yield running
    running.close()


def test_the_end_is_quick_and_the_next_start_goes_on(site):
    """A tick hangs and an investigation waits for a tool: it ends within seconds with exit code 0 and says so, and the next process
    publishes what this one began."""
    site.hanging.failing = Reply(hang=True)
    site.prometheus.gate.close_for(lambda request: request.path.endswith("/query_range"))
    lens = site.lens.start()
    taken = lens.post("/webhook", json=WEBHOOK).json()
    until(site.prometheus.gate.arrived.is_set, 20, what="an investigation is under way")
    until(lambda: site.hanging.requests, 20, what="a tick hangs")
    asked = time.monotonic()
    lens.send(signal.SIGTERM)
    assert lens.exit_code() == 0
    assert time.monotonic() - asked < 10, "what hangs gets four seconds, all of it at once"
    site.prometheus.gate.open()
    site.hanging.failing = None
    lens.start_again()
    assert [event["data"]["reason"] for event in lens.events("service.stopped")] == ["asked to stop"]
    done = until(lambda: lens.get("/api/v1/investigations", state="done").json()["investigations"], 30)
    assert [one["id"] for one in done] == [taken["investigation"]]
    assert len(site.alertmanager.companions()) == 1
    until(lambda: lens.events("watcher.decided"), 10, what="the watcher ticks")
