"""The schema: older ones are brought forward, newer ones refused, and a failed migration leaves nothing behind."""

import importlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

import lens_exporter
from lens_exporter.baseline.expected import Declaration, DeclarationSource
from lens_exporter.baseline.notes import Notes, WatcherNotes
from lens_exporter.baseline.register import Register
from lens_exporter.errors import SchemaTooNew
from lens_exporter.foundation.database import Database, metadata
from lens_exporter.model.matcher import Matcher
from lens_exporter.publish.ledger import Ledger
from lens_exporter.publish.outbox import Outbox, Outgoing, Progress
from tests.servers.postgres import postgres

pytestmark = pytest.mark.integration

PACKAGE = Path(lens_exporter.__file__).parent
OWN = PACKAGE / "foundation" / "migrations"

MIGRATION = """
import sqlalchemy as sa
from alembic import op
revision = "{revision}"
down_revision = {down!r}
def upgrade():
    {upgrade}
"""


def migrations(folder: Path, *upgrades: str) -> Path:
    """A folder of migrations 0001, 0002, ... beside the program's own env.py."""
    (folder / "versions").mkdir(parents=True)
    shutil.copy(OWN / "env.py", folder / "env.py")
    for number, upgrade in enumerate(upgrades, start=1):
        text = MIGRATION.format(revision=f"{number:04}", down=f"{number - 1:04}" if number > 1 else None, upgrade=upgrade)
        (folder / "versions" / f"{number:04}_step.py").write_text(text)
    return folder


FIRST = 'op.create_table("t", sa.Column("x", sa.Integer))'
SECOND = 'op.add_column("t", sa.Column("y", sa.Integer, server_default="7"))'
BROKEN = 'op.create_table("u", sa.Column("x", sa.Integer)); op.execute("INSERT INTO nowhere VALUES (1)")'


def open_with(tmp_path: Path, folder: Path) -> Database:
    return Database(f"sqlite:///{tmp_path}/lens.db", migrations=folder)


def revision(database: Database) -> str:
    with database.reading() as connection:
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()


def test_an_older_schema_is_brought_forward_with_its_data(tmp_path):
    """What version one wrote, version two reads."""
    old = open_with(tmp_path, migrations(tmp_path / "one", FIRST))
    old.migrate()
    with old.transaction() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
    old.close()
    new = open_with(tmp_path, migrations(tmp_path / "two", FIRST, SECOND))
    new.migrate()
    new.migrate()
    with new.reading() as connection:
        assert connection.exec_driver_sql("SELECT x, y FROM t").all() == [(1, 7)]
    assert revision(new) == "0002"
    new.close()


def test_a_newer_schema_is_refused_and_left_alone(tmp_path):
    """An old program does not touch what a newer one wrote, and says which to start."""
    new = open_with(tmp_path, migrations(tmp_path / "two", FIRST, SECOND))
    new.migrate()
    new.close()
    old = open_with(tmp_path, migrations(tmp_path / "one", FIRST))
    with pytest.raises(SchemaTooNew) as caught:
        old.migrate()
    assert str(caught.value) == (
        f"database sqlite:///{tmp_path}/lens.db has schema 0002, newer than this version knows (0001): start the newer lens-exporter"
    )
    assert revision(old) == "0002"
    old.close()


def test_a_failed_migration_leaves_the_schema_as_it_was(tmp_path):
    """Half a migration never happens: the table of the failed step is gone with it."""
    open_with(tmp_path, migrations(tmp_path / "one", FIRST)).migrate()
    broken = open_with(tmp_path, migrations(tmp_path / "two", FIRST, BROKEN))
    with pytest.raises(Exception, match="nowhere"):
        broken.migrate()
    assert revision(broken) == "0001"
    with broken.reading() as connection:
        assert sa.inspect(connection).get_table_names() == ["alembic_version", "t"]
    broken.close()


