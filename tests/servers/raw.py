"""A server below HTTP: it does with each connection what it is told, byte by byte."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

Serve = Callable[[socket.socket, threading.Event], None]


class RawServer:
    """Runs `serve(connection, closing)` for each connection, on a thread of its own. A context manager."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._closing = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.connections += 1
                threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(65536)
            self._serve(connection, self._closing)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._closing.set()
        self._socket.close()


def drip(head: bytes, drop: bytes = b"x", every: float = 0.02) -> Serve:
    """Send `head` at once, then one drop after another until the other side has had enough."""

    def serve(connection: socket.socket, closing: threading.Event) -> None:
        connection.sendall(head)
        while not closing.wait(every):
            connection.sendall(drop)

    return serve
