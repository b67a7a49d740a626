"""An endpoint against servers that misbehave in every way a server can."""

import gzip
import re
import socket
import struct
import threading
import time

import orjson
import pytest

from lens_exporter.errors import (
    AnswerTooLarge,
    BadAnswer,
    BreakerOpen,
    RemoteError,
    RemoteRefused,
    RemoteTimeout,
    RemoteUnavailable,
    SecretUnreadable,
    Unreachable,
)
from lens_exporter.foundation.breaker import BreakerState, CircuitBreaker
from lens_exporter.foundation.http import Credentials, Endpoint
from lens_exporter.foundation.telemetry import Telemetry
from tests.servers.faulty import FaultyServer, Reply, ok
from tests.servers.raw import RawServer, drip

pytestmark = pytest.mark.integration

TIMEOUT = 1.5


class Site:
    """An endpoint with its breaker and metrics."""

    def __init__(self, url: str, **options) -> None:
        self.telemetry = Telemetry()
        self.breaker = CircuitBreaker("prometheus", url, clock=lambda: 1000.0)
        self.endpoint = Endpoint(
            "prometheus", url, telemetry=self.telemetry, breaker=self.breaker, timeout=options.pop("timeout", TIMEOUT), **options
        )

    def fails(self, kind: type[RemoteError]) -> str:
        with pytest.raises(kind) as caught:
            self.endpoint.request("GET", "/api")
        assert type(caught.value) is kind
        assert self.telemetry.value("lens_remote_requests_failed_total", service="prometheus", error=kind.__name__) >= 1
        return str(caught.value)


def reset(connection: socket.socket, _closing: threading.Event) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def say(content: bytes):
    return lambda connection, _closing: connection.sendall(content)


def test_an_answer_arrives_whole_with_what_was_asked():
    """Method, path, parameters, JSON body and headers reach the server; body, status and type come back."""
    with FaultyServer(ok({"a": 1}, 201)) as server:
        site = Site(server.url, credentials=Credentials(headers={"X-Scope-OrgID": "team"}, bearer=lambda: "s3cret"))
        answer = site.endpoint.request("POST", "/api", params={"q": "a b"}, json={"at": 1.5})
        request = server.requests[0]
    assert (answer.status, answer.json(), answer.content_type) == (201, {"a": 1}, "application/json")
    assert (request.method, request.path, request.params, request.json()) == ("POST", "/api", {"q": ["a b"]}, {"at": 1.5})
    assert (request.headers["Authorization"], request.headers["X-Scope-OrgID"]) == ("Bearer s3cret", "team")
    assert site.telemetry.value("lens_remote_requests_total", service="prometheus") == 1
    assert site.telemetry.value("lens_remote_request_duration_seconds_count", service="prometheus") == 1


def test_secrets_are_read_for_each_request_and_may_hold_any_letter():
    """A rotated password is used at once; RFC 7617 in UTF-8."""
    passwords = ["first", "zwölf"]
    with FaultyServer(ok({})) as server:
        site = Site(server.url, credentials=Credentials(basic=lambda: ("me", passwords.pop(0))))
        for _ in range(2):
            site.endpoint.request("GET", "/")
        sent = [request.headers["Authorization"] for request in server.requests]
    assert sent == ["Basic bWU6Zmlyc3Q=", "Basic bWU6enfDtmxm"]


