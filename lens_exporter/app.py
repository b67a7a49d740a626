"""One running lens-exporter: what outlives a reload, the supervised parts, and the swap of generations."""

import asyncio
import signal
import time
from collections.abc import Callable, Iterable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import structlog
from prometheus_client.metrics_core import Metric

from lens_exporter.config.file import changed, fixed
from lens_exporter.config.secrets import Secrets
from lens_exporter.config.settings import Config
from lens_exporter.config.web import Web
from lens_exporter.errors import ConfigError, DatabaseInUse, LensError
from lens_exporter.exposition.access import Access
from lens_exporter.exposition.app import auditing, build_app
from lens_exporter.exposition.doorstep import Doorsteps
from lens_exporter.exposition.ports import Ports, ReloadOutcome
from lens_exporter.exposition.scrape import Exposition
from lens_exporter.exposition.server import Listener, ServerLimits, listen, serve
from lens_exporter.foundation.health import Readiness
from lens_exporter.foundation.memory import few_arenas
from lens_exporter.foundation.supervisor import Child, TaskSupervisor
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.foundation.threads import in_thread
from lens_exporter.model.access import LOCAL
from lens_exporter.wiring import snapshots, views
from lens_exporter.wiring.configuration import address, load
from lens_exporter.wiring.engine import DurableEngine
from lens_exporter.wiring.generation import Generation
from lens_exporter.wiring.ground import Ground, lay, open_database
from lens_exporter.wiring.outage import Outage
from lens_exporter.wiring.rounds import rounds

_log = structlog.get_logger("lens_exporter")

_RESEND_ROUND = 2.0  # seconds; what is due is decided by the lifecycle
_SOURCES_ROUND = 60.0
_EXPECTED_ROUND = 60.0  # well below the time for which rows are left to settle: what is said now is not learnt yet
_HOUSEKEEPING_ROUND = 3600.0
_REVIEW_SECONDS = 300.0  # what an investigation takes beyond its agent's limit: checks, reviews, publishing
_GRACE = 4.0  # seconds for what is under way when asked to stop
_KEEPING = 15.0  # seconds to write down what was learnt; 100,000 series take six
_DATABASE_ROUND = 2.0  # asks nothing of a database that works, but PostgreSQL whether it still is ours


def run(path: Path | None, web: dict[str, Any]) -> int:
    """Run until SIGTERM or SIGINT; give the exit code.

    Raises:
        ConfigError, SchemaTooNew, DatabaseError, AddressTaken: it could not start, and why.
        DatabaseInUse: another one has the database, or took it when the connection that held it broke.

    """
    few_arenas()
    config = load(path, web)
    telemetry = Telemetry()
    readiness = Readiness(telemetry)
    outage = Outage(telemetry, readiness)
    secrets = Secrets(warn=lambda text: _log.warning(text))
    # Before anything is made: it may be wrong. It tells of what changes later.
    access = Access(config.web, secrets, telemetry, lambda kind, **facts: ground.events.append(kind, **facts))
    database = open_database(config, secrets, on_error=outage.failed)
    try:
        database.claim()
        database.migrate()
        kept = snapshots.folder(config, database)
        ground = lay(database, telemetry, secrets, snapshots=kept)
        if kept is not None:
            snapshots.tidy(kept, config)
        listener = listen(*address(config.web.listen_address))
        flush = _export_spans(config)
        asyncio.run(App(path, web, config, ground, listener, access, readiness, outage).run())
        flush()
    finally:
        database.close()
    return 0


def _export_spans(config: Config) -> Callable[[], None]:
    if config.otlp_endpoint is None:
        return lambda: None
    from lens_exporter.foundation.otlp import export_spans  # noqa: PLC0415 - the SDK is for those who ask for it

    return export_spans(config.otlp_endpoint, service=config.origin, version=version("lens-exporter"))


