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
from typing import IO, Any, Protocol, Self

import sqlalchemy as sa

from lens_exporter.errors import DatabaseError, DatabaseInUse
from lens_exporter.foundation.private import private_database, private_file

_KEY = 0x6C656E73_63  # of PostgreSQL's advisory lock: "lensc"
_NAME = "lens-exporter "  # of the session, with who holds it
_SECONDS = 5  # for whatever is asked of a server together, and for a connection to be made
# A machine that vanishes says no goodbye. So either side finds out, and the lock is free, within half a minute.
_CLIENT = {
    "connect_timeout": _SECONDS,
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
        self._engine = sa.create_engine(
            address,
            poolclass=sa.NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={**_CLIENT, "application_name": self._name},
        )
        sa.event.listen(self._engine, "do_connect", self._connected)
        self._turns = threading.Lock()
        self._released = False
        self._connection: sa.Connection | None = None
        self._backend: int | None = None  # the server's process that has, or had, the lock for this one
        self._patience: _Patience | None = None

    def _connected(self, dialect: sa.Dialect, _record: object, args: Any, options: Any) -> Any:
        connection = dialect.connect(*args, **options)
        if self._patience is not None:
            self._patience.watch(connection)  # before SQLAlchemy asks it anything
        return connection

    def take(self) -> None:
        with self._turns, self._patiently():
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
        with self._turns, self._patiently() as patience:
            if self._released or self._holds(patience):
                return
            self._take()

    def _holds(self, patience: "_Patience") -> bool:
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
        with self._turns:
            self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None

    @contextmanager
    def _patiently(self) -> Iterator["_Patience"]:
        with _Patience() as patience:
            self._patience = patience
            try:
                yield patience
            except sa.exc.DBAPIError as error:
                if patience.over:
                    raise sa.exc.TimeoutError(f"no answer within {_SECONDS} s") from error
                raise
            finally:
                self._patience = None


class _Patience:
    """Some seconds for an answer. Then the connections are shut down, so that who waits on one hears an error, and none is left.

    A server that is stopped is no broken connection: its kernel goes on to acknowledge what is sent, so no option of TCP ends that.
    """

    def __init__(self) -> None:
        self.over = False
        self._sockets: list[socket.socket] = []  # of our own: nobody else closes these, so none is another file by then
        self._turns = threading.Lock()
        self._timer = threading.Timer(_SECONDS, self._end)
        self._timer.daemon = True

    def watch(self, connection: Any) -> None:
        """Shut this one down too, at once if it is too late already."""
        with self._turns:
            self._sockets.append(socket.socket(fileno=os.dup(connection.fileno())))
        if self.over:
            self._end()

    def _end(self) -> None:
        self.over = True
        with self._turns:
            for one in self._sockets:
                with suppress(OSError):  # it has ended already
                    one.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._timer.cancel()
        with self._turns:
            for one in self._sockets:
                one.close()
            self._sockets.clear()


def _holder(connection: sa.Connection) -> str:
    # Empty where it is another user's session, which this one may not look at; none where it has ended meanwhile.
    found = connection.execute(_HOLDER).scalar()
    return str(found or "").removeprefix(_NAME) or "unknown"
