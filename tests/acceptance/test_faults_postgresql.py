"""On PostgreSQL: whose work a killed process leaves, and who may work at all."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from lens_exporter.errors import ServerNotReady
from tests.servers.gate import GatedAlertmanager, GatedPrometheus
from tests.servers.lens_process import LensProcess
from tests.servers.postgres import Postgres, postgres_server
from tests.servers.waiting import until

pytestmark = pytest.mark.acceptance

TOLD = re.compile(r'component=(dbos|dispatcher) msg="(?P<what>[^:"]*)')
CLAIM = "FROM pg_stat_activity WHERE application_name LIKE 'lens-exporter pid %'"


class Site:
    """A PostgreSQL, and every lens-exporter on it."""

    def __init__(self, folder: Path, postgres: Postgres) -> None:
        self.folder, self.postgres, self.url = folder, postgres, postgres.url
        self.prometheus, self.alertmanager = GatedPrometheus(), GatedAlertmanager()
        self.engine = sa.create_engine(self.url, isolation_level="AUTOCOMMIT")
        self.processes: list[LensProcess] = []

    def lens(self) -> LensProcess:
        """Give a process of its own; it is not started yet."""
        config = {
            "prometheus": {"url": self.prometheus.url},
            "alertmanager": {"urls": [self.alertmanager.url], "resend_interval": "1s"},
            "watchers": [],
            "investigate": {"debounce": "100ms"},
            "database_url": self.url,
        }
        self.processes.append(LensProcess(self.folder / f"lens-{len(self.processes)}", config))
        return self.processes[-1]

    def sql(self, statement: str) -> sa.CursorResult[Any]:
        with self.engine.connect() as connection:
            return connection.execute(sa.text(statement))

    def close(self) -> None:
        self.prometheus.gate.open()
        for process in self.processes:
            process.kill()
        self.engine.dispose()
        self.prometheus.close()
        self.alertmanager.close()


@pytest.fixture
def site(tmp_path) -> Iterator[Site]:
    with postgres_server() as server:
        site = Site(tmp_path, server)
        try:
            yield site
        finally:
            site.close()


def payload(instance: str) -> dict[str, Any]:
    """A webhook of one group, whose units of work wait for one another."""
    labels = {"alertname": "FilesLeak", "severity": "warning", "instance": instance}
    alert = {"status": "firing", "labels": labels, "startsAt": "2026-11-20T14:02:00Z"}
    return {"version": "4", "groupKey": '{}:{alertname="FilesLeak"}', "status": "firing", "alerts": [alert]}


def states(lens: LensProcess) -> list[str]:
    return [one["state"] for one in lens.get("/api/v1/investigations").json()["investigations"]]


def refused(lens: LensProcess) -> str:
    """Start a process that must not run, and give the last line it wrote."""
    with pytest.raises(ServerNotReady, match="it ended"):
        lens.start()
    assert lens.exit_code() == 1
    return lens.tail().splitlines()[-1]


def test_work_of_a_killed_process_goes_on_wherever_the_next_one_runs(site):
    """Also of a version that named its work after its host, as a Deployment's next pod is not called; what waits behind it too."""
    site.prometheus.gate.close_for(lambda request: request.path.endswith("/query_range"))
    first = site.lens().start()
    assert first.post("/webhook", json=payload("a")).status_code == 200
    until(site.prometheus.gate.arrived.is_set, 20, what="an investigation is under way")
    assert first.post("/webhook", json=payload("b")).status_code == 200
    first.kill()
    [(executor,)] = site.sql("SELECT executor_id FROM dbos.workflow_status WHERE status = 'PENDING'")
    assert executor == "local", "not the host's name"
    site.sql("UPDATE dbos.workflow_status SET executor_id = 'lens-5d9f7c-x2v8q' WHERE status = 'PENDING'")
    site.prometheus.gate.open()
    second = site.lens().start()
    until(lambda: states(second) == ["done", "done"], 40, what="both are investigated")
    assert second.metrics().value("lens_queue_depth") == 0


def test_a_second_process_on_the_same_database_says_who_has_it(site):
    """It would do the first one's investigations again. After that one's end the database is free."""
    first = site.lens().start()
    message = refused(site.lens())
    assert f"is in use by another lens-exporter (pid {first.pid} on " in message
    assert message.endswith("): stop that one, or give this one its own database_url")
    first.kill()
    site.lens().start()


def test_a_broken_connection_is_made_again_before_anybody_else_comes(site):
    """PostgreSQL frees the claim with the connection: the process notices, takes it again and goes on."""
    first = site.lens().start()
    [broken] = site.sql(f"SELECT pid, pg_terminate_backend(pid) {CLAIM}")
    until(lambda: [row.pid for row in site.sql(f"SELECT pid {CLAIM}")] not in ([], [broken.pid]), 10, what="claimed again")
    assert f"(pid {first.pid} on " in refused(site.lens())
    until(lambda: first.get("/-/ready").status_code == 200, 10)


def test_who_has_lost_the_database_to_another_process_ends(site):
    """Two would work on it: the one whose connection broke ends by itself, and says who took it."""
    first = site.lens().start()
    with site.engine.connect() as other:
        other.exec_driver_sql("SET application_name = 'lens-exporter pid 7 on elsewhere'")
        [key] = other.exec_driver_sql(
            "SELECT (classid::bigint << 32) + objid::bigint FROM pg_locks WHERE locktype = 'advisory'"
        ).one()
        other.execute(sa.text(f"SELECT pg_terminate_backend(pid) {CLAIM} AND pid <> pg_backend_pid()"))
        until(lambda: other.execute(sa.select(sa.func.pg_try_advisory_lock(key))).scalar_one(), 5, 0.01, what="the claim is free")
        assert first.exit_code() == 1
    assert "is in use by another lens-exporter (pid 7 on elsewhere)" in first.tail().splitlines()[-1]


def test_an_outage_is_told_when_it_begins_and_when_it_is_over(site):
    """Not each second of it: DBOS's loops alone would say so eight times a second. Work goes on by itself."""
    lens = site.lens().start()
    assert lens.post("/webhook", json=payload("a")).status_code == 200
    until(lambda: states(lens) == ["done"], 20)
    before = len(lens.log.read_text("utf-8").splitlines())
    site.postgres.stop()
    until(lambda: lens.metrics().value("lens_database_errors_total") >= 12, 30, what="tried again and again")
    assert lens.get("/-/ready").status_code == 503
    site.postgres.start()
    until(lambda: lens.get("/-/ready").status_code == 200, 20, what="ready by itself")
    assert lens.post("/webhook", json=payload("b")).status_code == 200
    until(lambda: states(lens) == ["done", "done"], 30, what="the next one is investigated")
    lines = lens.log.read_text("utf-8").splitlines()[before:]
    told = Counter(found["what"] for line in lines if (found := TOLD.search(line)))
    assert told["the dispatcher waits for its database"] == told["the dispatcher works again"] == 1
    assert any(kind.startswith("Exception listing queues") for kind in told), "DBOS says it too"
    assert max(told.values()) == 1, told
