"""Where a connection stands until it is known whether it speaks TLS: the rules may have changed since the one before."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from lens_exporter.exposition.access import Access
from lens_exporter.exposition.audit import Audit
from lens_exporter.exposition.credentials import Reason, client_key
from lens_exporter.exposition.handshake import hears_of_failure
from lens_exporter.exposition.offload import offload
from lens_exporter.exposition.tls import names_of

_HANDSHAKE_SECONDS = 10.0
_GOODBYE_SECONDS = 1.0  # for a client to answer that it has heard of the end of the connection
_ALERT_SECONDS = 1.0  # for a client to read why it is refused
# Of one client, of 512 in all: eight of them take what there is. Scrapers, Alertmanagers and browsers hold a handful each. By
# loopback comes whatever a proxy on this machine brings: half.
_MOST_OF_ONE = 64
_MOST_OF_LOOPBACK = 256
Inside = Callable[[Mapping[str, Any]], asyncio.Protocol]  # makes the HTTP protocol; told what is known of the client's certificate


class Doorsteps:
    """Makes one doorstep for each connection. Belongs to the event loop."""

    def __init__(self, access: Access, audit: Audit, most: int) -> None:
        self._access = access
        self._audit = audit
        self._most = most  # connections in their handshake
        self._reading = offload(1)
        self._under_way: dict[asyncio.Task[None], asyncio.Transport] = {}  # the oldest first
        self._telling: set[asyncio.Task[None]] = set()
        self._open: WeakKeyDictionary[asyncio.Transport, str] = WeakKeyDictionary()  # whose each is

    def step(self, inside: Inside) -> asyncio.Protocol:
        """Give the protocol for a connection that has just been made."""
        return _Doorstep(inside, self._begin)

    def close(self) -> None:
        """Let nobody in any more."""
        for task in [*self._under_way]:
            self._drop(task)

    def _begin(self, transport: asyncio.Transport, inside: Inside) -> None:
        # Nothing is read before it is known what it will be.
        transport.pause_reading()
        if self._too_many(transport):
            transport.abort()
        elif not self._access.stale() and self._access.rules.tls is None:
            _enter(transport, inside({}), b"")
            transport.resume_reading()
        else:
            if len(self._under_way) >= self._most:
                # Who has been silent for longest makes room: the newest may be anybody.
                for task in [*self._under_way]:
                    if self._drop(task):
                        break
            task = asyncio.get_running_loop().create_task(self._let_in(transport, inside))
            self._under_way[task] = transport
            task.add_done_callback(lambda done: self._under_way.pop(done, None))

    def _drop(self, task: asyncio.Task[None]) -> bool:
        """Give up a handshake, unless it has just ended: then somebody else has the connection. Gives whether it did."""
        transport = self._under_way.pop(task)
        if task.done():
            return False
        task.cancel()
        transport.abort()  # here and not by the task: one that is cancelled before its first step never runs
        return True

    def _too_many(self, transport: asyncio.Transport) -> bool:
        address = str((transport.get_extra_info("peername") or ("",))[0])
        client = client_key(address)
        most = _MOST_OF_LOOPBACK if client == "::/64" or client.startswith("127.") else _MOST_OF_ONE
        if sum(1 for each, whose in self._open.items() if whose == client and _is_open(each)) < most:
            self._open[transport] = client
            return False
        said = f"more than {most} connections at once from one client"
        telling = asyncio.get_running_loop().create_task(self._audit.denied(Reason.CONNECTIONS, client=address, error=said))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)
        return True

    async def _let_in(self, transport: asyncio.Transport, inside: Inside) -> None:
        try:
            await self._handshake(transport, inside)
        except BaseException:
            transport.abort()  # nobody else would: it is paused
            raise

    async def _handshake(self, transport: asyncio.Transport, inside: Inside) -> None:
        if self._access.stale():
            await self._reading(self._access.refresh)
        context = self._access.rules.tls
        if context is None:
            _enter(transport, inside({}), b"")
            transport.resume_reading()
            return
        peer = transport.get_extra_info("peername") or ("",)
        failure: list[ssl.SSLError] = []

        def failed(error: ssl.SSLError) -> None:
            if not failure:
                failure.append(error)
                asyncio.get_running_loop().call_later(_ALERT_SECONDS, transport.abort)

        hears_of_failure.set(failed)
        waiting = _Waiting()
        try:
            secure = await asyncio.get_running_loop().start_tls(
                transport,
                waiting,
                context,
                server_side=True,
                ssl_handshake_timeout=_HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=_GOODBYE_SECONDS,
            )
        except OSError:  # the client left, was too slow, or was refused
            transport.abort()
            secure = None
        if failure:
            await self._audit.denied(Reason.CERTIFICATE, client=str(peer[0]), error=_words(failure[0]))
        elif secure is not None and not waiting.gone:
            _enter(secure, inside(_shown(secure)), bytes(waiting.early))


class _Doorstep(asyncio.Protocol):
    def __init__(self, inside: Inside, begin: Callable[[asyncio.Transport, Inside], None]) -> None:
        self._inside = inside
        self._begin = begin

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._begin(transport, self._inside)


class _Waiting(asyncio.Protocol):
    """Keeps what a quick client sends right behind its handshake."""

    def __init__(self) -> None:
        self.early = bytearray()
        self.gone = False

    def data_received(self, data: bytes) -> None:
        self.early += data

    def connection_lost(self, _exc: Exception | None) -> None:
        self.gone = True


def _is_open(transport: asyncio.Transport) -> bool:
    # One that is closing holds its place until what it was answered is taken.
    return bool(transport.get_extra_info("socket").fileno() != -1)


def _enter(transport: asyncio.Transport, protocol: asyncio.Protocol, early: bytes) -> None:
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    if early:
        protocol.data_received(early)


def _shown(secure: asyncio.Transport) -> Mapping[str, Any]:
    certificate = secure.get_extra_info("peercert")
    if not certificate:
        return {}
    name, names = names_of(certificate)
    return {"certificate": {"name": name, "names": names}}


def _words(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the client's certificate was refused: {error.verify_message}"
    with contextlib.suppress(AttributeError):
        return f"no TLS: {error.reason.replace('_', ' ').lower()}"
    return "no TLS"
