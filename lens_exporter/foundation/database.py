"""The one database: events, alerts, cooldowns, notes, investigations. SQLite by default, PostgreSQL by `database_url`.

Each package declares its own tables on `metadata`; the schema changes by Alembic migrations only.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa
from sqlalchemy import event as sa_event
from sqlalchemy.engine import make_url

from lens_exporter.errors import DatabaseError, DatabaseFull, DatabaseInUse, SchemaTooNew

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_SECONDS = 10
# SQLite's and PostgreSQL's words for "no space"; the drivers give no code through SQLAlchemy for the first.
_FULL = ("database or disk is full", "disk I/O error", "No space left on device", "could not extend file")


class Database:
    """Connections with a transaction each. All errors come out as DatabaseError with the URL (without its password)."""

    def __init__(self, url: str, *, on_error: Callable[[str], None] = lambda _name: None) -> None:
        self._url = make_url(url)
        self._on_error = on_error
        self.url = self._url.render_as_string(hide_password=True)
        self._lock_file: IO[str] | None = None
        if self.is_sqlite and self._url.database and self._url.database != ":memory:":
            Path(self._url.database).parent.mkdir(parents=True, exist_ok=True)
        kwargs: dict[str, Any] = {"connect_args": {"timeout": _BUSY_SECONDS}} if self.is_sqlite else {"pool_pre_ping": True}
        if self.is_sqlite and not self._url.database:
            kwargs |= {"poolclass": sa.StaticPool, "connect_args": {"check_same_thread": False}}
        self.engine = sa.create_engine(self._url, **kwargs)
        if self.is_sqlite:
            sa_event.listen(self.engine, "connect", _sqlite_pragmas)

    @property
    def is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    @property
    def path(self) -> Path | None:
        """The SQLite file, or None."""
        return Path(self._url.database) if self.is_sqlite and self._url.database else None

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Open a transaction: committed at the end of the block, rolled back on any error.

        Raises:
            DatabaseFull, DatabaseError: when the database, not the statement's caller, is at fault.

        """
        try:
            with self.engine.begin() as connection:
                yield connection
        except (sa.exc.OperationalError, sa.exc.InterfaceError) as error:
            reason = str(error.orig)
            kind = DatabaseFull if any(words in reason for words in _FULL) else DatabaseError
            self._on_error(kind.__name__)
            raise kind(url=self.url, reason=reason) from error

    def claim(self) -> None:
        """Make this process the only writer of an SQLite file, until it ends or closes. PostgreSQL needs no such thing.

        Raises:
            DatabaseInUse: another process holds it; says which.

        """
        if self.path is None:
            return
        lock_path = self.path.with_name(self.path.name + ".lock")
        handle = lock_path.open("a+", encoding="ascii")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            holder = handle.read().strip() or "unknown"
            handle.close()
            raise DatabaseInUse(url=self.url, pid=holder) from None
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        self._lock_file = handle

    def migrate(self) -> None:
        """Bring the schema to the newest version this program knows.

        Raises:
            SchemaTooNew: the database was written by a newer version.

        """
        heads = _newest_revision()
        found = self._revision()
        if found == heads:
            return
        # Alembic takes most of a second to import and is needed only when there is something to migrate.
        from alembic import command  # noqa: PLC0415
        from alembic.config import Config  # noqa: PLC0415
        from alembic.script import ScriptDirectory  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if found is not None and found not in known:
            raise SchemaTooNew(url=self.url, found=found, known=heads)
        with self.transaction() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _revision(self) -> str | None:
        with self.transaction() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            row = connection.execute(sa.text("SELECT version_num FROM alembic_version")).first()
            return None if row is None else str(row[0])

    def close(self) -> None:
        self.engine.dispose()
        if self._lock_file is not None:
            self._lock_file.close()
            self._lock_file = None


def _newest_revision() -> str:
    # Revisions are numbered files, 0001_first.py, so the newest is known without importing Alembic.
    return max(path.name.split("_", 1)[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def _sqlite_pragmas(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # a webhook's 200 means stored, also after a power cut
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()
