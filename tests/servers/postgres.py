"""A PostgreSQL of a test's own, on a free loopback port."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from lens_exporter.demo.servers import free_port
from lens_exporter.errors import ServerMissing
from tests.servers.missing import skip_or_fail
from tests.servers.waiting import until


class Postgres:
    """A server on data of its own, which may go away and come back."""

    def __init__(self, folder: Path, initdb: Path, user: str) -> None:
        self._folder, self._user, self._port = folder, user, free_port()
        self._server = initdb.resolve().with_name("postgres")
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"postgresql+psycopg://lens@127.0.0.1:{self._port}/postgres"
        command = [initdb, "-D", folder / "data", "-U", "lens", "-A", "trust", "-N"]
        subprocess.run(command, check=True, capture_output=True, user=user)

    def start(self) -> None:
        options = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"]
        command = [self._server, "-D", self._folder / "data", "-p", str(self._port), *options]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, user=self._user)
        until(lambda: _answers(self.url), 30, what="PostgreSQL answers")

    def stop(self) -> None:
        """End it, and with it every connection."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
            self._process = None

    def stop_accepting(self) -> None:
        """Stop the process that begins sessions: its kernel goes on to take connections, and nobody answers on them."""
        self._signal(signal.SIGSTOP)

    def accept_again(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """Start PostgreSQL. Where it is not installed the test skips, and fails in CI."""
    # Debian keeps the server's programs off PATH.
    initdb = shutil.which("initdb") or next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)), None)
    user = _unprivileged()
    with skip_or_fail():
        if initdb is None or user is None:
            raise ServerMissing(program="initdb", package="postgresql")
    with tempfile.TemporaryDirectory(prefix="lens-postgres-") as folder:
        if os.geteuid() == 0:
            shutil.chown(folder, user=user)
        server = Postgres(Path(folder), Path(initdb), user)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextmanager
def postgres() -> Iterator[str]:
    """Start PostgreSQL and give its SQLAlchemy URL."""
    with postgres_server() as server:
        yield server.url


def _unprivileged() -> str | None:
    """Name who may run PostgreSQL: it refuses to run as root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    return next((name for name in ("postgres", "nobody") if any(entry.pw_name == name for entry in pwd.getpwall())), None)


def _answers(url: str) -> bool:
    engine = sa.create_engine(url)
    try:
        with engine.connect():
            return True
    except sa.exc.OperationalError:
        return False
    finally:
        engine.dispose()
