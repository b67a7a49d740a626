"""A server below HTTP: it does with each connection what it is told, byte by byte."""

import re
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
        self.wrap: Callable[[socket.socket], socket.socket] = lambda connection: connection  # for one that speaks TLS
        self.receive: Callable[[socket.socket], object] = lambda connection: connection.recv(65536)  # before it serves
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.connections += 1
                threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection: socket.socket) -> None:
        with connection, suppress(OSError), self.wrap(connection) as wrapped:
            self.receive(wrapped)
            self._serve(wrapped, self._closing)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._closing.set()
        self._socket.close()


def whole_request(connection: socket.socket) -> bytes:
    """Read a request with its body, which clients send after its headers; nothing when the connection ends instead."""
    read = b""
    while b"\r\n\r\n" not in read:
        if not (more := connection.recv(65536)):
            return b""
        read += more
    head, _, body = read.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    while length and len(body) < int(length[1]):
        if not (more := connection.recv(65536)):
            return b""
        body += more
    return head + b"\r\n\r\n" + body


def drip(head: bytes, drop: bytes = b"x", every: float = 0.02) -> Serve:
    """Send `head` at once, then one drop after another until the other side has had enough."""

    def serve(connection: socket.socket, closing: threading.Event) -> None:
        connection.sendall(head)
        while not closing.wait(every):
            connection.sendall(drop)

    return serve
