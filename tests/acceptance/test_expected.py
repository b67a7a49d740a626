"""A person says that it is expected, where they would silence it: the alert ends, and stays away over a crash of everybody."""

import time
from datetime import UTC, datetime, timedelta

import pytest
import requests

from tests.servers.alertmanager import AlertmanagerServer
from tests.servers.leaky_prometheus import LeakyPrometheus, watcher
from tests.servers.lens_process import LensProcess
from tests.servers.waiting import until

pytestmark = pytest.mark.acceptance


class Site:
    """One lens-exporter between a Prometheus that can leak and a real Alertmanager."""

    def __init__(self, folder) -> None:
        self.prometheus = LeakyPrometheus()
        self.alertmanager = AlertmanagerServer(folder)
        self.lens = LensProcess(
            folder / "lens",
            {
                "prometheus": {"url": self.prometheus.url},
                "alertmanager": {"urls": [self.alertmanager.url], "timeout": "4s"},
                "watchers": [watcher("files")],
                "investigate": {"enabled": False},
            },
        )

    def close(self) -> None:
        self.lens.kill()
        self.alertmanager.stop()
        self.prometheus.close()

    def firing(self) -> list[str]:
        return [one["labels"]["alertname"] for one in self.lens.get("/api/v1/alerts").json()["alerts"]]

    def silence(self, comment: str) -> str:
        now = datetime.now(UTC)
        body = {
            "matchers": [{"name": "alertname", "value": "Lens.*", "isRegex": True, "isEqual": True}],
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(hours=1)).isoformat(),
            "createdBy": "alice",
            "comment": comment,
        }
        answer = requests.post(f"{self.alertmanager.url}/api/v2/silences", json=body, timeout=5)
        answer.raise_for_status()
        return answer.json()["silenceID"]


def test_an_expected_silence_ends_the_alert_and_outlives_a_crash_of_everybody(tmp_path):
    """Another silence changes nothing; one that says expected ends the alert at the next round; both killed, lens-exporter alone knows."""
    site = Site(tmp_path)
    try:
        site.lens.start()
        site.prometheus.leak()
        until(lambda: site.firing() == ["LensFiles"], 30, what="the alert")
        site.silence("noise")
        said = site.silence("Expected: load test")
        # A reload begins a round at once, and is what a declaration has to survive anyway.
        assert site.lens.post("/-/reload").status_code == 200
        # Should this round find Alertmanager busy, the next one comes a minute later.
        until(lambda: site.firing() == [], 90, what="the alert ends")
        (over,) = site.lens.events("anomaly.over")
        assert over["data"]["reason"] == "expected"
        (declared,) = site.lens.events("expected.declared")
        assert (declared["subject"], declared["data"]["by"]) == (said, "alice")
        assert [one["id"] for one in site.lens.get("/api/v1/expected").json()["expected"]] == [said]
        story = [event["type"] for event in site.lens.events(correlation=over["correlation"])]
        assert "anomaly.expected" in story
        page = site.lens.get(f"/anomalies/{over['correlation']}").text
        assert "/api/v1/expected" in page

        site.alertmanager.kill()
        site.lens.kill()
        site.lens.start()
        until(lambda: site.lens.metrics().value("lens_ticks_total", watcher="files") >= 3, 60, what="it looks again")
        assert [one["id"] for one in site.lens.get("/api/v1/expected").json()["expected"]] == [said]
        assert site.firing() == []
        assert len(site.lens.events("alert.fired")) == 1
    finally:
        site.close()


def test_a_deployment_declares_its_own_time(tmp_path):
    """Declared by HTTP the leak is not told; taken back it is, at the next look."""
    site = Site(tmp_path)
    try:
        site.lens.start()
        wish = {"watcher": "files", "labels": {"instance": "api-7:9000"}, "from": time.time() - 60, "to": time.time() + 600}
        answer = site.lens.post("/api/v1/expected", json={**wish, "comment": "deploy 2026-11-20.3"})
        assert answer.status_code == 201, answer.text
        assert answer.json()["by"] == "API from 127.0.0.1"
        assert site.lens.metrics().value("lens_expected_running", watcher="files", source="api") == 1
        until(lambda: site.lens.get("/api/v1/watchers/files").json()["readings"], 30, what="it has looked")
        mistyped = site.lens.post("/api/v1/expected", json={**wish, "labels": {"instanec": "api-7:9000"}})
        again = site.lens.post("/api/v1/expected", json=wish)
        assert [one.json()["series"] for one in (mistyped, again)] == [0, 1]
        for one in (mistyped, again):
            assert requests.delete(f"{site.lens.url}/api/v1/expected/{one.json()['id']}", timeout=5).status_code == 200
        site.prometheus.leak()
        until(lambda: site.lens.events("anomaly.expected"), 30, what="the anomaly is noted")
        assert site.firing() == []
        address = f"{site.lens.url}/api/v1/expected/{answer.json()['id']}"
        assert requests.delete(address, timeout=5).status_code == 200
        until(lambda: site.firing() == ["LensFiles"], 30, what="the alert")
        assert site.lens.get("/api/v1/expected").json()["expected"] == []
        assert site.lens.post("/api/v1/expected", json={**wish, "watcher": "nope"}).status_code == 404
        never = site.lens.post("/api/v1/expected", json={**wish, "labels": {"severity": "critical"}})
        assert (never.status_code, never.json()["error"]["type"]) == (400, "declaration_invalid")
    finally:
        site.close()
