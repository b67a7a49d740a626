"""The durable engine on a real database, in this process: errors, interruptions, closing, a full disk."""

import base64
import logging
import os
import pickle
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from lens_exporter.config.settings import Investigate
from lens_exporter.errors import DatabaseError, DatabaseFull, ModelTimeout, StepUnrecordable
from lens_exporter.foundation.database import Database, metadata
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.investigate.dispatcher import Dispatcher
from lens_exporter.investigate.inquiry import Inquiry
from lens_exporter.investigate.intake import Intake
from lens_exporter.investigate.steps import StepRunner
from lens_exporter.investigate.store import Store
from lens_exporter.investigate.unit import State, Unit
from lens_exporter.investigate.workflow import Workflows, WorkflowStanding, durable_url
from lens_exporter.model.alert import Alert, AlertGroup
from lens_exporter.model.analysis import (
    Cost,
    Delivery,
    DeliveryState,
    Health,
    HealthAnalysis,
    Investigated,
    Outcome,
    ReviewVerdict,
    Verdict,
)
from lens_exporter.model.decision import Severity
from tests.servers.postgres import postgres
from tests.servers.waiting import until

pytestmark = pytest.mark.integration

Body = Callable[[str, StepRunner], None]


class Engine:
    """Intake, store, engine and dispatcher on one SQLite file; `body` is what an investigation does before its analysis."""

    def __init__(self, folder, url: str = "") -> None:
        self.database = Database(url or f"sqlite:///{folder / 'lens.db'}")
        metadata.create_all(self.database.engine)
        self.telemetry = Telemetry()
        self.events = Events(self.database, self.telemetry)
        self.store = Store(self.database)
        self.body: Body = lambda _investigation, _step: None
        self.published: list[str] = []
        self.publish_fails: Exception | None = None
        self.intake = Intake(self.store, self.events, self.telemetry, Investigate(debounce=0.001))
        self.away = ""
        self.inquiry = Inquiry(
            self.store, self, self.publish, self.events, self.telemetry, away=lambda _group: self.away, patience=60.0
        )
        self.workflows = Workflows(durable_url(self.database), self.inquiry.conduct, self.telemetry, polling_seconds=0.05)
        self.dispatcher = Dispatcher(
            self.store,
            self.workflows,
            self.telemetry,
            abandon=self.inquiry.abandon,
            source_resolved=lambda _fingerprint, _at: None,
        )

    def run(self, investigation: str, correlation: str, group: AlertGroup, step: StepRunner) -> Investigated:
        self.body(group.alerts[0].name, step)
        analysis = HealthAnalysis(Health.WARNING, Outcome.INCONCLUSIVE, "looked and found nothing")
        return Investigated(investigation, correlation, analysis, Verdict(ReviewVerdict.ACCEPT), (), Cost(), "test")

    def publish(self, investigated: Investigated, group: AlertGroup) -> tuple[Delivery, ...]:
        if self.publish_fails:
            raise self.publish_fails
        self.published.append(investigated.id)
        return (Delivery("test", DeliveryState.DELIVERED, 0.0),)

    def accept(self, name: str, severity: str = "critical") -> str:
        alert = Alert({"alertname": name, "severity": severity}, starts_at=1000.0)
        return self.intake.accept(AlertGroup(name, (alert,))).investigation

    def accept_many(self, groups: int) -> None:
        for number in range(groups):
            self.accept(f"other {number}")

    def investigate(self, name: str = "A") -> Unit:
        investigation = self.accept(name)
        self.dispatcher.dispatch_due(time.time())
        unit = self.until_done(investigation)
        # Its last step is done before it is recorded.
        until(lambda: self.workflows.standing([investigation])[investigation][0] is WorkflowStanding.OVER, 20.0)
        return unit

    def until_done(self, investigation: str) -> Unit:
        return until(lambda: (unit := self.store.unit(investigation)).state is State.DONE and unit, 20.0)

    def types(self, unit: Unit) -> list[str]:
        return [event.type for event in self.events.query(correlation=unit.correlation)]


@pytest.fixture
def engine(tmp_path) -> Iterator[Engine]:
    engine = Engine(tmp_path)
    engine.workflows.launch()
    yield engine
    engine.workflows.close(grace=0.1)
    engine.database.close()


