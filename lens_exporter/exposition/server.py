"""The HTTP server: uvicorn, bound before it runs, with limits that one slow or hostile client cannot use up."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from lens_exporter.errors import AddressTaken
from lens_exporter.exposition.doorstep import Doorsteps


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Times in seconds, size in bytes."""

    header_time: float = 10.0  # for a request line and its headers to arrive
    header_bytes: int = 32 * 1024
    keep_alive: int = 75  # longer than the usual scrape interval, so that a scrape finds its connection open
    connections: int = 512
    write_time: float = 30.0  # for a client to take what it was answered; over TLS it shows only where more is to be written
    graceful_stop: int = 5  # for answers under way when asked to stop


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound socket and where it is."""

    sock: socket.socket
    host: str
    port: int

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def listen(host: str, port: int) -> Listener:
    """Bind an address; port 0 takes a free one.

    Raises:
        AddressTaken: it cannot be bound; says why.

    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        both = host == "::" and socket.has_dualstack_ipv6()  # as Prometheus does: [::] means every address
        sock = socket.create_server(address[:2], family=family, backlog=256, dualstack_ipv6=both)
    except OSError as error:
        raise AddressTaken(address=f"{host}:{port}", reason=error.strerror or str(error)) from error
    # asyncio sets this only on sockets that name their protocol, which these do not; connections inherit it. Without it each answer
    # on an open connection waits 40 ms for the other side's acknowledgement.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Listener(sock, *sock.getsockname()[:2])


async def serve(
    app: ASGIApp,
    listener: Listener,
    *,
    limits: ServerLimits | None = None,
    ready: asyncio.Event | None = None,
    doorsteps: Doorsteps | None = None,
) -> None:
    """Serve until cancelled; then take no more requests, finish those under way and close. `ready` is set once it answers.

    Without doorsteps nobody is asked for TLS.
    """
    server = _Server(_config(app, limits or ServerLimits(), doorsteps), ready or asyncio.Event())
    running = asyncio.ensure_future(server.serve(sockets=[listener.sock]))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        server.should_exit = True
        if doorsteps is not None:
            doorsteps.close()
        # A second cancellation while answers are being finished means now.
        await running
        raise


def _config(app: ASGIApp, limits: ServerLimits, doorsteps: Doorsteps | None) -> uvicorn.Config:
    class Protocol(_Protocol):
        header_time = limits.header_time
        write_time = limits.write_time

    def protocol(*, app_state: dict[str, Any], **given: Any) -> asyncio.Protocol:
        if doorsteps is None:
            return Protocol(app_state=app_state, **given)
        return doorsteps.step(lambda known: Protocol(app_state={**app_state, **known}, **given))

    return uvicorn.Config(
        app,
        http=protocol,  # type: ignore[arg-type]  # only ever called
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=limits.connections,
        timeout_keep_alive=limits.keep_alive,
        timeout_graceful_shutdown=limits.graceful_stop,
        h11_max_incomplete_event_size=limits.header_bytes,
    )


class _Server(uvicorn.Server):
    """Signals belong to the app, which stops all its parts in order."""

    def __init__(self, config: uvicorn.Config, ready: asyncio.Event) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Protocol(H11Protocol):
    """Closes a connection whose request does not arrive, or whose answer is not taken, in time: uvicorn waits for ever for both."""

    header_time: float
    write_time: float

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._arrival: asyncio.TimerHandle | None = None
        self._taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # Whatever the system does not take at once counts as waiting for the client.
        transport.set_write_buffer_limits(high=1, low=0)
        self._expect()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._taking is None:
            self._taking = self.loop.call_later(self.write_time, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._taken()

    def data_received(self, data: bytes) -> None:
        self._expect()
        super().data_received(data)
        if self._answering:
            self._arrived()

    def connection_lost(self, exc: Exception | None) -> None:
        self._arrived()
        self._taken()
        super().connection_lost(exc)

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _expect(self) -> None:
        if self._arrival is None and not self._answering:
            self._arrival = self.loop.call_later(self.header_time, self._too_late)

    def _arrived(self) -> None:
        if self._arrival is not None:
            self._arrival.cancel()
            self._arrival = None

    def _taken(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def _too_late(self) -> None:
        self._arrival = None
        if not self._answering and not self.transport.is_closing():
            self.transport.close()
