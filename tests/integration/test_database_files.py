"""The database on real files: who may open it, what a crash or a full disk leaves."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sa

from lens_exporter.errors import DatabaseError, DatabaseFull, DatabaseInUse
from lens_exporter.foundation.database import Database, metadata
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.private import private_database
from lens_exporter.foundation.telemetry import Telemetry

pytestmark = pytest.mark.integration

HOLDER = """
import sys
from lens_exporter.foundation.database import Database
database = Database(sys.argv[1])
database.claim()
with database.transaction() as connection:
    connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS t (x INTEGER)")
    connection.exec_driver_sql("INSERT INTO t VALUES (1)")
print("stored", flush=True)
sys.stdin.read()
"""

WRITER = """
import sqlite3, sys
try:
    sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0.1).execute("BEGIN IMMEDIATE")
    print("written")
except sqlite3.OperationalError as error:
    print(error)
"""


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/lens.db"


@pytest.fixture
def holder(tmp_path):
    """Another process that has claimed the file and committed one row."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, url(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"stored\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_is_told_who_holds_the_file(tmp_path, holder):
    """The error names the database and the pid, and says what to do."""
    with pytest.raises(DatabaseInUse) as caught:
        Database(url(tmp_path)).claim()
    assert str(caught.value) == (
        f"database {url(tmp_path)} is in use by another lens-exporter (pid {holder.pid}): "
        "stop that one, or give this one its own database_url"
    )


def test_another_path_to_the_same_file_is_the_same_file(tmp_path, holder):
    """A symbolic link does not get around the claim."""
    (tmp_path / "link.db").symlink_to(tmp_path / "lens.db")
    with pytest.raises(DatabaseInUse):
        Database(f"sqlite:///{tmp_path}/link.db").claim()


def test_after_kill_9_the_file_is_free_and_what_was_committed_is_there(tmp_path, holder):
    """The claim ends with the process, and a commit is a commit."""
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    database = Database(url(tmp_path))
    database.claim()
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM t").scalar() == 1
    assert (tmp_path / "lens.db.lock").read_text() == str(os.getpid())
    database.close()


def test_the_same_process_may_claim_again_after_close(tmp_path):
    """A restart inside one process finds the file free; while it is open even the same process is refused."""
    first = Database(url(tmp_path / "new" / "folder"))
    first.claim()
    with pytest.raises(DatabaseInUse):
        Database(url(tmp_path / "new" / "folder")).claim()
    first.close()
    second = Database(url(tmp_path / "new" / "folder"))
    second.claim()
    second.close()


@pytest.fixture
def readable_by_all() -> Iterator[None]:
    """The usual umask, whatever this machine has."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("readable_by_all")
def test_nobody_else_can_read_what_is_stored(tmp_path):
    """Not the database and not what SQLite puts beside it; files of an older version, which everybody could read, are narrowed."""
    path = tmp_path / "new" / "lens.db"
    for _ in ("made by this version", "made by an older one"):
        database = Database(f"sqlite:///{path}")
        database.claim()
        database.migrate()
        names = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
        assert names == dict.fromkeys(("lens.db", "lens.db-wal", "lens.db-shm", "lens.db.lock"), 0o600)
        database.close()
        for file in path.parent.iterdir():
            file.chmod(0o644)
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_making_files_private_frees_no_lock_on_them(tmp_path):
    """A file that is closed loses every lock this process holds on it, by whichever descriptor (POSIX): so it is not opened."""
    path = tmp_path / "lens.db"
    database = Database(url(tmp_path))
    database.claim()
    database.migrate()
    elsewhere = (sys.executable, "-c", WRITER, str(path))
    with database.transaction():
        private_database(path)
        assert subprocess.run(elsewhere, capture_output=True, text=True, check=True).stdout == "database is locked\n"
    assert subprocess.run(elsewhere, capture_output=True, text=True, check=True).stdout == "written\n"
    database.close()


def test_a_link_to_a_file_that_is_not_there_yet_makes_that_and_a_folder_stays_usable(tmp_path):
    """A file on another volume, and a path that was meant otherwise."""
    (tmp_path / "volume").mkdir(mode=0o700)
    (tmp_path / "lens.db").symlink_to(tmp_path / "volume" / "lens.db")
    private_database(tmp_path / "lens.db")
    assert (tmp_path / "volume" / "lens.db").stat().st_mode & 0o777 == 0o600
    private_database(tmp_path / "volume")
    assert (tmp_path / "volume").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_made_is_a_named_error(tmp_path):
    """A file where the folder should be."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseError, match=r"file: (File exists|Not a directory)"):
        Database(url(tmp_path / "file")).claim()


def test_commits_survive_power_cuts_by_setting_and_readers_do_not_wait(tmp_path):
    """WAL with full synchronisation, and foreign keys on, in every connection."""
    database = Database(url(tmp_path))
    for _ in range(2):
        with database.transaction() as connection:
            settings = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous", "foreign_keys")
            ]
        assert settings == ["wal", 2, 1]
    database.close()


