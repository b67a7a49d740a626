"""HTTP connections that keep a time limit for the whole answer.

A socket timeout bounds one read only, and a server that drips never meets it.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


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
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as in urllib3 itself
        with hang_up_after(_limit(self), _shutdown(self)):
            return super().getresponse()


class _Https(HTTPSConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as in urllib3 itself
        with hang_up_after(_limit(self), _shutdown(self)):
            return super().getresponse()


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
