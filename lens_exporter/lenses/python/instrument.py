"""`lens_exporter.instrument()`: three lines that publish a user's Python program."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import PurePath
from types import TracebackType
from typing import TYPE_CHECKING, Self

from prometheus_client import REGISTRY, CollectorRegistry, start_http_server

from lens_exporter.lenses.python.collect import PythonProcess
from lens_exporter.lenses.python.gc_pauses import GcPauses
from lens_exporter.lenses.python.siblings import Siblings
from lens_exporter.lenses.runner import LensCollector

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from os import PathLike
    from threading import Thread
    from wsgiref.simple_server import WSGIServer


class Instrumented:
    """What `instrument` started. `close` undoes it; as a context manager it closes at the end."""

    def __init__(
        self, lens: PythonProcess, registry: CollectorRegistry, asked_port: int | None, siblings: Siblings | None = None
    ) -> None:
        self.lens = lens
        self.siblings = siblings
        self.registry = registry
        self.asked_port = asked_port
        self.pid = os.getpid()
        self._opened = False
        self._collector = LensCollector([lens], more=siblings.others if siblings is not None else tuple)
        self._server: tuple[WSGIServer, Thread] | None = None

    @property
    def port(self) -> int | None:
        """The port it serves on, None when it only joined a registry."""
        return self._server[0].server_port if self._server else None

    def monitor_event_loop(self, loop: AbstractEventLoop) -> None:
        """Measure the lag of this event loop, when there was none yet as `instrument` was called."""
        self.lens.monitor_event_loop(loop)

    def open(self, address: str) -> None:
        """Register, then serve if a port was asked for.

        Raises:
            OSError: the port cannot be served on, or the siblings' directory cannot be used; nothing stays registered.

        """
        if self.siblings is not None:
            self.siblings.open()
        if self.asked_port is not None:
            try:
                self._server = start_http_server(self.asked_port, addr=address, registry=self.registry)
            except OSError:
                self._close_siblings()
                raise
        self.registry.register(self._collector)
        self.lens.start()
        self._opened = True

    def close(self) -> None:
        """Stop serving and leave nothing behind; a second call does nothing."""
        if not self._opened:
            return
        self._opened = False
        self._close_siblings()
        self.lens.close()
        self.registry.unregister(self._collector)
        if self._server is not None:
            server, thread = self._server
            server.shutdown()
            server.server_close()
            thread.join()
            self._server = None

    def abandon(self) -> None:
        """Drop what a fork copied: the serving thread and the loop's timers run in the parent only, where they go on."""
        self._opened = False
        if self.siblings is not None:
            self.siblings.abandon()
        self.lens.pauses.remove()
        self.registry.unregister(self._collector)
        if self._server is not None:
            self._server[0].server_close()  # this process's copy of the socket
            self._server = None

    def _close_siblings(self) -> None:
        if self.siblings is not None:
            self.siblings.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class _Pauses(GcPauses):
    """The interpreter's own list of collector callbacks is where a second call finds the first: no state is kept beside it."""

    handle: Instrumented | None = None


def instrument(
    service: str | None = None,
    *,
    registry: CollectorRegistry | None = None,
    port: int | None = None,
    address: str = "127.0.0.1",
    loop: AbstractEventLoop | None = None,
    siblings: str | PathLike[str] | None = None,
) -> Instrumented:
    """Publish this Python process as lens_python_* metrics; `service` becomes the label `process`.

    Joins `registry`, by default the one prometheus_client serves. With a port and no registry it serves one of its own. An
    asyncio loop that runs in the calling thread is found; another one may be given. Calling it again for the same registry
    gives the first handle back. A server's threads do not survive a fork: with gunicorn or multiprocessing call it in each
    worker (in `post_fork`); there it starts anew.

    siblings is a directory of the program's own. All its processes that name it are told by the page of any one of them, each with
    its pid: so one port, served by the first process, tells of all workers.

    Raises:
        ValueError: the registry is instrumented already, under another service name.
        OSError: the port cannot be served on, or others may enter the siblings' directory.

    """
    if registry is None and port is None:
        registry = REGISTRY
    known = _known(registry, port)
    if known is not None:
        if service is not None and known.lens.process != service:
            raise ValueError(f"this process is instrumented already, as {known.lens.process!r}")
        return known
    pauses = _Pauses()
    lens = PythonProcess(service or program(), several=siblings is not None, pauses=pauses)
    family = Siblings(siblings, lens.collect) if siblings is not None else None
    pauses.handle = Instrumented(lens, registry if registry is not None else CollectorRegistry(), port, family)
    pauses.handle.open(address)
    running = loop or _running_loop()
    if running is not None:
        pauses.handle.monitor_event_loop(running)
    return pauses.handle


def _known(registry: CollectorRegistry | None, port: int | None) -> Instrumented | None:
    for callback in list(gc.callbacks):
        handle = callback.handle if isinstance(callback, _Pauses) else None
        if handle is None:
            continue
        if handle.pid != os.getpid():
            handle.abandon()
        elif handle.registry is registry or (registry is None and handle.asked_port == port):
            return handle
    return None


def program() -> str:
    """Name the program as its user started it: the script, or the package run with -m."""
    path = PurePath(sys.argv[0] if sys.argv else "")
    return (path.parent.name if path.name == "__main__.py" else path.stem) or "python"


def _running_loop() -> AbstractEventLoop | None:
    """Find the loop of the calling thread; a program that has not imported asyncio has none, and need not import it now."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return None
    try:
        found: AbstractEventLoop = asyncio.get_running_loop()
    except RuntimeError:
        return None
    return found
