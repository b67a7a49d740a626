"""The webhook's edge over a real server: documented answers, no other 5xx, nothing that hurts the scrape."""

import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from structlog.testing import capture_logs

from lens_exporter.errors import BadWebhook, DatabaseFull, IntakeFull
from lens_exporter.exposition.documents import Problem
from tests.servers.lens_http import Recorded, plain_ports, serving
from tests.servers.waiting import until

pytestmark = pytest.mark.integration

JSON = {"Content-Type": "application/json"}


def parsing(body):
    """What the intake does first: JSON, an object, version 4."""
    try:
        payload = json.loads(body)
    except ValueError as error:
        raise BadWebhook(reason=str(error)) from error
    if payload.get("version") != "4":
        raise BadWebhook(reason=f"version {payload.get('version')!r}")
    return {"outcome": "accepted", "alerts": len(payload["alerts"])}


def post(url, data, **options):
    return requests.post(url + "/webhook", data=data, headers=options.pop("headers", JSON), timeout=20)


def body(alerts):
    labels = {"alertname": "HighLatency", "instance": "api-7:9000"}
    return json.dumps(
        {"version": "4", "groupKey": "{}", "new_field": 1, "alerts": [{"labels": {**labels, "n": str(n)}} for n in range(alerts)]}
    )


def test_stored_is_200_and_counted():
    """The answer says what became of it; unknown fields and ten thousand alerts are fine."""
    ports = plain_ports(webhook=parsing)
    with serving(ports) as url:
        answer = post(url, body(10_000))
        assert (answer.status_code, answer.json()) == (200, {"version": 1, "outcome": "accepted", "alerts": 10_000})
    assert ports.telemetry.value("lens_webhooks_total", answer="accepted") == 1


@pytest.mark.parametrize(
    ("data", "headers", "status", "answer"),
    [
        (b'{"version": "4", "alerts": [', JSON, 400, "malformed"),
        (b"", JSON, 400, "malformed"),
        (b"\xff\xfe", JSON, 400, "malformed"),
        (b'{"version": "3"}', JSON, 400, "malformed"),
        (b'{"version": "4"}', {"Content-Type": "text/plain"}, 415, "malformed"),
        (b'{"version": "4"}', {}, 415, "malformed"),
        (b"\x1f\x8b", {**JSON, "Content-Encoding": "gzip"}, 415, "malformed"),
        (b" " * 2000, JSON, 413, "too_large"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_a_reason(data, headers, status, answer):
    """A 4xx in the one shape, a count and an event that say why."""
    recorded = Recorded()
    ports = plain_ports(webhook=parsing, record=recorded.append)
    with serving(ports, max_body_bytes=1000) as url:
        said = post(url, data, headers=headers)
        assert said.status_code == status
        message = Problem.model_validate(said.json()).error.message
    assert ports.telemetry.value("lens_webhooks_total", answer=answer) == 1
    assert recorded.events == [("webhook.refused", {"answer": answer, "error": message, "left_out": 0})]


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (IntakeFull(depth=1000, limit=1000), "full"),
        (DatabaseFull(url="sqlite:///x", reason="disk"), "unavailable"),
        (RuntimeError("a fault of ours"), "unavailable"),
    ],
)
def test_what_may_work_later_is_503_with_retry_after(error, answer):
    """Alertmanager tries again, so nothing is lost; our own faults are not told apart to the sender."""

    def failing(_body):
        raise error

    ports = plain_ports(webhook=failing)
    with capture_logs(), serving(ports) as url:
        said = post(url, b"{}")
        assert said.status_code == 503
        assert int(said.headers["Retry-After"]) > 0
        assert "a fault of ours" not in said.text
    assert ports.telemetry.value("lens_webhooks_total", answer=answer) == 1


def test_thirty_megabytes_are_refused_whatever_they_claim():
    """By Content-Length before reading, and by count when the body comes in chunks without one."""
    thirty = b"x" * (30 * 1024 * 1024)

    def chunks():
        for start in range(0, len(thirty), 65536):
            yield thirty[start : start + 65536]

    seen = []
    ports = plain_ports(webhook=lambda data: seen.append(len(data)) or {"outcome": "accepted"})
    with serving(ports) as url:
        assert post(url, thirty).status_code == 413
        assert post(url, chunks()).status_code == 413
        assert requests.get(url + "/-/healthy", timeout=5).status_code == 200
    assert seen == []


def test_a_body_that_says_it_is_too_large_is_not_waited_for():
    """The refusal comes before the body."""
    with serving(plain_ports()) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as client:
            client.sendall(
                b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 31457280\r\n\r\n"
            )
            assert client.recv(4096).startswith(b"HTTP/1.1 413")


def test_a_body_that_never_ends_is_given_up():
    """A client that stops sending is answered 408 and its connection goes."""
    ports = plain_ports()
    with serving(ports, body_seconds=0.3) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as client:
            client.sendall(b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
            assert client.recv(4096).startswith(b"HTTP/1.1 408")
    assert ports.telemetry.value("lens_webhooks_total", answer="malformed") == 1


def test_a_sender_that_is_always_wrong_is_counted_and_not_stored():
    """Each refusal is in the counter; the events stay below one a second and say how many they left out."""
    told = Recorded()
    ports = plain_ports(record=told.append)
    with serving(ports) as url, requests.Session() as session:
        for _ in range(150):
            assert session.post(url + "/webhook", data="x", timeout=5).status_code == 415
    assert ports.telemetry.value("lens_webhooks_total", answer="malformed") == 150
    assert 60 <= len(told.of("webhook.refused")) < 100


def test_bodies_on_their_way_in_cannot_take_all_memory():
    """Together they may hold four times the limit; the next is 503, and the room is given back."""
    with serving(plain_ports(), max_body_bytes=100_000) as url:
        host, port = url.removeprefix("http://").split(":")
        clients = [socket.create_connection((host, int(port)), timeout=5) for _ in range(6)]
        for client in clients:
            head = b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
            client.sendall(head + b"x" * 90_000)
        answered = [client for client in clients if _readable(client)]
        assert len(answered) == 2
        assert all(client.recv(4096).startswith(b"HTTP/1.1 503") for client in answered)
        for client in clients:
            client.close()
        until(lambda: post(url, b"x" * 99_000).status_code == 200, 5)


def _readable(client):
    client.settimeout(1)
    try:
        return bool(client.recv(1, socket.MSG_PEEK))
    except TimeoutError:
        return False


def test_slow_calls_keep_no_scrape_waiting():
    """With every API and webhook thread busy, /metrics and health still answer at once."""
    gate = threading.Event()
    waiting = threading.Semaphore(0)

    def slow(*_arguments):
        waiting.release()
        gate.wait(20)
        return []

    ports = plain_ports(alerts=slow, webhook=lambda _body: slow() or {"outcome": "accepted"})
    with serving(ports) as url, ThreadPoolExecutor(60) as pool:
        try:
            calls = [pool.submit(requests.get, url + "/api/v1/alerts", timeout=30) for _ in range(40)]
            calls += [pool.submit(post, url, b"{}") for _ in range(20)]
            for _ in range(24):  # 16 threads for reading, 8 for the webhook
                assert waiting.acquire(timeout=10)
            assert requests.get(url + "/metrics", timeout=2).status_code == 200
            assert requests.get(url + "/-/ready", timeout=2).status_code == 200
        finally:
            gate.set()
        assert {call.result().status_code for call in calls} == {200}
