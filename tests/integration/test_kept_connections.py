"""A server that ends a kept connection at the very moment at which the next request comes over it."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from lens_exporter.errors import RemoteTimeout, Unreachable
from lens_exporter.foundation import deadline
from lens_exporter.foundation.http import Credentials
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.model.alert import Alert
from lens_exporter.prometheus.client import Prometheus
from lens_exporter.prometheus.cost import QueryLimits
from lens_exporter.publish.alertmanager import Alertmanager
from lens_exporter.publish.grafana import Annotation, Grafana
from tests.servers.certificates import Authority
from tests.servers.endpoints import endpoint
from tests.servers.raw import RawServer, whole_request

pytestmark = pytest.mark.integration

TIMEOUT = 5.0
ALERT = Alert(labels={"alertname": "A"}, annotations={}, starts_at=1000.0, ends_at=2000.0)
ANNOTATION = Annotation(1000.0, 2000.0, ("lens", "lens:1"), "text")

End = Callable[[socket.socket], None]


def hang_up(connection: socket.socket) -> None:
    """As a server does that reads the request and goes down: the connection ends without an answer."""
    whole_request(connection)


def reset(connection: socket.socket) -> None:
    """As a server does that had closed it: what arrives unread is answered by its kernel with a reset."""
    connection.recv(1, socket.MSG_PEEK)


def never_answer(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


class Closing(RawServer):
    """Answers a connection's first request with `body`, and ends the first `faulty` connections as their second one arrives."""

    def __init__(self, body: bytes, end: End, *, faulty: int = 1, before: Callable[[int], None] = lambda _connection: None) -> None:
        self._answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        self._end = end
        self._faulty = faulty
        self._before = before
        self.answered = 0
        super().__init__(self._serve_one)
        self.receive = whole_request

    def _serve_one(self, connection: socket.socket, _closing: threading.Event) -> None:
        number = self.connections
        self._before(number)
        self.answered += 1
        connection.sendall(self._answer)
        if number <= self._faulty:
            self._end(connection)
        else:
            while whole_request(connection):
                self.answered += 1
                connection.sendall(self._answer)


PROMETHEUS = b'{"status":"success","data":{"resultType":"vector","result":[]}}'

READS = [
    pytest.param(PROMETHEUS, lambda end: Prometheus(end, QueryLimits()).query("up"), id="a query, by POST"),
    pytest.param(b'{"status":"success","data":{"groups":[]}}', lambda end: Prometheus(end, QueryLimits()).rules(), id="rules"),
    pytest.param(b"[]", lambda end: Alertmanager(end).alerts(), id="alerts that are held"),
    pytest.param(b"{}", lambda end: Alertmanager(end).post([ALERT]), id="alerts that are posted"),
    pytest.param(b"[]", lambda end: Grafana(end).find("lens:1"), id="an annotation that is looked for"),
    pytest.param(b"{}", lambda end: Grafana(end).end("7", 2000.0), id="an annotation that is ended"),
]


@pytest.mark.parametrize("end", [hang_up, reset])
@pytest.mark.parametrize(("body", "ask"), READS)
def test_what_may_arrive_twice_is_asked_again_on_a_new_connection(body, ask, end):
    """Nobody hears of it: neither the caller, nor the breaker, nor the counter of failures."""
    with Closing(body, end) as server:
        counted = Telemetry()
        asking = endpoint(server.url, timeout=TIMEOUT, telemetry=counted)
        ask(asking)
        ask(asking)
        assert (server.connections, server.answered) == (2, 2)
    assert counted.value("lens_remote_requests_total", service="prometheus") == 2
    assert counted.value("lens_remote_requests_failed_total", service="prometheus", error="Unreachable") is None


@pytest.mark.parametrize("end", [hang_up, reset])
def test_an_annotation_is_not_made_twice(end):
    """It may have arrived; who makes it looks for it before it tries again."""
    with Closing(b'{"id":7}', end) as server:
        grafana = Grafana(endpoint(server.url, "grafana", timeout=TIMEOUT))
        grafana.create(ANNOTATION)
        with pytest.raises(Unreachable):
            grafana.create(ANNOTATION)
        assert (server.connections, server.answered) == (1, 1)


