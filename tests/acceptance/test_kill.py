"""kill -9 of the whole program while a model investigates: one published result each, and no model call paid twice."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.servers.gate import GatedAlertmanager, GatedPrometheus
from tests.servers.grafana import FakeGrafana
from tests.servers.lens_process import LensProcess
from tests.servers.model_server import Answer, Asked, ModelServer, use
from tests.servers.waiting import until

pytestmark = pytest.mark.acceptance

STARTED = "2026-11-20T14:02:00Z"
FINDING = {"claim": "open files 61 -> 1,480", "receipts": ["r1"], "kind": "fact"}


def analyst(asked: Asked) -> Answer:
    """Two looks at two metrics, an analysis with one proved claim, and a reviewer that accepts it."""
    if "submit_review" in asked.offered:
        return use("submit_review", verdict="accept", confidence="high")
    looks = ("python_open_fds", "process_resident_memory_bytes")
    done = len(asked.tool_results)
    if done < len(looks):
        return use("promql_range", query=f'{looks[done]}{{instance="api-7:9000"}}', start="now-1h", end="now")
    return use(
        "submit_analysis",
        status="warning",
        outcome="cause_found",
        summary="Open files leak: 61 -> 1,480 within the hour.",
        findings=[FINDING],
        recommendations=["lsof -p 4211"],
    )


class Site:
    """lens-exporter as a process, between local servers that outlive it."""

    def __init__(self, folder: Any) -> None:
        self.prometheus, self.alertmanager, self.grafana = GatedPrometheus(), GatedAlertmanager(), FakeGrafana()
        self.model = ModelServer(analyst)
        self.model.__enter__()
        token, key = folder / "token", folder / "key"
        token.write_text("glsa_secret")
        key.write_text("sk-ant-test")
        token.chmod(0o600)
        key.chmod(0o600)
        options = {"base_url": self.model.url, "api_key_file": str(key)}
        self.lens = LensProcess(
            folder / "lens",
            {
                "prometheus": {"url": self.prometheus.url, "concurrency": 4},
                "alertmanager": {"urls": [self.alertmanager.url], "resend_interval": "1s"},
                "grafana": {"url": self.grafana.url, "token_file": str(token)},
                "llm": {"primary": "claude", "clients": [{"name": "claude", "provider": "anthropic", "options": options}]},
                "watchers": [],
                "investigate": {"debounce": "100ms"},
            },
        )

    def close(self) -> None:
        for gate in (self.prometheus.gate, self.alertmanager.gate):
            gate.open()
        self.lens.kill()
        self.model.__exit__()
        for server in (self.prometheus, self.alertmanager, self.grafana):
            server.close()

    def alert(self, name: str) -> None:
        labels = {"alertname": name, "severity": "critical", "instance": "api-7:9000"}
        body = {
            "version": "4",
            "groupKey": f'{{}}:{{alertname="{name}"}}',
            "status": "firing",
            "groupLabels": {"alertname": name},
            "alerts": [{"status": "firing", "labels": labels, "startsAt": STARTED, "endsAt": "0001-01-01T00:00:00Z"}],
        }
        assert requests.post(self.lens.url + "/webhook", json=body, timeout=10).status_code == 200

    def investigations(self) -> list[dict[str, Any]]:
        return requests.get(self.lens.url + "/api/v1/investigations", timeout=10).json()["investigations"]

    def finished(self, count: int) -> list[dict[str, Any]]:
        def all_done() -> list[dict[str, Any]]:
            found = [one for one in self.investigations() if one["state"] == "done"]
            return found if len(found) == count else []

        return until(all_done, 90.0, what=f"{count} finished investigations")


@pytest.fixture
def site(tmp_path: Any) -> Iterator[Site]:
    site = Site(tmp_path)
    try:
        yield site
    finally:
        site.close()


def killed_when(site: Site, arrived: threading.Event, what: str) -> None:
    assert arrived.wait(60.0), f"{what} never came"
    site.lens.kill()


def expect_one_result(site: Site) -> dict[str, Any]:
    [one] = site.finished(1)
    assert (one["verdict"], one["source"]["alertname"]) == ("cause_found", "FilesLeak")
    until(lambda: len(site.alertmanager.companions()) == 1 and len(site.grafana.annotations) == 1, 30.0, what="both publications")
    assert site.model.repeated == 0, "a model call was paid for twice"
    assert len(site.model.requests) == 4, "two looks, one analysis, one review"
    whole = requests.get(f"{site.lens.url}/api/v1/investigations/{one['id']}", timeout=10).json()
    assert whole["findings"] == [{"claim": "open files 61 -> 1,480", "kind": "fact", "receipts": ["r1"], "holds": True}]
    return whole


def range_query(word: str) -> Any:
    return lambda request: request.path.endswith("/query_range") and word in request.form["query"][0]


def test_killed_after_the_webhook_was_answered(site):
    """The 200 means stored: the investigation happens in the next life."""
    site.lens.start()
    site.alert("FilesLeak")
    site.lens.kill()
    site.lens.start()
    expect_one_result(site)


def test_killed_between_two_tool_calls(site):
    """The first tool call is recorded, the second is made again; no model call is."""
    site.lens.start()
    site.prometheus.gate.close_for(range_query("process_resident"))
    site.alert("FilesLeak")
    killed_when(site, site.prometheus.gate.arrived, "the second tool call")
    asked_before = len(site.model.requests)
    site.prometheus.gate.open()
    site.lens.start()
    whole = expect_one_result(site)
    assert asked_before == 2
    assert set(whole["receipts"]) == {"r1", "r2"}
    first = [request for request in site.prometheus.requests if range_query("python_open_fds")(request)]
    assert len(first) == 2, "asked once by the model and once by the re-check, not again after the restart"


def test_killed_after_the_judge_before_anything_is_published(site):
    """The review is recorded: only publishing is left to do."""
    site.lens.start()
    site.alertmanager.gate.close_for(lambda request: b"LensInvestigation" in request.body)
    site.alert("FilesLeak")
    killed_when(site, site.alertmanager.gate.arrived, "the companion's post")
    assert site.alertmanager.companions() == set()
    assert len(site.model.requests) == 4
    site.alertmanager.gate.open()
    site.lens.start()
    expect_one_result(site)


def held(site: Site) -> list[Any]:
    return [request for request in site.prometheus.requests if range_query("process_resident")(request)]


def test_killed_again_and_again_with_several_alerts_waiting(site):
    """Three alerts, three deaths, each while nothing is on its way to the model: three results, each model call made once."""
    site.prometheus.gate.close_for(range_query("process_resident"))
    site.lens.start()
    site.alert("FilesLeak")
    site.alert("Second")
    for times in (2, 4):  # both are held at their second tool call, in the next life again
        until(lambda: len(held(site)) == times, 60.0, what=f"{times} second tool calls")  # noqa: B023 - asked at once
        site.lens.kill()
        site.lens.start()
    site.alert("Third")  # two at a time are investigated: this one waits
    until(lambda: len(held(site)) == 6, 60.0, what="the second tool calls of the third life")
    site.lens.kill()
    site.prometheus.gate.open()
    site.lens.start()
    done = site.finished(3)
    assert sorted(one["source"]["alertname"] for one in done) == ["FilesLeak", "Second", "Third"]
    assert {one["verdict"] for one in done} == {"cause_found"}
    until(lambda: len(site.alertmanager.companions()) == 3 and len(site.grafana.annotations) == 3, 30.0, what="three publications")
    assert site.model.repeated == 0
    assert len(site.model.requests) == 12
