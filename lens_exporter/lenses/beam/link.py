"""One connection to a node, kept: sends calls, hands out answers, ticks."""

import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from lens_exporter.foundation.clock import Clock
from lens_exporter.lenses.beam.asks import Cause
from lens_exporter.lenses.beam.encode import bare, encode
from lens_exporter.lenses.beam.frames import Frames
from lens_exporter.lenses.beam.handshake import Peers
from lens_exporter.lenses.beam.stream import Wrong
from lens_exporter.lenses.beam.terms import Atom, Pid, Reference, Term

MOST_UNANSWERED = 64  # calls: a node whose server for them hangs is sent no more
MOST_UNSENT = 4 * 1024 * 1024  # bytes: a peer that does not read costs no more memory
_PATIENCE = 60.0  # seconds after which a call that was given up does not count as unanswered any more
_CHUNK = 256 * 1024
TICK = 15.0  # seconds: a node with the default net_ticktime hangs up on whoever has said nothing for 45 to 75
SILENCE = 90.0  # seconds: a node ticks at least every quarter of its net_ticktime, 15 seconds by default
_AGAIN = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError, InterruptedError)


class Crowded(Exception):
    """Nothing more is sent before something that was sent is answered, or taken. Says what is in the way."""


class Pending:
    """An answer that is waited for."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.answer: bytes | None = None
        self.too_large = False
        self.forgotten: float | None = None  # when it was
        self._done = threading.Event()

    def put(self, answer: bytes) -> None:
        self.answer = answer
        self._done.set()

    def refuse(self) -> None:
        self.too_large = True
        self._done.set()

    def lose(self) -> None:
        """Hear that there will be no answer."""
        self._done.set()

    def forget(self, now: float) -> None:
        """Wait for it no longer. An answer that comes all the same is heard of, and not kept."""
        self.forgotten, self.limit = now, 0

    @property
    def answered(self) -> bool:
        return self.answer is not None or self.too_large

    @property
    def settled(self) -> bool:
        return self._done.is_set()

    def wait(self, seconds: float) -> bool:
        return self._done.wait(max(seconds, 0.0))


class Link:
    """Takes over a socket after the handshake. One thread does all reading and writing: TLS allows no more."""

    def __init__(
        self,
        connection: socket.socket,
        peers: Peers,
        *,
        clock: Clock = time.monotonic,
        tick: float = TICK,
        silence: float = SILENCE,
    ) -> None:
        self.peers = peers
        self.lost = ""  # why the connection is gone
        self.cause = Cause.LOST
        self._socket = connection
        self._clock = clock
        self._every = tick
        self._silence = silence
        self._lock = threading.Lock()
        self._pending: dict[bytes, Pending] = {}
        self._out = bytearray()
        self._calls = 0
        self._closing = False
        self.heard = self._said = clock()
        self._self = Pid(Atom(peers.own_name), 1, 0, peers.own_creation)
        self._frames = Frames(self._claim, len(self._reference(0)[1]), tick=self._tick)
        self._woken, self._wake = socket.socketpair()
        for each in (connection, self._woken, self._wake):
            each.setblocking(False)
        threading.Thread(target=self._run, name=f"beam {peers.own_name}", daemon=True).start()

    def send(self, request: Callable[[Pid, Reference], Term], to: str, limit: int) -> Pending:
        """Send a request to a registered process; it is made with where and under which reference the answer is awaited.

        Raises:
            Crowded: too much of what was sent before waits for its answer, or to be taken.

        """
        pending = Pending(limit)
        with self._lock:
            self._calls += 1
            number = self._calls
        reference, key = self._reference(number)
        control = encode((6, self._self, Atom(""), Atom(to)))
        message = b"p" + control + encode(request(self._self, reference))
        with self._lock:
            if self.lost or self._closing:
                pending.lose()
                return pending
            self._make_room(len(message))
            self._pending[key] = pending
            self._out += struct.pack(">I", len(message)) + message
        self._notify()
        return pending

    def _make_room(self, size: int) -> None:
        before = self._clock() - _PATIENCE
        if len(self._pending) >= MOST_UNANSWERED:
            # Answers can get lost on the node: what was given up long ago does not stand in the way for ever.
            old = [key for key, each in self._pending.items() if each.forgotten is not None and each.forgotten < before]
            for key in old:
                del self._pending[key]
        if len(self._pending) >= MOST_UNANSWERED:
            raise Crowded(f"{len(self._pending)} calls have not been answered")
        if len(self._out) + size > MOST_UNSENT:
            raise Crowded(f"{len(self._out):,} bytes wait for it to read them")

    def close(self) -> None:
        self._closing = True
        self._notify()

    def give_up(self, reason: str) -> None:
        """Close because the other side seems to be gone."""
        with self._lock:
            self.lost = self.lost or reason
        self.close()

    def _reference(self, number: int) -> tuple[Reference, bytes]:
        words = (number & 0x3FFFF, number >> 18 & 0xFFFFFFFF, number >> 50)
        reference = Reference(Atom(self.peers.own_name), self.peers.own_creation, words)
        return reference, bare(reference)

    def _claim(self, key: bytes) -> Pending | None:
        with self._lock:
            return self._pending.pop(key, None)

    def _tick(self) -> None:
        with self._lock:
            if not self._out:
                self._out += bytes(4)

    def _notify(self) -> None:
        with suppress(OSError):  # it is full, so it is awake already; or closed
            self._wake.send(b"\0")

    # --- the thread ---

    def _run(self) -> None:
        reason = "it was closed here"
        try:
            while not self._closing:
                self._turn()
        except Wrong as wrong:
            reason, self.cause = str(wrong), Cause.NONSENSE
        except _Silent:
            reason = f"nothing came for {self._silence:g} s"
        except EOFError:
            reason = "the node closed it"
        except OSError as error:
            reason = error.strerror or str(error)
        finally:
            self._end(reason)

    def _turn(self) -> None:
        now = self._clock()
        if now - self.heard > self._silence:
            raise _Silent
        if now - self._said >= self._every:
            self._tick()
        with self._lock:
            writing = bool(self._out)
        poller = select.poll()
        poller.register(self._socket, select.POLLIN | (select.POLLOUT if writing else 0))
        poller.register(self._woken, select.POLLIN)
        ready = dict(poller.poll(1000.0 * max(self._said + self._every - now, 0.0)))
        if self._woken.fileno() in ready:
            with suppress(*_AGAIN):
                self._woken.recv(4096)
        self._read()
        self._write()

    def _read(self) -> None:
        """Read until nothing is there for the moment. Under TLS bytes may wait inside, where poll does not see them."""
        for _ in range(64):
            try:
                data = self._socket.recv(_CHUNK)
            except _AGAIN:
                return
            if not data:
                raise EOFError
            self.heard = self._clock()
            self._frames.feed(data)
        self._notify()

    def _write(self) -> None:
        with self._lock:
            if not self._out:
                return
            try:
                # A write that TLS could not finish must be repeated with the same bytes: they stay in front until they are taken.
                sent = self._socket.send(memoryview(bytes(self._out[:_CHUNK])))
            except _AGAIN:
                return
            del self._out[:sent]
        self._said = self._clock()

    def _end(self, reason: str) -> None:
        with self._lock:
            self.lost = self.lost or reason
            pending, self._pending = list(self._pending.values()), {}
            self._out.clear()
        for each in (self._socket, self._woken, self._wake):
            with suppress(OSError):
                each.close()
        for waiting in pending:
            waiting.lose()


class _Silent(Exception):
    """Nothing has come for too long."""
