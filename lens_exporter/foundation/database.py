"""The one database: events, alerts, cooldowns, notes, investigations. SQLite by default, PostgreSQL by `database_url`.

Each package declares its own tables on `metadata`; the schema changes by Alembic migrations only.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import sqlalchemy.orm  # else DBOS imports it in a thread, and a query meanwhile meets half a module
from sqlalchemy import event as sa_event
from sqlalchemy.engine import make_url

from lens_exporter.errors import DatabaseError, DatabaseFull, SchemaTooNew
from lens_exporter.foundation.claim import Claim, FileClaim, SessionClaim
from lens_exporter.foundation.patience import PatientEngine
from lens_exporter.foundation.private import private_folder

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_SECONDS = 10
_DISK_FULL = {"SQLITE_FULL", "53100"}  # SQLite's name, PostgreSQL's SQLSTATE
_MIGRATING = 0x6C656E73  # key of the advisory lock under which processes migrate one after the other
# What the statement's caller did wrong; everything else of the DB-API is the database's own trouble.
_CALLERS_FAULT = (sa.exc.IntegrityError, sa.exc.ProgrammingError, sa.exc.DataError, sa.exc.NotSupportedError)


class Database:
    """Connections with a transaction each. All errors come out as DatabaseError with the URL (without its password).

    On SQLite a transaction takes the write lock at its start, so what it read is still true when it writes.
    """

    def __init__(
        self,
        url: str,
        *,
        password: str | None = None,
        on_error: Callable[[DatabaseError], None] = lambda _error: None,
        migrations: Path = _MIGRATIONS,
    ) -> None:
        self._url = make_url(url)
        if self._url.drivername == "postgresql":
            self._url = self._url.set(drivername="postgresql+psycopg")
        if password is not None:
            self._url = self._url.set(password=password)
        self._on_error = on_error
        self._migrations = migrations
        self.url = self._url.render_as_string(hide_password=True)
        self._claim: Claim | None = None
        self._inside = threading.local()
        # One connection for all threads, who take turns: each other one would see an empty database of its own.
        self._turns: AbstractContextManager[object] = threading.Lock() if self._in_memory else nullcontext()
        self.engine = self._open()

    def _open(self) -> sa.Engine:
        if not self.is_sqlite:
            return sa.create_engine(self._url, pool_pre_ping=True)
        if self._in_memory:
            engine = sa.create_engine(self._url, poolclass=sa.StaticPool, connect_args={"check_same_thread": False})
        else:
            engine = sa.create_engine(self._url, connect_args={"timeout": _BUSY_SECONDS})
        sa_event.listen(engine, "connect", _sqlite_connected)
        sa_event.listen(engine, "begin", _sqlite_begin)
        return engine

    @property
    def is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    @property
    def _in_memory(self) -> bool:
        return self.is_sqlite and self._url.database in {None, "", ":memory:"}

    @property
    def path(self) -> Path | None:
        """The SQLite file, or None."""
        return Path(self._url.database) if self.is_sqlite and not self._in_memory and self._url.database else None

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Open a transaction: committed at the end of the block, rolled back on any error.

        Raises:
            DatabaseFull, DatabaseError: when the database, not the statement's caller, is at fault.
            RuntimeError: inside another one of the same thread, for which it would wait for ever.

        """
        with self._named_errors(), self._alone(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Look at one consistent state of the database, without making any writer wait. Only for reading; raises as transaction."""
        with self._named_errors(), self._alone(), self.engine.connect() as connection:
            connection.execution_options(**{_READING: True})
            with connection.begin():
                yield connection

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except _CALLERS_FAULT:
            raise
        except (sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
            cause = getattr(error, "orig", None) or error
            code = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None)
            kind = DatabaseFull if code in _DISK_FULL else DatabaseError
            failure = kind(url=self.url, reason=" ".join(str(cause).split()))
            self._on_error(failure)
            raise failure from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if getattr(self._inside, "transaction", False):
            raise RuntimeError("a transaction inside a transaction of the same thread")
        self._inside.transaction = True
        try:
            with self._turns:
                yield
        finally:
            self._inside.transaction = False

    def claim(self) -> None:
        """Make this process the only one that works on it, until it ends or closes.

        Raises:
            DatabaseInUse: another process does; says which.
            DatabaseError: it does not answer, or its folder cannot be made or written.

        """
        if self._in_memory:
            return
        with self._named_errors():
            self._claim = self._claimed_by()
            self._claim.take()

    def _claimed_by(self) -> Claim:
        if self.path is None:
            return SessionClaim(self._url, self.url)
        path = self.path.resolve()
        try:
            private_folder(path.parent)
        except OSError as error:
            raise DatabaseError(url=self.url, reason=f"{error.filename}: {error.strerror}") from error
        return FileClaim(path, self.url)

    def keep_claim(self) -> None:
        """See that it still is ours; PostgreSQL frees it when its connection breaks: then claim it again.

        Has its answer within some seconds, also of a server that is stopped. Raises as claim.
        """
        claim = self._claim  # close may forget it meanwhile
        if claim is not None:
            with self._named_errors():
                claim.keep()

    def migrate(self) -> None:
        """Bring the schema to the newest version this program knows, in one transaction: all of it or nothing.

        Raises:
            SchemaTooNew: the database was written by a newer version.

        """
        newest = self._newest_revision()
        found = self._revision()
        if found == newest:
            return
        # Alembic takes most of a second to import and is needed only when there is something to migrate.
        from alembic import command  # noqa: PLC0415
        from alembic.config import Config  # noqa: PLC0415
        from alembic.script import ScriptDirectory  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", str(self._migrations).replace("%", "%%"))
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if found is not None and found not in known:
            raise SchemaTooNew(url=self.url, found=found, known=newest)
        with self.transaction() as connection:
            if not self.is_sqlite:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATING)))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def check(self) -> None:
        """Store something that changes nothing, to learn whether anything can be stored.

        Has its answer within some seconds, also of a PostgreSQL that is stopped. Raises DatabaseFull, DatabaseError.
        """
        nothing = sa.text("UPDATE alembic_version SET version_num = version_num")
        if self.is_sqlite:
            with self.transaction() as connection:
                connection.execute(nothing)
            return
        server = PatientEngine(self._url)
        with self._named_errors(), server.patiently(), server.connect() as connection:
            connection.execute(nothing)
        self.engine.dispose()  # what was kept from before may still wait for an answer that does not come

    def _newest_revision(self) -> str:
        # Revisions are numbered files, 0001_first.py, so the newest is known without importing Alembic.
        return max(path.name.split("_", 1)[0] for path in (self._migrations / "versions").glob("[0-9]*_*.py"))

    def _revision(self) -> str | None:
        with self.reading() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            row = connection.execute(sa.text("SELECT version_num FROM alembic_version")).first()
            return None if row is None else str(row[0])

    def close(self) -> None:
        self.engine.dispose()
        if self._claim is not None:
            self._claim.release()
            self._claim = None


_READING = "lens_reading"


def _sqlite_connected(connection: Any, _record: Any) -> None:
    # The driver would begin transactions only before the first write, and none around reads and DDL; _sqlite_begin does.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # a webhook's 200 means stored, also after a power cut
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _sqlite_begin(connection: sa.Connection) -> None:
    reading = connection.get_execution_options().get(_READING, False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