def test_an_alert_ends_in_one_published_result(engine):
    """From the webhook to the document, with its story in order."""
    unit = engine.investigate()
    assert engine.published == [unit.id]
    assert unit.document["verdict"] == "inconclusive"
    assert unit.document["deliveries"][0]["state"] == "delivered"
    assert engine.types(unit) == [
        "webhook.received",
        "investigation.accepted",
        "investigation.started",
        "investigation.finished",
    ]
    assert engine.telemetry.value("lens_investigations_total", verdict="inconclusive") == 1
    assert engine.telemetry.value("lens_investigations_running") in (0, 1)


def test_nobody_else_can_read_what_the_engine_records(tmp_path):
    """Steps hold what tools and models said: their file, made by an older version for everybody, is this user's alone."""
    file = tmp_path / "lens-durable.db"
    file.touch(0o644)
    engine = Engine(tmp_path)
    engine.workflows.launch()
    try:
        assert {one.name: one.stat().st_mode & 0o777 for one in tmp_path.glob("lens-durable.db*")}.items() >= {(file.name, 0o600)}
        assert all(one.stat().st_mode & 0o077 == 0 for one in tmp_path.glob("lens-durable.db*"))
    finally:
        engine.workflows.close(grace=0.1)
        engine.database.close()


def test_the_same_on_postgresql(tmp_path):
    """The engine keeps its records in the same PostgreSQL, in a schema of its own."""
    with postgres() as url:
        engine = Engine(tmp_path, url)
        engine.workflows.launch()
        try:
            unit = engine.investigate()
            assert engine.published == [unit.id]
            with engine.database.reading() as connection:
                recorded = connection.exec_driver_sql("SELECT count(*) FROM dbos.operation_outputs").scalar_one()
            assert recorded >= 3
        finally:
            engine.workflows.close(grace=0.1)
            engine.database.close()


def test_what_a_step_raises_arrives_with_its_type_and_fields(engine):
    """An agent decides by the kind of error, so errors cross the record whole."""
    caught = []

    def body(_name: str, step: StepRunner) -> None:
        def ask() -> None:
            raise ModelTimeout(client="claude", seconds=60)

        try:
            step("model", ask)
        except ModelTimeout as error:
            caught.append((str(error), error.fields))

    engine.body = body
    engine.investigate()
    assert caught == [("model client claude did not answer within 60 s", {"client": "claude", "seconds": 60})]


def test_what_cannot_be_recorded_is_a_named_error(engine):
    """A step that gives something that is no value is a fault of the program, said at once and not at the next restart."""
    caught = []

    def body(_name: str, step: StepRunner) -> None:
        with pytest.raises(StepUnrecordable) as error:
            step("tool", threading.Lock)
        caught.append(str(error.value))

    engine.body = body
    engine.investigate()
    assert caught == ["step tool gave something that cannot be kept: TypeError: a lock cannot be written down"]


def test_a_fault_in_the_investigator_is_published_as_not_investigated(engine):
    """Whatever goes wrong, an accepted alert gets its answer, and the answer says why."""

    def body(_name: str, _step: StepRunner) -> None:
        raise ZeroDivisionError("the agent divides")

    engine.body = body
    unit = engine.investigate()
    assert engine.published == [unit.id]
    assert (unit.document["verdict"], unit.document["reason"]) == ("not_investigated", "ZeroDivisionError: the agent divides")
    assert engine.types(unit)[-2:] == ["investigation.failed", "investigation.finished"]


def test_a_fault_in_the_publisher_leaves_a_done_investigation(engine):
    """The result is kept and says that it reached nobody."""
    engine.publish_fails = KeyError("label")
    unit = engine.investigate()
    [delivery] = unit.document["deliveries"]
    assert (delivery["state"], delivery["detail"]) == ("failed", "KeyError: 'label'")


