"""One lens-exporter works on a database: a second one would do its investigations again, and raise every alert twice.

Both claims end with the process, however it ends.
"""

import fcntl
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Protocol

import sqlalchemy as sa

from lens_exporter.errors import DatabaseError, DatabaseInUse
from lens_exporter.foundation.patience import Patience, PatientEngine
from lens_exporter.foundation.private import private_database, private_file

_KEY = 0x6C656E73_63  # of PostgreSQL's advisory lock: "lensc"
_NAME = "lens-exporter "  # of the session, with who holds it
# A machine that vanishes says no goodbye. So either side finds out, and the lock is free, within half a minute.
_CLIENT = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
_SERVER = "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; SET lock_timeout = '2s'"
_HELD = (
    "FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND classid::bigint = :high AND objid::bigint = :low AND objsubid = 1"
)
_HALVES = {"high": _KEY >> 32, "low": _KEY & 0xFFFFFFFF}
_HOLDER = sa.text(f"SELECT application_name {_HELD}").bindparams(**_HALVES)
_END_OWN = sa.text(f"SELECT pg_terminate_backend(pid) {_HELD} AND pid = :own AND application_name = :name").bindparams(**_HALVES)


class Claim(Protocol):
    """The right to work on a database, of one process at a time."""

    def take(self) -> None:
        """Take it. Raises DatabaseInUse, which says who has it; DatabaseError or SQLAlchemy's errors when that cannot be known."""

    def keep(self) -> None:
        """See whether it is still held, and take it again where it was lost. Raises as take."""

    def release(self) -> None:
        """Give it up."""


class FileClaim:
    """A locked file beside an SQLite file, both for this user alone. The kernel holds it for as long as the process lives."""

    def __init__(self, database: Path, url: str) -> None:
        self._database = database
        self._path = database.with_name(database.name + ".lock")
        self._url = url
        self._file: IO[bytes] | None = None

    def take(self) -> None:
        with self._named_errors():
            private_file(self._path)
            file = self._path.open("a+b", buffering=0)  # nothing is left to be written at its end
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().decode().strip() or "unknown"
            file.close()
            raise DatabaseInUse(url=self._url, holder=f"pid {holder}") from None
        # The lock is what counts; a full disk may keep the pid from being written, and then only the other one's message is poorer.
        with suppress(OSError):
            file.truncate(0)
            file.write(str(os.getpid()).encode())
        self._file = file
        with self._named_errors():
            private_database(self._database)

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DatabaseError(url=self._url, reason=f"{error.filename}: {error.strerror}") from error

    def keep(self) -> None: ...

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class SessionClaim:
    """An advisory lock of PostgreSQL, on a connection of its own: the server frees it when that connection ends.

    Threads may share it. Once released it stays so.
    """

    def __init__(self, address: sa.URL, url: str) -> None:
        self._url = url
        # PostgreSQL cuts it there, with a notice.
        self._name = f"{_NAME}pid {os.getpid()} on {socket.gethostname()}".encode()[:63].decode(errors="ignore")
        self._engine = PatientEngine(address, **_CLIENT, application_name=self._name)
        self._turns = threading.Lock()
        self._released = False
        self._connection: sa.Connection | None = None
        self._backend: int | None = None  # the server's process that has, or had, the lock for this one

    def take(self) -> None:
        with self._turns, self._engine.patiently():
            self._take()

    def _take(self) -> None:
        with ExitStack() as undo:
            connection = undo.enter_context(self._engine.connect())
            connection.exec_driver_sql(_SERVER)
            if not connection.execute(sa.select(sa.func.pg_try_advisory_lock(_KEY))).scalar_one():
                self._take_over(connection)
            self._backend = connection.execute(sa.select(sa.func.pg_backend_pid())).scalar_one()
            undo.pop_all()
        self._connection = connection

    def _take_over(self, connection: sa.Connection) -> None:
        """Take it from an own session whose end the server has not heard of, where only this side's connection broke."""
        ended = connection.execute(_END_OWN, {"own": self._backend, "name": self._name}).scalar()
        if not ended:
            raise DatabaseInUse(url=self._url, holder=_holder(connection))
        connection.execute(sa.select(sa.func.pg_advisory_lock(_KEY)))  # waits as long as lock_timeout says

    def keep(self) -> None:
        try:
            with self._turns, self._engine.patiently() as patience:
                if not (self._released or self._holds(patience)):
                    self._take()
        finally:
            if self._released:
                self.release()

    def _holds(self, patience: Patience) -> bool:
        if self._connection is None:
            return False
        try:
            patience.watch(self._connection.connection.dbapi_connection)
            self._connection.exec_driver_sql("SELECT 1")
        except sa.exc.DBAPIError:
            self._drop()
            if patience.over:
                raise
            return False
        return True

    def release(self) -> None:
        self._released = True
        # Who is about to see that it is held may wait for some seconds, and gives it up then: nobody waits for that.
        if self._turns.acquire(blocking=False):
            try:
                self._drop()
            finally:
                self._turns.release()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None


def _holder(connection: sa.Connection) -> str:
    # Empty where it is another user's session, which this one may not look at; none where it has ended meanwhile.
    found = connection.execute(_HOLDER).scalar()
    return str(found or "").removeprefix(_NAME) or "unknown"
