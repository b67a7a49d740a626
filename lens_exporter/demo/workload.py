"""The demo's patient: a small service that publishes itself with lens_exporter.instrument() and can be made to leak for real.

It "exports" files all the time: some memory, some open files, both given back. POST /leak/memory keeps the memory, POST
/leak/files keeps the files open, POST /recover gives everything back. Its limits are real (setrlimit), so that utilization means
something.
"""

import argparse
import random
import resource
import tempfile
import threading
from collections.abc import Sequence
from http.server import ThreadingHTTPServer
from typing import IO, Any

from prometheus_client import CollectorRegistry, MetricsHandler

import lens_exporter

_MIB = 1024 * 1024
MEMORY_LIMIT = 640 * _MIB
FILES_LIMIT = 512
_MEMORY_SHARE = 0.6  # of the limit: a leak stops before the process dies of it
_FILES_SHARE = 0.75
_MEMORY_PER_BEAT = 2 * _MIB
_FILES_PER_BEAT = 4
_BEAT = 0.25  # seconds


class Leaks:
    """What the service holds on to. Thread-safe; `beat` is called a few times a second."""

    def __init__(self, choice: random.Random) -> None:
        self._choice = choice
        self._lock = threading.Lock()
        self._memory_leaks = False
        self._files_leak = False
        self._memory: list[bytearray] = []
        self._files: list[IO[bytes]] = []

    def leak(self, what: str) -> None:
        """Begin to keep "memory" or "files"."""
        with self._lock:
            if what == "memory":
                self._memory_leaks = True
            else:
                self._files_leak = True

    def recover(self) -> None:
        """Give everything back."""
        with self._lock:
            self._memory_leaks = self._files_leak = False
            self._memory.clear()
            for file in self._files:
                file.close()
            self._files.clear()

    def held(self) -> dict[str, int]:
        """Say what is held: bytes of memory, open files."""
        with self._lock:
            return {"memory": sum(map(len, self._memory)), "files": len(self._files)}

    def beat(self) -> None:
        """Do a little work, and keep what leaks."""
        work = bytearray(b"x") * self._choice.randrange(_MIB // 4, _MIB)
        with self._lock:
            if self._memory_leaks and len(self._memory) * _MEMORY_PER_BEAT < MEMORY_LIMIT * _MEMORY_SHARE:
                self._memory.append(bytearray(b"x") * _MEMORY_PER_BEAT)
            if self._files_leak and len(self._files) < FILES_LIMIT * _FILES_SHARE:
                for _ in range(_FILES_PER_BEAT):
                    file = tempfile.NamedTemporaryFile(prefix="export-", suffix=".csv")  # noqa: SIM115 - kept open: the leak
                    file.write(work[:64])
                    self._files.append(file)


def serve(host: str, port: int, *, seed: int = 7) -> None:
    """Serve /metrics and the switches until the process ends."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES_LIMIT, FILES_LIMIT))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    threading.stack_size(512 * 1024)  # address space counts against the limit

    # These three lines are all that publishing a program of one's own takes.
    registry = CollectorRegistry()
    lens_exporter.instrument("export-service", registry=registry)
    server = ThreadingHTTPServer((host, port), _handler(registry, leaks := Leaks(random.Random(seed))))

    server.daemon_threads = True
    threading.Thread(target=_work, args=(leaks,), daemon=True).start()
    server.serve_forever(poll_interval=0.2)


def _work(leaks: Leaks) -> None:
    pause = threading.Event()
    while not pause.wait(_BEAT):
        leaks.beat()


def _handler(registry: CollectorRegistry, leaks: Leaks) -> type[MetricsHandler]:
    metrics = MetricsHandler.factory(registry)

    class Handler(metrics):  # type: ignore[valid-type, misc]
        def do_POST(self) -> None:  # noqa: N802 - http.server's name
            """Turn a leak on, or everything off."""
            if self.path in ("/leak/memory", "/leak/files"):
                leaks.leak(self.path.removeprefix("/leak/"))
            elif self.path == "/recover":
                leaks.recover()
            else:
                self.send_error(404)
                return
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            """Keep the log for what matters."""

    return Handler


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="a small service that can be made to leak")
    parser.add_argument("--web.listen-address", dest="address", default="127.0.0.1:8000")
    host, _, port = parser.parse_args(argv).address.rpartition(":")
    serve(host, int(port))


if __name__ == "__main__":
    main()
