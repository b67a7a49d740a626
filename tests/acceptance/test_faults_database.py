"""The database full, taken, older or newer: named outcomes, and nothing that was accepted is lost."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

import lens_exporter
from lens_exporter.errors import ServerNotReady
from tests.servers.gate import GatedAlertmanager, GatedPrometheus
from tests.servers.lens_process import LensProcess
from tests.servers.waiting import until

pytestmark = pytest.mark.acceptance


def payload(number: int, *, severity: str = "critical", letters: int = 0) -> dict[str, Any]:
    """An Alertmanager webhook with one alert, different for each number, with so many letters of annotations."""
    labels = {"alertname": "DiskFailing", "severity": severity, "instance": f"disk-{number}"}
    annotations = {f"part{part}": "x" * 16_000 for part in range(letters // 16_000)}
    alert = {"status": "firing", "labels": labels, "annotations": annotations, "startsAt": "2026-11-20T14:02:00Z"}
    return {"version": "4", "groupKey": f"{{}}:{{instance={number}}}", "status": "firing", "alerts": [alert]}


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A folder on a file system of 4 MB. Mounting needs root."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "lens-test", folder], check=False, capture_output=True)
    if mounted.returncode:
        (pytest.fail if os.environ.get("CI") and os.geteuid() == 0 else pytest.skip)(f"cannot mount: {mounted.stderr.decode()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


class Site:
    """lens-exporter with its database in a folder of the test's choice."""

    def __init__(self, folder: Path, database: Path) -> None:
        self.prometheus, self.alertmanager = GatedPrometheus(), GatedAlertmanager()
        self.lens = LensProcess(
            folder,
            {
                "prometheus": {"url": self.prometheus.url},
                "alertmanager": {"urls": [self.alertmanager.url], "resend_interval": "5s"},
                "watchers": [],
                "investigate": {"debounce": "2s"},
                "database_url": f"sqlite:///{database}",
            },
        )

    def close(self) -> None:
        self.lens.kill()
        self.prometheus.gate.open()
        self.prometheus.close()
        self.alertmanager.close()

    def database_errors(self) -> float:
        return self.lens.metrics().value("lens_database_errors_total", error="DatabaseFull")


def fill(ballast: Path) -> None:
    """Write until the disk is full."""
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 4096)


def test_a_full_disk_loses_nothing_that_was_accepted(tmp_path, small_disk):
    """One investigation is under way and one is held when the disk fills up; new ones are refused until there is room again.
    Then all that were accepted, and the refused one that comes again, are published once each."""
    site = Site(tmp_path / "lens", small_disk / "lens.db")
    lens = site.lens.start()
    try:
        site.prometheus.gate.close_for(lambda request: request.path.endswith("/query_range"))
        assert lens.post("/webhook", json=payload(0)).status_code == 200
        assert lens.post("/webhook", json=payload(1, severity="warning")).status_code == 200
        until(site.prometheus.gate.arrived.is_set, 20, what="an investigation is under way")
        ballast = small_disk / "ballast"
        fill(ballast)
        with lens.answering():
            accepted, refusal = post_until_refused(lens)
            assert_says_what_is_wrong(site, refusal)
            site.prometheus.gate.open()
            errors = site.database_errors()
            until(lambda: site.database_errors() >= errors + 3, 20, what="what is due is tried again")
            ballast.unlink()
            until(lambda: lens.get("/-/ready").status_code == 200, 10, what="ready by itself")
            assert lens.post("/webhook", json=payload(accepted, letters=160_000)).json()["outcome"] == "accepted"
            until(lambda: len(site.alertmanager.companions()) == accepted + 1, 40, what="all accepted ones are published")
        done = until(lambda: len(done := investigations(lens, "done")) == accepted + 1 and done, 10)
        assert {one["verdict"] for one in done} == {"inconclusive"}
        assert len(investigations(lens)) == accepted + 1
        assert lens.events("service.child_failed") == []
        assert lens.events("database.recovered")[0]["data"]["failures"] >= 3
    finally:
        site.close()


def post_until_refused(lens: LensProcess) -> tuple[int, requests.Response]:
    """Post large webhooks until one is refused; give the number of those accepted so far, and the refusal."""
    for number in range(2, 100):
        answer = lens.post("/webhook", json=payload(number, letters=160_000))
        if answer.status_code != 200:
            return number, answer
    raise AssertionError("the disk did not fill")


def assert_says_what_is_wrong(site: Site, refusal: requests.Response) -> None:
    lens = site.lens
    assert (refusal.status_code, refusal.headers["Retry-After"]) == (503, "10")
    assert refusal.json()["error"]["type"] == "database_full"
    assert refusal.json()["error"]["message"].endswith("/lens.db cannot grow: database or disk is full")
    ready = lens.get("/-/ready")
    assert ready.status_code == 503
    assert ready.json()["error"]["reasons"][0].startswith("database: ")
    page = lens.metrics()
    assert page.value("lens_database_errors_total", error="DatabaseFull") > 0
    assert page.value("lens_webhooks_total", answer="unavailable") == 1
    assert page.value("lens_ready") == 0


