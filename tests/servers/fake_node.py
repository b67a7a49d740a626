"""A peer below Erlang: it shakes hands as a node does, and then does with the connection what it is told."""

import os
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from lens_exporter.lenses.beam.decode import decode_at
from lens_exporter.lenses.beam.encode import bare
from lens_exporter.lenses.beam.handshake import OFFERED, digest
from lens_exporter.lenses.beam.opening import Address
from lens_exporter.lenses.beam.terms import Atom, Pid, Reference, Term

NAME, COOKIE = "fake@127.0.0.1", "lens-test-cookie"


class Peer:
    """One connection, from the node's side."""

    def __init__(self, connection: socket.socket, closing: threading.Event) -> None:
        self.connection = connection
        self.closing = closing

    def take(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            part = self.connection.recv(size - len(found))
            if not part:
                raise EOFError
            found += part
        return found

    def handshake(self, *, name: str = NAME, cookie: str = COOKIE, flags: int = int(OFFERED)) -> None:
        """Do the node's half, as OTP 23 and newer do it for a client that wants a name."""
        self._handshake_message()
        given = b"1XYZ@127.0.0.1"
        self.say(b"snamed:" + struct.pack(">H", len(given)) + given + struct.pack(">I", 77))
        self.say(b"N" + struct.pack(">QIIH", flags, 4711, 99, len(name)) + name.encode())
        reply = self._handshake_message()
        self.say(b"a" + digest(cookie, struct.unpack(">I", reply[1:5])[0]))

    def say(self, message: bytes) -> None:
        """Send a message of the handshake."""
        self.connection.sendall(struct.pack(">H", len(message)) + message)

    def _handshake_message(self) -> bytes:
        return self.take(struct.unpack(">H", self.take(2))[0])

    def frame(self) -> bytes:
        """Take the next frame; b"" is a tick."""
        return self.take(struct.unpack(">I", self.take(4))[0])

    def request(self) -> tuple[Pid, Reference, tuple[Any, ...]]:
        """Take the next call: who asks, under which reference, for what. Ticks are skipped."""
        frame = b""
        while not frame:
            frame = self.frame()
        _, end = decode_at(frame, 1)
        message: Any = decode_at(frame, end).term
        assert message[0] == "$gen_call", message
        return (*message[1], message[2])

    def head(self, to: Pid, reference: Reference) -> bytes:
        """What stands in a frame before the answer itself."""
        return b"p\x83" + bare((2, Atom(""), to)) + b"\x83h\x02" + bare(reference)

    def send(self, frame: bytes) -> None:
        self.connection.sendall(struct.pack(">I", len(frame)) + frame)

    def answer(self, to: Pid, reference: Reference, term: Term) -> None:
        self.answer_bytes(to, reference, bare(term))

    def answer_bytes(self, to: Pid, reference: Reference, term: bytes) -> None:
        self.send(self.head(to, reference) + term)

    def hold(self) -> None:
        """Keep the connection open and do nothing until the test ends."""
        self.closing.wait()


class FakeNode:
    """Runs `behave` for each connection on a thread of its own. A context manager."""

    def __init__(self, behave: Callable[[Peer], None]) -> None:
        self._behave = behave
        self._closing = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> Address:
        return Address(NAME, port=self.port)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.connections += 1
                threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection: socket.socket) -> None:
        with connection, suppress(OSError, EOFError):
            self._behave(Peer(connection, self._closing))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._closing.set()
        self._socket.close()


def garbage(size: int) -> bytes:
    """Bytes that mean nothing."""
    return os.urandom(size)
