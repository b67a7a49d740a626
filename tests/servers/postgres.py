"""A PostgreSQL of a test's own, on a free loopback port."""

import os
import pwd
import shutil
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


@contextmanager
def postgres() -> Iterator[str]:
    """Start PostgreSQL and give its SQLAlchemy URL. Where it is not installed the test skips, and fails in CI."""
    # Debian keeps the server's programs off PATH.
    initdb = shutil.which("initdb") or next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)), None)
    user = _unprivileged()
    with skip_or_fail():
        if initdb is None or user is None:
            raise ServerMissing(program="initdb", package="postgresql")
    server = str(Path(initdb).resolve().with_name("postgres"))
    with tempfile.TemporaryDirectory(prefix="lens-postgres-") as folder:
        data, port = Path(folder) / "data", free_port()
        if os.geteuid() == 0:
            shutil.chown(folder, user=user)
        subprocess.run([initdb, "-D", str(data), "-U", "lens", "-A", "trust", "-N"], check=True, capture_output=True, user=user)
        options = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"]
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen([server, "-D", str(data), "-p", str(port), *options], stdout=log, stderr=log, user=user)
        try:
            url = f"postgresql+psycopg://lens@127.0.0.1:{port}/postgres"
            until(lambda: _answers(url), 30, what="PostgreSQL answers")
            yield url
        finally:
            process.terminate()
            process.wait(30)


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