def test_a_database_that_goes_away_interrupts_and_nothing_is_repeated(engine):
    """The step that met it is done again, those before it are not."""
    done: list[str] = []

    def body(_name: str, step: StepRunner) -> None:
        step("one", lambda: done.append("one"))
        step("two", two)

    def two() -> None:
        done.append("two")
        if done.count("two") == 1:
            raise DatabaseError(url="x", reason="away")

    engine.body = body
    investigation = engine.accept("A")
    engine.dispatcher.dispatch_due(time.time())
    until(lambda: engine.workflows.standing([investigation])[investigation][0] is WorkflowStanding.SUSPENDED)
    engine.dispatcher.reconcile()
    engine.until_done(investigation)
    assert done == ["one", "two", "two"]
    assert engine.published == [investigation]


def test_a_full_disk_loses_nothing(engine):
    """SQLite itself says that it is full: webhooks are refused, the step under way is kept for later, and all goes on by itself."""
    full, done, room = threading.Event(), [], threading.Event()

    def limit(connection, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {1 if full.is_set() else 1_000_000}")

    def body(_name: str, step: StepRunner) -> None:
        step("one", lambda: done.append("one"))
        step("two", big)

    def big() -> str:
        done.append("two")
        if not room.is_set():
            full.set()
        return "x" * 200_000

    engine.body = body
    sa.event.listen(sa.pool.Pool, "checkout", limit)
    try:
        investigation = engine.accept("A")
        engine.dispatcher.dispatch_due(time.time())
        until(lambda: engine.workflows.standing([investigation])[investigation][0] is WorkflowStanding.SUSPENDED)
        with pytest.raises(DatabaseFull):
            engine.accept_many(1000)
        assert engine.store.unit(investigation).state is State.RUNNING
        room.set()
        full.clear()
        engine.dispatcher.reconcile()
        engine.until_done(investigation)
    finally:
        full.clear()
        sa.event.remove(sa.pool.Pool, "checkout", limit)
    assert done == ["one", "two", "two"]
    assert engine.published == [investigation]


class Bomb:
    """Unpickled, it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (str(self._folder),))


def hanging_in_its_second_step(engine: Engine) -> tuple[str, list[str], threading.Event]:
    """Begin an investigation of two steps. Gives its id, what it has done, and what lets the second step get on."""
    done, hanging, free = [], threading.Event(), threading.Event()

    def body(_name: str, step: StepRunner) -> None:
        step("one", lambda: done.append("one"))
        step("two", wait)

    def wait() -> None:
        if not free.is_set():
            hanging.set()
            free.wait(60)
        done.append("two")

    engine.body = body
    investigation = engine.accept("A")
    engine.dispatcher.dispatch_due(time.time())
    assert hanging.wait(10)
    return investigation, done, free


def interrupted(engine: Engine, folder: Path) -> tuple[str, list[str], str]:
    """Stop the engine after an investigation's first step. Gives its id, what it did, and a pickle that tells when it is read."""
    investigation, done, free = hanging_in_its_second_step(engine)
    engine.workflows.close(grace=0.1)
    free.set()
    return investigation, done, base64.b64encode(pickle.dumps(Bomb(folder / "unpickled"))).decode()


def rewrite(folder: Path, *statements: str) -> None:
    """Change what is recorded, as somebody with the database's password can."""
    with closing(sqlite3.connect(folder / "lens-durable.db")) as records, records:
        for statement in statements:
            assert records.execute(statement).rowcount


def test_work_that_an_older_version_recorded_begins_anew(engine, tmp_path):
    """Its records are pickled: they are deleted unread, and the investigation is done from its begin."""
    investigation, done, bomb = interrupted(engine, tmp_path)
    rewrite(
        tmp_path,
        "UPDATE workflow_status SET application_version = '1', serialization = 'py_pickle'",
        f"UPDATE workflow_input SET inputs = '{bomb}'",
        f"UPDATE operation_outputs SET output = '{bomb}', serialization = 'py_pickle'",
    )
    engine.workflows.launch()
    engine.dispatcher.reconcile()
    assert engine.until_done(investigation).document["verdict"] == "inconclusive"
    assert done.count("one") == 2
    assert engine.published == [investigation]
    assert not (tmp_path / "unpickled").exists()


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE operation_outputs SET output = '{bomb}', serialization = 'py_pickle'", "it is pickled, "),
        (
            "UPDATE workflow_status SET serialization = 'py_pickle'; UPDATE workflow_input SET inputs = '{bomb}'",
            "its record cannot be read",
        ),
        (
            """UPDATE operation_outputs SET output = '"{{\\"record\\": \\"os:mkdir\\", \\"fields\\": {{}}}}"'""",
            "os:mkdir is not of lens_exporter",
        ),
    ],
)
def test_write_access_to_the_records_runs_nothing(engine, tmp_path, statement, reason):
    """Whatever a row calls itself, no pickle is read. The investigation ends, and says why."""
    investigation, _, bomb = interrupted(engine, tmp_path)
    rewrite(tmp_path, *statement.format(bomb=bomb).split("; "))
    engine.workflows.launch()
    until(
        lambda: engine.workflows.standing([investigation])[investigation][0] in (WorkflowStanding.LOST, WorkflowStanding.OVER), 20
    )
    engine.dispatcher.reconcile()
    document = engine.until_done(investigation).document
    assert document["verdict"] == "not_investigated"
    assert reason in document["reason"]
    assert not (tmp_path / "unpickled").exists()