def test_a_connection_that_ended_before_it_was_used_again_costs_nothing():
    """urllib3 sees that, and nothing was sent: so an annotation goes out on a new one."""
    ended = threading.Event()

    def serve(connection: socket.socket, _closing: threading.Event) -> None:
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{"id":7}')
        connection.shutdown(socket.SHUT_RDWR)
        ended.set()

    with RawServer(serve) as server:
        grafana = Grafana(endpoint(server.url, "grafana", timeout=TIMEOUT))
        grafana.create(ANNOTATION)
        assert ended.wait(TIMEOUT)
        assert grafana.create(ANNOTATION) == "7"
        assert server.connections == 2


def test_a_new_connection_that_ends_too_is_a_failure():
    """Once is enough: then it is the server."""

    def refuse(connection: int) -> None:
        if connection > 1:
            raise OSError("not any more")

    with Closing(b"[]", hang_up, before=refuse) as server:
        alertmanager = Alertmanager(endpoint(server.url, timeout=TIMEOUT))
        alertmanager.alerts()
        with pytest.raises(Unreachable, match="closed connection without response"):
            alertmanager.alerts()
        assert (server.connections, server.answered) == (2, 1)


def test_other_kept_connections_are_not_tried_one_after_the_other():
    """A server that goes down ends all of them: the second try is on a new one."""
    both = threading.Barrier(2)

    def together(connection: int) -> None:
        if connection <= 2:
            both.wait(TIMEOUT)

    with Closing(b"[]", reset, faulty=2, before=together) as server:
        alertmanager = Alertmanager(endpoint(server.url, timeout=TIMEOUT))
        asking = [threading.Thread(target=alertmanager.alerts) for _ in range(2)]
        for one in asking:
            one.start()
        for one in asking:
            one.join(TIMEOUT)
        alertmanager.alerts()
        assert (server.connections, server.answered) == (3, 3)


def test_an_answer_that_takes_too_long_is_not_asked_for_again():
    """A query that timed out is not put on the server twice, though its connection was a kept one that has ended: by us."""
    with Closing(b"[]", never_answer) as server:
        alertmanager = Alertmanager(endpoint(server.url, timeout=0.5))
        alertmanager.alerts()
        with pytest.raises(RemoteTimeout):
            alertmanager.alerts()
        assert (server.connections, server.answered) == (1, 1)


@contextmanager
def behind_tls(server: RawServer, authority: Authority) -> Iterator[str]:
    """The server's address for TLS: it speaks that on the connections it takes from now on."""
    pair = authority.sign("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    server.wrap = lambda connection: context.wrap_socket(connection, server_side=True)
    yield server.url.replace("http://", "https://")


def test_a_request_that_was_worked_on_is_not_given_to_anybody_again(monkeypatch):
    """A proxy that cuts off a long query, a server that dies of it: the end comes later than that of an idle connection."""
    monkeypatch.setattr(deadline, "_AT_ONCE", 0.0)
    with Closing(PROMETHEUS, hang_up) as server:
        prometheus = Prometheus(endpoint(server.url, timeout=TIMEOUT), QueryLimits())
        prometheus.query("up")
        with pytest.raises(Unreachable):
            prometheus.query("up")
        assert (server.connections, server.answered) == (1, 1)


@pytest.mark.parametrize("said", [True, False], ids=["goodbye", "no goodbye"])
def test_also_over_tls(said, tmp_path):
    """Whether or not the server says goodbye, as TLS wants."""
    authority = Authority(tmp_path)

    def end(connection: socket.socket) -> None:
        whole_request(connection)
        if said:
            connection.unwrap()

    with Closing(b"[]", end) as server, behind_tls(server, authority) as url:
        credentials = Credentials(ca_file=str(authority.cert))
        alertmanager = Alertmanager(endpoint(url, timeout=TIMEOUT, credentials=credentials))
        alertmanager.alerts()
        alertmanager.alerts()
        assert (server.connections, server.answered) == (2, 2)