def investigations(lens: LensProcess, state: str | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = lens.get("/api/v1/investigations", **({"state": state} if state else {})).json()["investigations"]
    return found


@pytest.fixture
def site(tmp_path) -> Iterator[Site]:
    running = Site(tmp_path / "lens", tmp_path / "lens.db")
    yield running
    running.close()


def refused(lens: LensProcess) -> str:
    """Start a process that must not run: it ends with exit code 1. Gives the last line it wrote."""
    with pytest.raises(ServerNotReady, match="it ended"):
        lens.start()
    assert lens.exit_code() == 1
    return lens.tail().splitlines()[-1]


def test_a_second_process_on_the_same_file_says_who_has_it(site, tmp_path):
    """It ends with exit code 1, the first one goes on; after that one's end the next start finds everything as it was."""
    lens = site.lens.start()
    assert lens.post("/webhook", json=payload(0)).status_code == 200
    until(lambda: investigations(lens, "done"), 20)
    second = LensProcess(tmp_path / "second", {"watchers": [], "database_url": f"sqlite:///{tmp_path}/lens.db"})
    assert refused(second) == (
        f"lens-exporter: database sqlite:///{tmp_path}/lens.db is in use by another lens-exporter (pid {lens.pid}): "
        "stop that one, or give this one its own database_url"
    )
    assert lens.get("/-/ready").status_code == 200
    before = investigations(lens)
    lens.stop()
    lens.start_again()
    assert investigations(lens) == before
    assert len(lens.events("service.started")) == 2


NEXT_MIGRATION = """
import sqlalchemy as sa
from alembic import op
revision = "0005"
down_revision = "0004"
def upgrade():
    op.add_column("investigations", sa.Column("team", sa.String(64), server_default="nobody"))
"""


def next_version(folder: Path) -> Path:
    """Copy the program and give the copy one more migration, as the next release might have."""
    package = Path(lens_exporter.__file__).parent
    copy = folder / package.name
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "foundation" / "migrations" / "versions" / "0005_team.py").write_text(NEXT_MIGRATION)
    return folder


def test_an_older_schema_is_migrated_and_a_newer_one_refused(site, tmp_path):
    """The next version brings the database forward with what is in it; after that the present version leaves it alone and says so."""
    lens = site.lens.start()
    assert lens.post("/webhook", json=payload(0)).status_code == 200
    before = until(lambda: investigations(lens, "done"), 20)
    lens.stop()
    environment = {"PYTHONPATH": str(next_version(tmp_path / "next"))}
    newer = LensProcess(tmp_path / "newer", yaml.safe_load(lens.config_file.read_text()), environment=environment)
    with newer.start():
        assert investigations(newer) == before
        assert newer.post("/webhook", json=payload(1)).status_code == 200
        until(lambda: len(investigations(newer, "done")) == 2, 20, what="the newer one works on it")
    assert refused(lens) == (
        f"lens-exporter: database sqlite:///{tmp_path}/lens.db has schema 0005, newer than this version knows (0004): "
        "start the newer lens-exporter"
    )
    with newer.start_again():
        assert len(investigations(newer)) == 2


def test_a_restored_database_has_its_open_investigations_done_again(site, tmp_path):
    """The durable engine's file is newer than the backup and says that they are over: they begin anew, and nobody reads otherwise."""
    lens, path = site.lens, tmp_path / "lens.db"
    site.prometheus.gate.close_for(lambda request: request.path.endswith("/query_range"))
    lens.start()
    assert lens.post("/webhook", json=payload(0)).status_code == 200
    until(site.prometheus.gate.arrived.is_set, 20, what="an investigation is under way")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(tmp_path / "backup.db")) as backup:
        source.backup(backup)
    site.prometheus.gate.open()
    before = until(lambda: investigations(lens, "done"), 20)
    lens.stop()
    shutil.copy(tmp_path / "backup.db", path)
    lens.start_again()
    [after] = until(lambda: investigations(lens, "done"), 40)
    assert (after["id"], after["verdict"]) == (before[0]["id"], "inconclusive")


def test_a_durable_file_that_cannot_be_read_is_no_readiness(site, tmp_path):
    """Webhooks are stored, nothing is investigated, and whoever asks hears why; without the file the work is done."""
    lens, durable = site.lens, tmp_path / "lens-durable.db"
    durable.write_bytes(b"no database " * 1000)
    lens.start()
    until(lambda: lens.get("/-/ready").status_code == 503, 20)
    assert lens.get("/-/ready").json()["error"]["reasons"] == [
        f"investigations: database sqlite:///{durable}: file is not a database"
    ]
    assert lens.post("/webhook", json=payload(0)).status_code == 200
    assert "Traceback" not in lens.log.read_text("utf-8")
    durable.unlink()
    assert until(lambda: investigations(lens, "done"), 40)
    until(lambda: lens.get("/-/ready").status_code == 200, 10)