def test_a_secret_that_cannot_be_read_is_not_the_services_fault():
    """The named error comes out, nothing is sent, the breaker stays closed."""

    def unreadable() -> str:
        raise SecretUnreadable(key="prometheus.bearer_token_file", path="/gone", reason="No such file or directory")

    with FaultyServer(ok({})) as server:
        site = Site(server.url, credentials=Credentials(bearer=unreadable))
        for _ in range(6):
            with pytest.raises(SecretUnreadable):
                site.endpoint.request("GET", "/")
        assert (server.requests, site.breaker.state) == ([], BreakerState.CLOSED)
    assert site.telemetry.value("lens_remote_requests_total", service="prometheus") is None
    assert site.telemetry.value("lens_remote_request_duration_seconds_count", service="prometheus") is None
    assert site.telemetry.value("lens_remote_requests_failed_total", service="prometheus", error="SecretUnreadable") == 6


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "serve",
    [
        pytest.param(lambda _connection, closing: closing.wait(), id="never answers"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\nX-Header: "), id="drips its headers"),
        pytest.param(drip(b"", b"H"), id="drips its status line"),
        pytest.param(drip(HEAD + b"Content-Length: 1000000\r\n\r\n"), id="drips its body"),
        pytest.param(drip(HEAD + b"\r\n"), id="drips a body without a length"),
        pytest.param(drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"), id="drips chunks"),
        pytest.param(drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffff\r\n"), id="drips inside a chunk"),
    ],
)
def test_a_slow_server_costs_the_timeout_and_not_more(serve):
    """Whatever the server drips, the whole request ends soon after its timeout, as a timeout."""
    with RawServer(serve) as server:
        site = Site(server.url)
        started = time.monotonic()
        assert site.fails(RemoteTimeout) == f"prometheus at {server.url} did not answer within 1.5 s"
        assert TIMEOUT * 0.9 < time.monotonic() - started < 3.0


@pytest.mark.parametrize(
    ("serve", "kind", "words"),
    [
        (reset, Unreachable, "cannot be reached"),
        (say(b""), Unreachable, "cannot be reached"),
        (say(HEAD + b"Content-Length: 100\r\n\r\n{}"), BadAnswer, "the connection broke inside the answer"),
        (say(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"), BadAnswer, "the connection broke inside the answer"),
        (say(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nab"), BadAnswer, "the connection broke inside the answer"),
        (say(HEAD + b"Connection: close\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"), BadAnswer, "not its protocol"),
        (say(b"SSH-2.0-OpenSSH_9.2\r\n"), Unreachable, "cannot be reached"),
        (say(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n"), Unreachable, "cannot be reached"),
    ],
    ids=["reset", "hangs up", "half a body", "half a chunk", "bad chunk", "not gzip", "another protocol", "500 headers"],
)
def test_a_broken_answer_is_a_named_error(serve, kind, words):
    """Each way of breaking has its name, and counts against the service."""
    with RawServer(serve) as server:
        site = Site(server.url)
        assert words in site.fails(kind)
        for _ in range(4):
            site.fails(kind)
        assert site.breaker.state is BreakerState.OPEN
        site.fails(BreakerOpen)


def test_nobody_listening_is_said_in_plain_words():
    """The reason is the system's, without the library's object addresses."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    assert Site(url).fails(Unreachable) == f"prometheus at {url} cannot be reached: Connection refused"


def test_a_name_that_does_not_resolve_is_said_in_plain_words():
    """RFC 2606 keeps .invalid unresolvable."""
    words = Site("http://prometheus.invalid:9090").fails(Unreachable)
    assert re.search(r"cannot be reached: (Name or service not known|Temporary failure in name resolution)$", words)


SENT = ("requests_total", "request_duration_seconds_count")


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_a_server_in_trouble_is_unavailable(status):
    """5xx and 429 are worth another try, carry the server's words in one line, and count against it."""
    with FaultyServer(Reply(b"<html>\n<b>overloaded</b>\n</html>", status, "text/html")) as server:
        site = Site(server.url)
        assert site.fails(RemoteUnavailable) == (f"prometheus at {server.url} answered {status}: <html> <b>overloaded</b> </html>")
        for _ in range(4):
            site.fails(RemoteUnavailable)
        assert (len(server.requests), site.breaker.state) == (5, BreakerState.OPEN)
        site.fails(BreakerOpen)
    count = {name: site.telemetry.value(f"lens_remote_{name}", service="prometheus") for name in SENT}
    assert count == dict.fromkeys(SENT, 5)  # what the breaker refused was not sent


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_a_refused_request_says_nothing_about_the_servers_health(status):
    """However many requests are refused, the breaker stays closed."""
    with FaultyServer(Reply(b"no", status)) as server:
        site = Site(server.url)
        for _ in range(6):
            assert site.fails(RemoteRefused).endswith(f"refused the request with {status}: no")
        assert site.breaker.state is BreakerState.CLOSED


def test_a_status_the_caller_accepts_is_an_answer():
    """Prometheus' 422 carries JSON that its client wants to read."""
    with FaultyServer(ok({"status": "error"}, 422)) as server:
        answer = Site(server.url).endpoint.request("GET", "/", accept={422})
    assert (answer.status, answer.json()) == (422, {"status": "error"})


def test_a_redirect_is_not_followed():
    """It would carry the credentials to another host; the error says where to."""
    with FaultyServer(Reply(status=302, headers={"Location": "http://elsewhere/login"})) as server:
        words = Site(server.url, credentials=Credentials(bearer=lambda: "s3cret")).fails(RemoteRefused)
        assert len(server.requests) == 1
    assert words.endswith(
        "refused the request with 302: redirects to http://elsewhere/login, which is not followed; configure that address"
    )


@pytest.mark.parametrize("compress", [False, True])
def test_too_large_an_answer_is_left_unread(compress):
    """The limit holds for the unpacked body, so a small bomb does not go off."""
    body = b"0" * 3_000_000
    reply = Reply(gzip.compress(body), headers={"Content-Encoding": "gzip"}) if compress else Reply(body)
    with FaultyServer(reply) as server:
        site = Site(server.url, max_bytes=1_000_000)
        for _ in range(6):
            assert site.fails(AnswerTooLarge).endswith("answered more than 1000000 bytes")
        assert site.breaker.state is BreakerState.CLOSED


def test_a_check_that_refuses_an_answer_counts_against_the_service():
    """HTML with 200, from a proxy in between, opens the breaker like any other trouble."""

    def check(answer) -> None:
        try:
            answer.json()
        except orjson.JSONDecodeError:
            raise BadAnswer(service="prometheus", url="x", reason="HTML") from None

    with FaultyServer(Reply(b"<html>", content_type="text/html")) as server:
        site = Site(server.url)
        for _ in range(5):
            with pytest.raises(BadAnswer):
                site.endpoint.request("GET", "/", check=check)
        assert site.breaker.state is BreakerState.OPEN


def test_a_body_that_failed_is_not_sent_twice():
    """Only connections are retried: a request that may have arrived is not repeated."""
    with RawServer(say(b"")) as server:
        Site(server.url).fails(Unreachable)
        assert server.connections == 1


def test_the_environment_gives_neither_proxy_nor_password(monkeypatch, tmp_path):
    """http_proxy and .netrc of whoever starts lens-exporter change nothing."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password hunter2\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with FaultyServer(ok({})) as server:
        Site(server.url).endpoint.request("GET", "/")
        assert "Authorization" not in server.requests[0].headers