def test_a_start_on_the_newest_schema_does_not_load_alembic(tmp_path):
    """Alembic costs most of a second, and the first scrape must not wait for it."""
    folder = migrations(tmp_path / "one", FIRST)
    open_with(tmp_path, folder).migrate()
    script = (
        "import sys; from pathlib import Path; from lens_exporter.foundation.database import Database\n"
        f"Database('sqlite:///{tmp_path}/lens.db', migrations=Path({str(folder)!r})).migrate()\n"
        "sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@contextmanager
def anywhere(tmp_path: Path, kind: str) -> Iterator[str]:
    """The URL of an empty database of a kind."""
    if kind == "sqlite":
        yield f"sqlite:///{tmp_path}/lens.db"
    else:
        with postgres() as url:
            yield url


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_database_of_the_first_schema_is_brought_forward(tmp_path, kind):
    """What the first version kept is still there, what is expected can be kept beside it, and the schema is the declared one."""
    (first := tmp_path / "first" / "versions").mkdir(parents=True)
    shutil.copy(OWN / "env.py", first.parent / "env.py")
    shutil.copy(OWN / "versions" / "0001_first.py", first)
    said = Declaration("d", DeclarationSource.API, (Matcher("job", "api"),), 1.5, 2.5, "alice", "why")
    every_table()
    with anywhere(tmp_path, kind) as url:
        old = Database(url, migrations=first.parent)
        old.migrate()
        assert revision(old) == "0001"
        with old.transaction() as connection:
            connection.exec_driver_sql("INSERT INTO watcher_notes VALUES ('host', 'a leak', 1, 2, 3)")
        old.close()
        new = Database(url)
        new.migrate()
        assert WatcherNotes("a leak", 1, 2, 3) == Notes(new).read("host")
        assert Register(new).put(said)
        assert Register(new).all() == (said,)
        with new.engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        new.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_deliveries_explain_is_kept_when_it_becomes_rows(tmp_path, kind):
    """A finding that was open before stays open until its alerts are over, of which one was, and alerts go on."""
    (third := tmp_path / "third" / "versions").mkdir(parents=True)
    shutil.copy(OWN / "env.py", third.parent / "env.py")
    for path in (OWN / "versions").glob("000[123]_*.py"):
        shutil.copy(path, third)
    columns = (
        "investigation, target, correlation, state, payload, sources, remote_id, detail, attempts, next_at, created_at, updated_at"
    )
    delivery = sa.text(
        f"INSERT INTO deliveries ({columns}) VALUES (:id, 'grafana', 'c', 'open', :payload, :sources, '7', 'busy', 3, 2.5, 1.5, 2.0)"
    )
    alert = sa.text(
        "INSERT INTO alerts (fingerprint, asked, labels, annotations, enrichment, starts_at, generator_url, correlation, origin,"
        " source, version) VALUES ('f1', 'f1', :json, :json, :json, 1, '', 'c', 'watcher', '', 1)"
    )
    with anywhere(tmp_path, kind) as url:
        old = Database(url, migrations=third.parent)
        old.migrate()
        with old.transaction() as connection:
            for number, sources in (("i1", b'{"a1":null,"a2":12.5}'), ("i2", b"{}")):
                connection.execute(delivery, {"id": number, "payload": b'{"text":"x"}', "sources": sources})
            connection.execute(alert, {"json": b"{}"})
        old.close()
        new = Database(url)
        new.migrate()
        first, second = Outbox(new).unfinished("grafana")
        kept = Outgoing("i1", "grafana", "c", {"text": "x"}, {"a1": None, "a2": 12.5}, 1.5, 2.5, Progress.OPEN, "7", "busy", 3, 2.0)
        assert (first, second.sources) == (kept, {})
        Outbox(new).end_sources({"a1": 20.0})
        assert Outbox(new).unfinished("grafana")[0].ended_at == 20.0
        with Ledger(new).reading() as connection:
            assert [stored.correlation for stored in Ledger(new).alive(connection, 0.0)] == ["c"]
        new.close()


def every_table() -> None:
    for path in PACKAGE.rglob("*.py"):
        if OWN not in path.parents and "sa.Table(" in path.read_text(encoding="utf-8"):
            importlib.import_module(".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts))


def test_the_migrations_build_what_the_tables_declare(tmp_path):
    """A table or column changed without a migration is found here."""
    every_table()
    database = Database(f"sqlite:///{tmp_path}/lens.db")
    database.migrate()
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    database.close()