def test_closing_does_not_wait_for_a_slow_server(engine):
    """A step that hangs is cut off after the grace; at the next launch the investigation goes on with what was recorded."""
    investigation, done, free = hanging_in_its_second_step(engine)
    began = time.monotonic()
    engine.workflows.close(grace=0.2)
    assert time.monotonic() - began < 4
    assert engine.published == []
    # A worker still waiting would keep the interpreter from ending.
    until(lambda: not any(thread.name.startswith("dbos-executor") for thread in threading.enumerate()), 5.0)
    free.set()
    engine.workflows.launch()
    engine.until_done(investigation)
    assert done.count("one") == 1
    assert engine.published == [investigation]


def test_no_more_than_concurrency_run_and_critical_ones_overtake(engine):
    """Two at a time; what is critical does not stand in line behind warnings."""
    running, most, order, gate = [0], [0], [], threading.Event()
    lock = threading.Lock()

    def body(name: str, step: StepRunner) -> None:
        step("work", lambda: work(name))

    def work(name: str) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
            order.append(name)
        gate.wait(20)
        with lock:
            running[0] -= 1

    engine.body = body
    ids = [engine.accept(name, "warning") for name in ("w1", "w2")]
    engine.dispatcher.dispatch_due(time.time() + 1)
    until(lambda: len(order) == 2)
    ids += [engine.accept(name, "warning") for name in ("w3", "w4", "w5")] + [engine.accept("c", "critical")]
    engine.dispatcher.dispatch_due(time.time() + 1)
    gate.set()
    for investigation in ids:
        engine.until_done(investigation)
    assert most[0] == 2
    assert order.index("c") < 4, "it came last and is among the next two"


def test_work_that_never_reached_the_queue_is_enqueued(engine):
    """A crash between the two databases is repaired: the first knows it as queued, the second not at all."""
    investigation = engine.accept("A")
    engine.store.hand_over(investigation)
    assert engine.workflows.standing([investigation]) == {investigation: (WorkflowStanding.UNKNOWN, "")}
    engine.dispatcher.reconcile()
    engine.until_done(investigation)
    engine.workflows.enqueue(investigation, Severity.WARNING)  # and once more changes nothing
    assert engine.published == [investigation]


def test_cancelled_work_does_nothing(engine):
    """What resolved while it stood in the queue is not looked into."""
    investigation = engine.accept("A", "warning")
    engine.store.hand_over(investigation)
    resolved = Alert({"alertname": "A", "severity": "warning"}, starts_at=1000.0, ends_at=2000.0)
    engine.intake.accept(AlertGroup("A", (resolved,)))
    engine.workflows.enqueue(investigation, Severity.WARNING)
    until(lambda: engine.workflows.standing([investigation])[investigation][0] is WorkflowStanding.OVER)
    assert engine.published == []
    assert engine.store.unit(investigation).state is State.CANCELLED