def test_what_a_transaction_read_is_still_true_when_it_writes(tmp_path):
    """Eight threads count to 200 by reading and writing back, and none of the steps is lost."""
    database = Database(url(tmp_path))
    with database.transaction() as connection:
        connection.exec_driver_sql("CREATE TABLE counter (n INTEGER)")
        connection.exec_driver_sql("INSERT INTO counter VALUES (0)")

    def count(_worker: int) -> None:
        for _ in range(25):
            with database.transaction() as connection:
                n = connection.exec_driver_sql("SELECT n FROM counter").scalar_one()
                connection.execute(sa.text("UPDATE counter SET n = :n"), {"n": n + 1})

    with ThreadPoolExecutor(8) as workers:
        list(workers.map(count, range(8)))
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT n FROM counter").scalar() == 200
    database.close()


def test_reading_goes_on_beside_an_open_transaction(tmp_path):
    """A reader sees the state before it, at once."""
    database = Database(url(tmp_path))
    with database.transaction() as connection:
        connection.exec_driver_sql("CREATE TABLE t (x INTEGER)")

    def rows() -> int:
        with database.reading() as connection:
            return connection.exec_driver_sql("SELECT count(*) FROM t").scalar_one()

    with ThreadPoolExecutor(1) as reader, database.transaction() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        assert reader.submit(rows).result(timeout=5) == 0
    assert rows() == 1
    database.close()


def test_a_file_that_is_no_database_is_a_named_error(tmp_path):
    """Something else's file is not written to, and the error says what it is."""
    (tmp_path / "lens.db").write_bytes(b"not a database, but long enough to be looked at" * 100)
    errors: list[DatabaseError] = []
    with (
        pytest.raises(DatabaseError, match="file is not a database"),
        Database(url(tmp_path), on_error=errors.append).transaction(),
    ):
        pass
    assert [type(error) for error in errors] == [DatabaseError]


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a file system of 1 MB. Needs root; elsewhere the test uses SQLite's own limit."""
    if (
        os.geteuid() != 0
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "lens-test", tmp_path], check=False).returncode
    ):
        pytest.skip("cannot mount a small file system here")
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=True)


def fill(events: Events, telemetry: Telemetry) -> int:
    for stored in range(2000):
        events.append("service.started", version="x" * 2000)
        if telemetry.value("lens_events_lost_total"):
            return stored
    raise AssertionError("the disk did not fill")


def test_a_full_disk_loses_no_stored_event_and_work_goes_on_when_there_is_room(small_disk):
    """Events that fit stay; those that do not are counted and logged; nothing raises; room again means storing again."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"\0" * 300_000)
    database, telemetry = Database(url(small_disk)), Telemetry()
    metadata.create_all(database.engine)
    events = Events(database, telemetry)
    stored = fill(events, telemetry)
    assert len(events.query(limit=5000)) == stored > 5
    with pytest.raises(DatabaseFull, match="cannot grow: database or disk is full"), database.transaction() as connection:
        connection.exec_driver_sql("CREATE TABLE more AS SELECT zeroblob(200000)")
    ballast.unlink()
    events.append("service.stopped", reason="test")
    assert len(events.query(limit=5000)) == stored + 1
    database.close()


def test_a_start_on_a_full_disk_is_a_named_error(small_disk):
    """Neither the database nor even the pid in the lock file can be written; the end of it raises nothing more."""
    with suppress(OSError):
        (small_disk / "ballast").write_bytes(b"\0" * 1_000_000)
    database = Database(url(small_disk))
    database.claim()
    with pytest.raises(DatabaseFull):
        database.migrate()
    database.close()


def test_a_database_that_may_not_grow_says_so(tmp_path):
    """The same by SQLite's page limit, for machines where nothing can be mounted."""
    database, telemetry = Database(url(tmp_path)), Telemetry()
    metadata.create_all(database.engine)
    database.engine.dispose()
    sa.event.listen(database.engine, "connect", lambda connection, _record: connection.execute("PRAGMA max_page_count=60"))
    events = Events(database, telemetry)
    stored = fill(events, telemetry)
    assert len(events.query(limit=5000)) == stored > 5
    assert telemetry.value("lens_events_total", type="service.started") == stored
    with pytest.raises(DatabaseFull), database.transaction() as connection:
        connection.exec_driver_sql("CREATE TABLE more AS SELECT zeroblob(200000)")
    database.close()


def test_a_writer_elsewhere_makes_us_wait_not_fail(tmp_path):
    """A transaction of another connection, also of another program, is waited for."""
    database = Database(url(tmp_path))
    with database.transaction() as connection:
        connection.exec_driver_sql("CREATE TABLE t (x INTEGER)")
    other = sqlite3.connect(tmp_path / "lens.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.3, lambda: other.execute("COMMIT")).start()
    with database.transaction() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
    other.close()
    database.close()


def test_an_unreachable_postgresql_is_a_named_error_without_the_password():
    """The password given beside the address is in no error."""
    pytest.importorskip("psycopg")
    database = Database("postgresql://lens@127.0.0.1:1/lens", password="hunter2")
    with pytest.raises(DatabaseError) as caught, database.transaction():
        pass
    assert "hunter2" not in str(caught.value)
    assert "127.0.0.1:1" in str(caught.value)