class App:
    """Supervises one generation of parts after another. Its methods belong to the event loop, but for the ports' callables."""

    def __init__(
        self,
        path: Path | None,
        web: dict[str, Any],
        config: Config,
        ground: Ground,
        listener: Listener,
        access: Access,
        readiness: Readiness,
        outage: Outage,
    ) -> None:
        self._path = path
        self._web = web
        self._ground = ground
        self._listener = listener
        self._access = access
        self._readiness = readiness
        self._outage = outage
        self._supervisor = TaskSupervisor(ground.telemetry, ground.events, self._readiness)
        self._engine = DurableEngine(ground, config, lambda: self._generation, waits=partial(readiness.hold, "investigations"))
        self._generation = Generation(config, ground, self._engine.store, self._engine.wake)
        self._following: list[str] = []  # children that a reload replaces
        self._retired: list[Generation] = []  # their investigations may still be asking a model
        self._reloading = asyncio.Lock()
        self._stop = asyncio.Event()
        self._taken: DatabaseInUse | None = None  # the database, by another process

    async def run(self) -> None:
        """Serve first, so that the first scrape is early; then start what works. Raises DatabaseInUse when another has taken it."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: asyncio.run_coroutine_threadsafe(self._reload_by_signal(), loop))
        config, telemetry = self._generation.config, self._ground.telemetry
        telemetry.set("lens_build_info", 1, version=version("lens-exporter"))
        self._loaded(config)
        ports = self._ports(loop)
        self._serve(ports, config.web)
        _log.info(
            "listening", url=self._listener.url, tls=self._access.rules.tls is not None, authentication=self._access.rules.asks
        )
        self._start(self._generation)
        self._supervisor.add(self._round("housekeeping", _HOUSEKEEPING_ROUND, self._housekeeping))
        self._supervisor.add(self._round("database", _DATABASE_ROUND, lambda: self._look_after_database(loop)))
        if config.otlp_endpoint is not None and config.otlp_metrics_interval is not None:
            push = self._push(config.otlp_endpoint, config.origin, ports)
            self._supervisor.add(self._round("otlp", config.otlp_metrics_interval, push))
        self._ground.events.append(
            "service.started",
            version=version("lens-exporter"),
            watchers=[watcher.name for watcher in config.watchers],
            database=self._ground.database.url,
        )
        await self._stop.wait()
        await self._end()
        if self._taken is not None:
            raise self._taken

    def _serve(self, ports: Ports, web: Web) -> None:
        audit = auditing(ports)
        http = build_app(
            ports, access=self._access, audit=audit, telemetry_path=web.telemetry_path, max_body_bytes=web.max_body_bytes
        )
        limits = ServerLimits()

        async def run() -> None:
            doorsteps = Doorsteps(self._access, audit, most=limits.connections)
            await serve(http, self._listener, limits=limits, doorsteps=doorsteps)

        self._supervisor.add(Child("http", run, permanent=True))

    async def _end(self) -> None:
        # Whoever hands out work first; then all at once, for each may have something under way that hangs.
        if "dispatcher" in self._following:
            await self._supervisor.remove("dispatcher", grace=_GRACE)
        closing = asyncio.to_thread(self._engine.close, _GRACE)
        left, _ = await asyncio.gather(self._supervisor.stop(grace=_GRACE), closing)
        left = (*left, *await self._kept())
        self._generation.close()
        for generation in (self._generation, *self._retired):
            generation.close_clients()
        reason = "asked to stop" if self._taken is None else str(self._taken)
        self._ground.events.append("service.stopped", reason=reason, left=list(left))

    async def _kept(self) -> list[str]:
        """Wait until watchers have written down what they have learnt; give what did not end: a disk may hang."""
        writing = self._generation.keep()
        futures = {asyncio.wrap_future(future): f"snapshot {name}" for name, future in writing.items()}
        if not futures:
            return []
        done, _ = await asyncio.wait(futures, timeout=_KEEPING)
        for one in done:
            if (error := one.exception()) is not None:
                _log.error("what was learnt is not written down", part=futures[one], exc_info=error)
        return [name for future, name in futures.items() if future not in done]

    def _start(self, generation: Generation) -> None:
        generation.monitor_event_loop(asyncio.get_running_loop())
        children = [
            self._round("alerts", _RESEND_ROUND, generation.keep_alive),
            self._round("sources", _SOURCES_ROUND, generation.end_vanished),
            self._round("expected", _EXPECTED_ROUND, generation.expecting.look),
            *(Child(f"watcher {name}", runner.run, stop=runner.stop) for name, runner in generation.runners.items()),
        ]
        if generation.config.investigate.enabled:
            children.append(in_thread("dispatcher", self._engine.dispatch))
        for child in children:
            self._supervisor.add(child)
        self._following = [child.name for child in children]

    def _round(self, name: str, seconds: float, work: Callable[[], None]) -> Child:
        return in_thread(name, rounds(f"round {name}", seconds, work, self._readiness))

    def _push(self, endpoint: str, origin: str, ports: Ports) -> Callable[[], None]:
        from lens_exporter.exposition.otel.push import MetricPush  # noqa: PLC0415 - the SDK is for those who ask for it
        from lens_exporter.foundation.otlp import resource  # noqa: PLC0415

        release = version("lens-exporter")
        push = MetricPush(
            endpoint,
            resource(service=origin, version=release),
            Exposition(ports.collectors).collect,
            telemetry=ports.telemetry,
            append=self._ground.events.append,
            version=release,
        )
        return push.once

    async def _reload_by_signal(self) -> None:
        outcome = await self._reload()
        facts: dict[str, Any] = {"who": LOCAL, "client": "", "request": "SIGHUP", "status": 200 if outcome.accepted else 500}
        await asyncio.to_thread(lambda: self._ground.events.append("admin.acted", **facts))

    async def _reload(self) -> ReloadOutcome:
        """Take the configuration again. The old generation goes on unless the new one can be built."""
        async with self._reloading:
            try:
                config = await asyncio.to_thread(load, self._path, self._web)
                # Refused whole: half of a file in effect would be a configuration that nobody wrote.
                if held := ", ".join(fixed(self._generation.config, config)):
                    raise ConfigError(where=self._path, problem=f"{held} cannot change while running: restart lens-exporter")
                access = await asyncio.to_thread(self._access.prepare, config.web)
                generation = Generation(config, self._ground, self._engine.store, self._engine.wake)
            except LensError as error:
                return await asyncio.to_thread(self._rejected, error)
            self._access.adopt(access)
            kept = await self._swap(generation)
        watchers = f"watchers: {len(config.watchers)}, still knowing what they had learnt: {len(kept)}"
        return ReloadOutcome(accepted=True, message=f"the new configuration is in force; {watchers}")

    def _rejected(self, error: LensError) -> ReloadOutcome:
        _log.error("configuration refused, the last good one stays", error=str(error))
        self._ground.telemetry.set("lens_config_last_reload_successful", 0)
        self._ground.events.append("config.rejected", path=str(self._path or ""), error=str(error))
        return ReloadOutcome(accepted=False, message=str(error))

    async def _swap(self, generation: Generation) -> list[str]:
        """Put a generation in the place of the one there is. Gives the names of the watchers that need not learn anew."""
        old = self._generation
        await asyncio.gather(*(self._supervisor.remove(name) for name in self._following))
        kept = generation.take_over(old)
        self._generation = generation
        old.close()
        self._retire(old)
        self._start(generation)
        await asyncio.to_thread(self._loaded, generation.config, changed(old.config, generation.config), kept)
        return kept

    def _retire(self, generation: Generation) -> None:
        """Close its clients, of models and nodes, once every investigation that uses them has come to its limit.

        A call paid for is not cut off, and nobody is told that a node it asks about is none of ours.
        """
        self._retired.append(generation)

        def close() -> None:
            self._retired.remove(generation)
            generation.close_clients()

        longest = generation.config.investigate.total_timeout + _REVIEW_SECONDS
        asyncio.get_running_loop().call_later(longest, close)

    def _loaded(self, config: Config, differences: Iterable[str] = (), kept: Iterable[str] = ()) -> None:
        telemetry = self._ground.telemetry
        telemetry.set("lens_config_last_reload_successful", 1)
        telemetry.set("lens_config_last_reload_success_timestamp_seconds", time.time())
        watchers = [watcher.name for watcher in config.watchers]
        path = str(self._path or "")
        self._ground.events.append("config.loaded", path=path, watchers=watchers, changed=list(differences), still_known=list(kept))

    def _look_after_database(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            self._ground.database.keep_claim()
        except DatabaseInUse as error:
            self._taken = error
            loop.call_soon_threadsafe(self._stop.set)
            return
        self._outage.look(self._ground.database, self._ground.events)

    def _housekeeping(self) -> None:
        before = self._ground.clock() - self._generation.config.events_retention
        self._ground.events.prune(before)
        self._engine.prune(before)

    def _ports(self, loop: asyncio.AbstractEventLoop) -> Ports:
        def reload() -> ReloadOutcome:
            return asyncio.run_coroutine_threadsafe(self._reload(), loop).result()

        return Ports(
            collectors=(self._ground.telemetry.registry, _Present(lambda: self._generation)),
            readiness=self._readiness.ready,
            reload=reload,
            webhook=lambda body: self._generation.webhook(body),
            watchers=lambda: self._generation.watchers(),
            trigger=lambda name: self._generation.trigger(name),
            alerts=lambda: [views.alert(one) for one in self._generation.lifecycle.firing()],
            investigations=lambda limit, state: self._generation.investigations(limit, state),
            investigation=lambda id: self._generation.result(id),  # noqa: A006 - the name of the field
            expected=lambda: self._generation.expecting.listed(),
            declare=lambda *wish: self._generation.expecting.declare(*wish),
            covered=lambda one: self._generation.covered(one),
            withdraw=lambda id: self._generation.expecting.withdraw(id),  # noqa: A006 - as above
            events=self._ground.events.query,
            record=self._ground.events.append,
            telemetry=self._ground.telemetry,
            origin=lambda: self._generation.config.origin,
            version=version("lens-exporter"),
        )


class _Present:
    """A collector over whatever generation there is at the time of the scrape."""

    def __init__(self, generation: Callable[[], Generation]) -> None:
        self._generation = generation

    def collect(self) -> Iterable[Metric]:
        generation = self._generation()
        yield from generation.published.collect()
        yield from generation.bands.collect()
