"""HTTP connections that keep a time limit for the whole answer, and say when one that was kept has ended.

A socket timeout bounds one read only, and a server that drips never meets it.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import RemoteDisconnected
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

_AT_ONCE = 2.0  # seconds: whoever worked on a request for longer had it, and must not be given it twice


class KeptConnectionEnded(RemoteDisconnected):
    """A connection that has brought an answer before ended without one: most likely as idle, while the request was on its way.

    urllib3 looks whether a kept connection has ended, but before it sends.
    """


@contextmanager
def hang_up_after(seconds: float, hang_up: Callable[[], object]) -> Iterator[None]:
    """Call `hang_up` from another thread if the block is still running after `seconds`; what it reads then ends at once."""

    def act() -> None:
        with suppress(OSError, ValueError):  # the other side, or the block itself, was quicker
            hang_up()

    timer = threading.Timer(max(seconds, 0.0), act)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class _Http(HTTPConnection):
    _answered = False  # since it was made
    _asked = 0.0  # when, by the clock of this machine's uptime

    def connect(self) -> None:
        self._answered = False
        super().connect()

    def request(self, *args: Any, **kwargs: Any) -> None:
        self._asked = time.monotonic()
        with self._ends_named(BrokenPipeError, ConnectionResetError):  # urllib3 goes on to read what may have been answered before
            super().request(*args, **kwargs)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as in urllib3 itself
        with self._ends_named(), hang_up_after(_limit(self), _shutdown(self)):
            response = super().getresponse()
        self._answered = True
        return response

    @contextmanager
    def _ends_named(self, *others: type[Exception]) -> Iterator[None]:
        try:
            yield
        except others:
            raise
        except (ConnectionError, ssl.SSLEOFError) as error:
            if self._answered and time.monotonic() - self._asked < _AT_ONCE:
                raise KeptConnectionEnded("Remote end closed connection without response") from error
            raise


class _Https(_Http, HTTPSConnection):
    pass


def _limit(connection: HTTPConnection) -> float:
    # urllib3 has set what is left for reading just before.
    return float(connection.timeout) if isinstance(connection.timeout, int | float) else threading.TIMEOUT_MAX


def _shutdown(connection: HTTPConnection) -> Callable[[], object]:
    opened = connection.sock
    return lambda: opened.shutdown(socket.SHUT_RDWR) if opened is not None else None


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


class DeadlineAdapter(HTTPAdapter):
    """An adapter of requests whose connections wait for status line and headers no longer than the read timeout in all."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
