"""Transactions, on a database in memory."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from lens_exporter.errors import DatabaseError
from lens_exporter.foundation.database import Database


@pytest.fixture(params=["sqlite://", "sqlite:///:memory:"])
def database(request):
    database = Database(request.param)
    with database.transaction() as connection:
        connection.exec_driver_sql("CREATE TABLE t (x INTEGER PRIMARY KEY)")
    return database


def count(database: Database) -> int:
    with database.reading() as connection:
        return connection.exec_driver_sql("SELECT count(*) FROM t").scalar_one()


def test_a_block_that_ends_is_committed_and_one_that_raises_is_not(database):
    """All of a transaction happens or nothing."""
    with database.transaction() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")

    def insert_and_fail() -> None:
        with database.transaction() as connection:
            connection.exec_driver_sql("INSERT INTO t VALUES (2)")
            raise KeyError

    with pytest.raises(KeyError):
        insert_and_fail()
    assert count(database) == 1


def test_the_callers_own_faults_keep_their_type(database):
    """A key that is taken is the caller's to judge, not trouble of the database."""
    with pytest.raises(sa.exc.IntegrityError), database.transaction() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1), (1)")
    assert count(database) == 0


def test_the_databases_faults_are_named_and_counted():
    """A missing table is a schema that does not fit: a DatabaseError, told to on_error."""
    errors: list[DatabaseError] = []
    database = Database("sqlite://", on_error=errors.append)
    with pytest.raises(DatabaseError, match="database sqlite://: no such table: t"), database.transaction() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
    assert [str(error) for error in errors] == ["database sqlite://: no such table: t"]


def test_a_transaction_inside_a_transaction_is_refused_at_once(database):
    """It would wait for itself; and after the refusal the thread may go on."""
    with database.transaction(), pytest.raises(RuntimeError, match="inside a transaction"), database.transaction():
        pass
    assert count(database) == 0


def test_threads_share_one_database_in_memory_and_take_turns(database):
    """Every thread's rows are there."""

    def insert(number: int) -> None:
        with database.transaction() as connection:
            connection.execute(sa.text("INSERT INTO t VALUES (:x)"), {"x": number})

    with ThreadPoolExecutor(8) as workers:
        list(workers.map(insert, range(100)))
    assert count(database) == 100


def test_a_database_in_memory_is_claimed_without_a_file(database, tmp_path, monkeypatch):
    """There is nothing another process could open."""
    monkeypatch.chdir(tmp_path)
    database.claim()
    assert database.path is None
    assert list(Path().iterdir()) == []


def test_a_password_given_apart_is_not_in_the_address_shown():
    """The address in errors and logs hides it, whichever way it came."""
    pytest.importorskip("psycopg")
    for database in (Database("postgresql://lens@db/lens", password="hunter2"), Database("postgresql://lens:hunter2@db/lens")):
        assert database.url == "postgresql+psycopg://lens:***@db/lens"
        assert database.engine.url.password == "hunter2"
