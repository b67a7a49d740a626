"""The register's whole suite once more, over PostgreSQL; and what only several replicas can do wrong."""

import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy.engine import make_url

from lens_exporter.baseline.register import Register
from lens_exporter.foundation.database import Database
from tests.servers.gate import GatedPrometheus
from tests.servers.postgres import postgres
from tests.unit.baseline.test_register import *  # noqa: F403 - the same tests
from tests.unit.baseline.test_register import said

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture
def database(server) -> Iterator[Database]:
    """Replaces the fixture of the imported tests: the migrated schema on PostgreSQL, empty."""
    database = Database(server)
    database.migrate()
    with database.transaction() as connection:
        connection.exec_driver_sql("TRUNCATE expected_spans")
    yield database
    database.close()


def test_commands_that_only_look_find_nothing_where_none_has_run(server, tmp_path):
    """A database without a schema has declared nothing and cools nothing down; the look is made, and says so."""
    other = make_url(server).set(database="template1").render_as_string(hide_password=False)
    with GatedPrometheus() as prometheus:
        (tmp_path / "lens.yml").write_text(
            f"prometheus: {{url: {prometheus.url}}}\ndatabase_url: {other}\n"
            "watchers:\n  - name: files\n    schedule: '* * * * *'\n    window: 1h\n"
            "    metrics: {open_files: {query: python_open_fds, direction: up}}\n",
            "utf-8",
        )
        command = [sys.executable, "-m", "lens_exporter.cli", "watch", "files", "--once", "--config.file=lens.yml"]
        answer = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "decision: anomaly open_high (warning) - would be admitted" in answer.stdout


def test_replicas_that_read_the_same_silence_declare_it_once(server, database):
    """Four replicas keep the same one at the same moment: one of them has changed something, and tells of it."""
    databases = [Database(server) for _ in range(4)]
    start, changed = threading.Barrier(len(databases)), []

    def keep(mine: Database) -> None:
        start.wait()
        changed.append(Register(mine).put(said()))

    threads = [threading.Thread(target=keep, args=(mine,)) for mine in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(changed) == [False, False, False, True]
    assert Register(database).all() == (said(),)
    for mine in databases:
        mine.close()
