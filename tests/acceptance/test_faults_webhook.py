"""Webhook bodies one may meet, sent to the whole program: each has its documented answer, and none is a 5xx."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.servers.gate import GatedAlertmanager, GatedPrometheus
from tests.servers.lens_process import LensProcess
from tests.servers.waiting import until

pytestmark = pytest.mark.acceptance


def alert(name: str, **labels: str) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": {"alertname": name, "severity": "critical", **labels},
        "annotations": {"summary": f"{name} on {labels.get('instance', 'something')}", "runbook_url": "https://wiki/x"},
        "startsAt": "2026-11-20T14:02:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph?g0.expr=up",
    }


def payload(*alerts: dict[str, Any], key: str = "{}:{}", **more: Any) -> dict[str, Any]:
    return {"version": "4", "groupKey": key, "status": "firing", "receiver": "lens", "alerts": list(alerts), **more}


MEGABYTE = 2**20
REFUSED = {
    "malformed": (b'{"version": "4", "alerts": [', 400, "bad_webhook", r"not JSON: "),
    "nothing": (b"", 400, "bad_webhook", "not JSON: "),
    "no object": (b"[1, 2]", 400, "bad_webhook", "expected a JSON object, got a list"),
    "version 3": (b'{"version": "3"}', 400, "bad_webhook", "the body has version '3', expected \"4\""),
    "other template": (b'{"text": "disk full"}', 400, "bad_webhook", 'the body has no version, expected "4"'),
    "no key": (b'{"version": "4", "alerts": []}', 400, "bad_webhook", "groupKey is missing"),
    "alerts of text": (b'{"version": "4", "groupKey": "k", "alerts": ["x"]}', 400, "bad_webhook", "alerts[0] is text"),
    "deep": (b'{"version":' + b"[" * 100_000, 400, "bad_webhook", "not JSON: "),
    "30 MB": (b" " * (30 * MEGABYTE), 413, "body_too_large", "the body has more than 10485760 bytes"),
}


class Site:
    """lens-exporter without watchers: all its work comes by webhook."""

    def __init__(self, folder) -> None:
        self.prometheus, self.alertmanager = GatedPrometheus(), GatedAlertmanager()
        self.lens = LensProcess(
            folder,
            {
                "prometheus": {"url": self.prometheus.url},
                "alertmanager": {"urls": [self.alertmanager.url]},
                "watchers": [],
                "investigate": {"debounce": "100ms"},
            },
        ).start()

    def close(self) -> None:
        self.lens.kill()
        self.prometheus.close()
        self.alertmanager.close()

    def send(self, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.lens.post("/webhook", json=body)
        assert answer.status_code == 200, answer.text
        taken: dict[str, Any] = answer.json()
        return taken

    def investigations(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.lens.get("/api/v1/investigations").json()["investigations"]
        return found


@pytest.fixture
def site(tmp_path) -> Iterator[Site]:
    running = Site(tmp_path)
    yield running
    running.close()


def test_what_is_no_webhook_is_refused_in_words(site):
    """Each wrong body has its code and words for whoever configured the sender; it is counted, told, and becomes no work."""
    with site.lens.answering():
        for name, (body, status, kind, words) in REFUSED.items():
            answer = site.lens.post("/webhook", body)
            error = answer.json()["error"]
            assert (answer.status_code, error["type"]) == (status, kind), name
            assert words in error["message"], name
        chunked = site.lens.post("/webhook", (b" " * MEGABYTE for _ in range(30)))
        assert chunked.status_code == 413
    page = site.lens.metrics()
    assert page.value("lens_webhooks_total", answer="malformed") == len(REFUSED) - 1
    assert page.value("lens_webhooks_total", answer="too_large") == 2
    refused = site.lens.events("webhook.refused")
    assert [event["data"]["answer"] for event in refused] == ["malformed"] * (len(REFUSED) - 1) + ["too_large"] * 2
    assert site.investigations() == []


def test_ten_thousand_alerts_are_one_investigation(site):
    """One body, answered while scrapes go on; one result; the same body again is known."""
    body = payload(*(alert("DiskFailing", instance=f"disk-{number}") for number in range(10_000)))
    with site.lens.answering():
        taken = site.send(body)
        assert (taken["outcome"], taken["alerts"]) == ("accepted", {"accepted": 10_000})
        done = until(lambda: [one for one in site.investigations() if one["state"] == "done"], 60)
        assert [(one["id"], one["source"]["alerts"]) for one in done] == [(taken["investigation"], 10_000)]
        assert site.send(body)["alerts"] == {"duplicate": 10_000}
    (companion,) = site.alertmanager.companions()
    assert json.loads(companion)["source_alertname"] == "DiskFailing"
    assert len(site.investigations()) == 1


def test_own_companions_and_nothing_at_all_are_no_work(site):
    """What lens-exporter said itself comes back as a webhook and ends there; beside a real alert it is left out."""
    site.send(payload(alert("DiskFailing", instance="disk-0"), key="disk", newField={"of": "a later version"}, alertsTotal=1))
    until(lambda: site.alertmanager.companions(), 20)
    own = {**site.alertmanager.last(), "status": "firing", "newField": 7}
    assert own["labels"]["alertname"] == "LensInvestigation"
    for _ in range(3):
        taken = site.send(payload(own, key="companions"))
        assert (taken["outcome"], taken["investigation"]) == ("companion", None)
    assert site.send(payload(key="empty"))["outcome"] == "empty"
    mixed = site.send(payload(own, alert("DiskFailing", instance="disk-1"), key="mixed"))
    assert mixed["alerts"] == {"accepted": 1, "companion": 1}
    until(lambda: [one["state"] for one in site.investigations()] == ["done", "done"], 20)
    assert [one["source"]["alerts"] for one in site.investigations()] == [1, 1]
    assert len(site.alertmanager.companions()) == 2
