"""The server itself: addresses, hostile connections, a graceful end."""

import asyncio
import socket
import threading

import psutil
import pytest
import requests
from prometheus_client import CollectorRegistry, Gauge

from lens_exporter.errors import AddressTaken
from lens_exporter.exposition.app import build_app
from lens_exporter.exposition.server import ServerLimits, listen, serve
from tests.servers.lens_http import plain_ports, running, serving
from tests.servers.waiting import until

pytestmark = pytest.mark.integration


def connect(url):
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=5)


def test_port_zero_is_a_free_port_known_before_the_server_runs():
    """The listener says where it is; a second one on the same address is a named error."""
    listener = listen("127.0.0.1", 0)
    try:
        assert listener.port > 0
        assert listener.url == f"http://127.0.0.1:{listener.port}"
        with pytest.raises(AddressTaken, match="in use"):
            listen("127.0.0.1", listener.port)
        with pytest.raises(AddressTaken):
            listen("no.such.host.invalid", 0)
    finally:
        listener.sock.close()


def test_a_header_that_does_not_arrive_closes_the_connection():
    """Half a request, dripped or silent, holds a connection for the configured time only."""
    with serving(plain_ports(), limits=ServerLimits(header_time=0.3)) as url:
        for first in (b"", b"GET /metr", b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-"):
            with connect(url) as client:
                client.sendall(first)
                assert client.recv(100) == b""
        # A connection that asks in time is kept between two requests for longer than that.
        with connect(url) as client:
            for _ in range(2):
                client.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
                answer = b""
                while not answer.endswith(b"healthy.\n"):
                    received = client.recv(4096)
                    assert received, "the connection was closed"
                    answer += received
                threading.Event().wait(0.5)


def test_too_long_a_header_is_refused():
    """A header over the limit is a 400, not memory."""
    with serving(plain_ports(), limits=ServerLimits(header_bytes=4096)) as url, connect(url) as client:
        client.sendall(b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 10_000)
        assert client.recv(100).startswith(b"HTTP/1.1 400")


def test_a_client_that_does_not_read_delays_nobody():
    """Answers wait in that client's connection only."""
    big = plain_ports(investigations=lambda _limit, _state: [{"id": "x" * 5_000_000}])
    with serving(big) as url, connect(url) as client:
        client.sendall(b"GET /api/v1/investigations HTTP/1.1\r\nHost: x\r\n\r\n")
        for _ in range(3):
            assert requests.get(url + "/metrics", timeout=2).status_code == 200


def test_stopping_finishes_the_answer_under_way():
    """A request that was taken is answered; new ones find the door closed."""
    taken, gate = threading.Event(), threading.Event()

    def slow():
        taken.set()
        gate.wait(10)
        return []

    listener = listen("127.0.0.1", 0)
    app = build_app(plain_ports(alerts=slow))
    answers = []
    with running(lambda ready: serve(app, listener, ready=ready)):
        asking = threading.Thread(target=lambda: answers.append(requests.get(listener.url + "/api/v1/alerts", timeout=10)))
        asking.start()
        assert taken.wait(5)
        threading.Timer(0.3, gate.set).start()
    asking.join(5)
    assert answers[0].status_code == 200
    with pytest.raises(requests.ConnectionError):
        requests.get(listener.url + "/-/healthy", timeout=1)


def test_an_answer_that_does_not_come_cannot_hold_up_the_end():
    """After the graceful time the rest is cut."""
    taken, gate = threading.Event(), threading.Event()
    listener = listen("127.0.0.1", 0)

    def slow():
        taken.set()
        gate.wait(20)
        return []

    app = build_app(plain_ports(alerts=slow))

    async def stop_soon():
        ready = asyncio.Event()
        server = asyncio.ensure_future(serve(app, listener, ready=ready, limits=ServerLimits(graceful_stop=1)))
        await ready.wait()
        asking = asyncio.ensure_future(asyncio.to_thread(_ask, listener.url))
        assert await asyncio.to_thread(taken.wait, 5)
        server.cancel()
        await asyncio.wait({server}, timeout=8)
        ended = server.done()
        gate.set()
        await asking
        return ended

    assert asyncio.run(stop_soon())


def _ask(url):
    try:
        requests.get(url + "/api/v1/alerts", timeout=10)
    except requests.RequestException:
        return


def test_who_does_not_read_its_answer_is_hung_up_on():
    """An answer that nobody takes is not kept: the connection ends after its time, with most of the answer unsent."""
    registry = CollectorRegistry()
    Gauge("demo_value", "x" * 16_000_000, registry=registry).set(1)
    with serving(plain_ports(collectors=(registry,)), limits=ServerLimits(write_time=0.2)) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((host, int(port)))
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 200"

            def held():  # its other end, in this process
                ends = ((each.laddr, each.raddr) for each in psutil.Process().net_connections("tcp"))
                return (client.getpeername(), client.getsockname()) in ends

            assert held()
            until(lambda: not held(), 10)
        assert requests.get(url + "/-/healthy", timeout=5).status_code == 200
