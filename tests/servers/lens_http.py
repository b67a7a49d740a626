"""lens-exporter's HTTP surface on a free port, over ports a test fills with values."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from prometheus_client import CollectorRegistry, Gauge

from lens_exporter.baseline.expected import Declaration
from lens_exporter.config.secrets import Secrets
from lens_exporter.config.web import Web
from lens_exporter.exposition.access import Access
from lens_exporter.exposition.app import auditing, build_app
from lens_exporter.exposition.doorstep import Doorsteps
from lens_exporter.exposition.ports import Ports, ReloadOutcome
from lens_exporter.exposition.server import ServerLimits, listen, serve
from lens_exporter.foundation.telemetry import Telemetry

NOW = 1_795_183_320.0  # 2026-11-20T14:02:00Z


@dataclass
class Recorded:
    """Events the surface recorded: (type, data)."""

    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def append(self, kind: str, **data: Any) -> None:
        self.events.append((kind, data))

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Give the data of the events of one type."""
        return [data for each, data in self.events if each == kind]


def no_events(**_query: Any) -> list[Any]:
    return []


def no_declaration(*said: Any) -> Declaration:
    raise AssertionError(f"nobody was to declare {said}")


def plain_ports(**changes: Any) -> Ports:
    """Ports of a lens-exporter that is ready and has nothing to show."""
    registry = CollectorRegistry()
    Gauge("demo_value", "A value.", registry=registry).set(1)
    telemetry = Telemetry()
    ports = Ports(
        collectors=(registry, telemetry.registry),
        readiness=lambda: (True, ()),
        reload=lambda: ReloadOutcome(True, "nothing changed"),
        webhook=lambda _body: {"outcome": "accepted"},
        watchers=list,
        trigger=lambda _name: "started",
        alerts=list,
        investigations=lambda _limit, _state: [],
        investigation=lambda id_: {"id": id_},
        expected=list,
        declare=no_declaration,
        covered=lambda _one: None,
        withdraw=no_declaration,
        events=no_events,
        record=Recorded().append,
        telemetry=telemetry,
        version="0.1.0",
    )
    return replace(ports, **changes)


@contextmanager
def serving(ports: Ports, *, limits: ServerLimits | None = None, **options: Any) -> Iterator[str]:
    """Serve the application over real sockets from a thread of its own; give its address."""
    listener = listen("127.0.0.1", 0)
    app = build_app(ports, clock=lambda: NOW, **options)
    with running(lambda ready: serve(app, listener, limits=limits, ready=ready)):
        yield listener.url


@contextmanager
def guarded(
    web: Mapping[str, Any], ports: Ports | None = None, *, environment: Mapping[str, str] | None = None, **options: Any
) -> Iterator[tuple[str, Recorded, Telemetry]]:
    """Serve with settings of `web`, as the program does; give its address, the events it recorded and its metrics."""
    told, telemetry = Recorded(), Telemetry()
    ports = replace(ports or plain_ports(), record=told.append, telemetry=telemetry)
    access = Access(Web.model_validate(web), Secrets(environment or {}), telemetry, told.append)
    audit = auditing(ports)
    listener = listen("127.0.0.1", 0)
    app = build_app(ports, access=access, audit=audit, clock=lambda: NOW, **options)
    doorsteps = Doorsteps(access, audit, most=100)
    with running(lambda ready: serve(app, listener, ready=ready, doorsteps=doorsteps)):
        yield listener.url.replace("http", "https" if access.rules.tls else "http"), told, telemetry


@contextmanager
def running(start: Callable[[asyncio.Event], Any]) -> Iterator[None]:
    """Run one coroutine in a thread until the block ends; the coroutine sets the event it is given once it works."""
    loop = asyncio.new_event_loop()
    works = threading.Event()
    tasks: list[asyncio.Task[Any]] = []

    async def main() -> None:
        ready = asyncio.Event()
        tasks.append(asyncio.ensure_future(start(ready)))
        waiting = asyncio.ensure_future(ready.wait())
        await asyncio.wait({tasks[0], waiting}, return_when=asyncio.FIRST_COMPLETED)
        works.set()
        await asyncio.gather(tasks[0], return_exceptions=True)

    thread = threading.Thread(target=loop.run_until_complete, args=(main(),), daemon=True)
    thread.start()
    assert works.wait(10), "the server did not start"
    try:
        yield
    finally:
        loop.call_soon_threadsafe(tasks[0].cancel)
        thread.join(15)
        assert not thread.is_alive(), "the server did not stop"
        loop.close()