def test_old_records_are_deleted(engine):
    """The records of ended workflows go with the investigations they belong to."""
    unit = engine.investigate()
    until(lambda: engine.workflows.standing([unit.id])[unit.id][0] is WorkflowStanding.OVER)
    assert engine.workflows.prune(time.time() - 60) == 0
    assert engine.workflows.standing([unit.id])[unit.id][0] is WorkflowStanding.OVER
    engine.store.begin(unit.id, 0.0)  # a done one is not begun again
    alert = Alert({"alertname": "A", "severity": "critical"}, starts_at=1000.0, ends_at=1001.0)
    engine.intake.accept(AlertGroup("A", (alert,)))
    assert engine.workflows.prune(time.time() + 60) == 1
    assert engine.store.prune(time.time() + 60) == 1
    assert engine.workflows.standing([unit.id])[unit.id][0] is WorkflowStanding.UNKNOWN
    assert engine.store.briefs() == []


@pytest.fixture
def threads_before() -> set[threading.Thread]:
    """The threads that other tests of this process have left behind."""
    return set(threading.enumerate())


def test_the_engine_is_quiet_and_small(threads_before, engine, capfd):
    """No banner, no console handler of its own, no server, and a bounded number of threads."""
    engine.investigate()
    printed = capfd.readouterr()
    assert "dbos" not in (printed.out + printed.err).lower()
    assert all(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("dbos").handlers)
    assert len(set(threading.enumerate()) - threads_before) < 20


def test_importing_it_does_not_import_the_engine():
    """The first scrape must not wait for a second of imports."""
    code = "import sys, lens_exporter.investigate.dispatcher; print('dbos' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip() == "False"


def test_an_investigation_waits_for_a_data_source_that_is_away(engine):
    """It is put off, tried again, told of once, and done when the source answers; its workflow begins anew each time."""
    engine.away = "prometheus cannot be reached"
    investigation = engine.accept("A")
    for later in (0.0, 20.0):
        assert until(lambda: engine.dispatcher.dispatch_due(time.time() + later), 20.0) == 1  # noqa: B023 - runs at once
        held = until(lambda: (unit := engine.store.unit(investigation)).state is State.HELD and unit, 20.0)
        assert held.reason == engine.away
        assert held.created_at < held.due <= held.created_at + 60.0
    engine.away = ""
    until(lambda: engine.dispatcher.dispatch_due(time.time() + 40.0), 20.0)
    unit = engine.until_done(investigation)
    assert engine.published == [investigation]
    assert engine.types(unit) == [
        "webhook.received",
        "investigation.accepted",
        "investigation.put_off",
        "investigation.started",
        "investigation.finished",
    ]
    assert unit.reason == ""


def test_a_database_that_fails_after_it_was_put_off_leaves_nothing_waiting_for_ever(engine):
    """Its workflow is suspended then: it has done nothing, and begins anew."""
    engine.away = "prometheus cannot be reached"
    put_off, failed = engine.store.put_off, []

    def once(*arguments):
        done = put_off(*arguments)
        if not failed:
            failed.append(done)
            raise DatabaseError(url="x", reason="disk I/O error")
        return done

    engine.store.put_off = once
    investigation = engine.accept("A")
    engine.dispatcher.dispatch_due(time.time())
    until(lambda: engine.workflows.standing([investigation])[investigation][0] is WorkflowStanding.SUSPENDED, 20.0)
    assert engine.store.unit(investigation).state is State.HELD
    engine.away = ""
    until(lambda: engine.dispatcher.dispatch_due(time.time() + 40.0), 20.0)
    assert engine.until_done(investigation).state is State.DONE
    assert engine.published == [investigation]


def test_it_waits_no_longer_than_it_may(engine):
    """Then it goes on with what else there is."""
    engine.away = "prometheus cannot be reached"
    engine.inquiry._clock = lambda: time.time() + 60.0
    unit = engine.investigate()
    assert engine.published == [unit.id]
    assert "investigation.put_off" not in engine.types(unit)


def test_what_resolves_while_it_waits_is_not_looked_into(engine):
    """Nobody needs it any more."""
    engine.away = "prometheus cannot be reached"
    investigation = engine.accept("A")
    engine.dispatcher.dispatch_due(time.time())
    until(lambda: engine.store.unit(investigation).state is State.HELD, 20.0)
    over = Alert({"alertname": "A", "severity": "critical"}, starts_at=1000.0, ends_at=1010.0)
    engine.intake.accept(AlertGroup("A", (over,)))
    assert engine.store.unit(investigation).state is State.CANCELLED
