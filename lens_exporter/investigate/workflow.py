"""Durable workflows by DBOS: a killed process goes on where its recorded steps end.

DBOS is one for each process: its instance and its registry of workflows are globals of the dbos module. This file is the only one
that touches it, and the one exception to the rule that nothing here is global; at most one Workflows may be launched at a time.
Importing dbos takes most of a second, so it happens at launch.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar, cast

import sqlalchemy as sa
import structlog

from lens_exporter.errors import ConfigError, DatabaseError, StepUnreadable, StepUnrecordable
from lens_exporter.foundation.database import Database
from lens_exporter.foundation.private import private_database
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.foundation.threads import begin
from lens_exporter.investigate.records import UNFIT, read, written
from lens_exporter.investigate.repeats import Repeats
from lens_exporter.investigate.steps import StepRunner
from lens_exporter.model.decision import Severity

T = TypeVar("T")

# Of the form of records, not of the release: work that an older program began goes on under a newer one. A newer one that takes
# other steps is told so by DBOS, and the investigation ends as not investigated. Work with another form begins anew; 1 was pickled.
_APPLICATION_VERSION = "2"
_OPEN = ["PENDING", "ENQUEUED", "DELAYED"]
# The same wherever it runs: one process works on a database (Database.claim), so whatever is pending at its start is its own.
_EXECUTOR = "local"
_QUEUE = "investigations"
_MAX_DEATHS = 5  # a process that dies this often over one investigation is not sent to die again
_PRIORITY = {Severity.CRITICAL: 1, Severity.WARNING: 2, Severity.INFO: 3}
_PRUNE_BATCH = 200
_ABANDON_SECONDS = 2.0
_STOPS = "lens-exporter was asked to stop"

_log = structlog.get_logger("lens_exporter.workflow")


class WorkflowStanding(StrEnum):
    """Where a workflow stands."""

    UNKNOWN = "unknown"  # never enqueued, or its database is new
    WAITING = "waiting"
    RUNNING = "running"
    SUSPENDED = "suspended"  # this process began it and was interrupted by its database
    LOST = "lost"  # DBOS gave it up
    OVER = "over"


class Suspended(BaseException):
    """A workflow must stop here without an outcome, to go on later. Not an Exception: nobody may take it for a failure."""


@dataclass(frozen=True, slots=True)
class _Returned:
    value: Any


@dataclass(frozen=True, slots=True)
class _Raised:
    error: Exception


def durable_url(database: Database) -> str:
    """Name the database DBOS keeps its records in: a file beside an SQLite file, the same PostgreSQL database (schema dbos).

    Raises:
        ConfigError: the database is in memory, where nothing is durable.

    """
    if database.is_sqlite and database.path is None:
        raise ConfigError(
            where="database_url", problem="investigations need a database that outlives the process, got one in memory"
        )
    if database.path is not None:
        return f"sqlite:///{database.path.with_name(f'{database.path.stem}-durable{database.path.suffix}')}"
    return database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


class Workflows:
    """Runs `conduct(investigation id, step)` durably, `concurrency` at a time. The workflow's id is the investigation's id."""

    def __init__(
        self,
        url: str,
        conduct: Callable[[str, StepRunner], None],
        telemetry: Telemetry,
        *,
        concurrency: int = 2,
        polling_seconds: float = 0.5,
    ) -> None:
        self._url = url
        self._conduct = conduct
        self._telemetry = telemetry
        self._concurrency = concurrency
        self._polling_seconds = polling_seconds
        self._dbos: Any = None
        self._workflow: Any = None
        self._launched = False
        self._closing = threading.Event()
        self._changed = threading.Condition()  # guards the three sets
        self._active: set[str] = set()
        self._suspended: set[str] = set()
        self._in_flight: set[Future[Any]] = set()
        self._repeats = Repeats()

    @property
    def launched(self) -> bool:
        return self._launched

    def launch(self) -> None:
        """Start the engine; what a dead process left begins to run again. Does nothing when launched.

        Raises:
            DatabaseError: its database cannot be opened.

        """
        if self._launched:
            return
        logger = logging.getLogger("dbos")
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())  # else DBOS prints to the console, past our log format
        logger.addFilter(self._repeats)
        from dbos import DBOS  # noqa: PLC0415  # takes most of a second

        self._dbos = DBOS  # recovered work may begin before the start is over
        with self._storage(), ExitStack() as undo:
            undo.callback(DBOS.destroy, destroy_registry=True)
            self._start(DBOS)
            undo.pop_all()
        self._launched = True

    def _start(self, dbos: Any) -> None:
        from dbos import DBOSPortableJSONSerializer  # noqa: PLC0415

        _never_unpickle()
        file = sa.make_url(self._url)
        if file.get_backend_name() == "sqlite":
            private_database(Path(str(file.database)))
        dbos(
            config={
                "name": "lens-exporter",
                "system_database_url": self._url,
                "executor_id": _EXECUTOR,
                "application_version": _APPLICATION_VERSION,
                "serializer": DBOSPortableJSONSerializer(),
                "log_level": "WARNING",
                "enable_otlp": False,
                "max_executor_threads": self._concurrency + 4,  # DBOS's own recovery and event loop borrow some
                "notification_listener_polling_interval_sec": 0.5,  # also how long destroy() waits for that thread
            }
        )

        def investigate(investigation: str) -> None:  # DBOS marks the function it registers; a method cannot be marked
            self._enter(investigation)

        self._workflow = dbos.workflow(name="investigate", max_recovery_attempts=_MAX_DEATHS)(investigate)
        dbos.launch()
        dbos.register_queue(
            _QUEUE,
            worker_concurrency=self._concurrency,
            polling_interval_sec=self._polling_seconds,
            on_conflict="always_update",
        )
        for status in dbos.list_workflows(status=_OPEN, load_input=False, load_output=False):
            if status.app_version != _APPLICATION_VERSION:
                dbos.delete_workflow(status.workflow_id)  # then it is unknown, and the dispatcher enqueues it
            # DBOS goes on with its executor's own; whoever else began this is no more.
            elif status.status == "PENDING" and status.executor_id != _EXECUTOR:
                dbos.resume_workflow(status.workflow_id, queue_name=_QUEUE)

    def enqueue(self, investigation: str, severity: Severity = Severity.WARNING) -> None:
        """Hand an investigation to the queue; critical ones overtake. Enqueueing one that is known does nothing.

        Raises:
            DatabaseError: it is not in the queue.

        """
        from dbos import SetEnqueueOptions, SetWorkflowID  # noqa: PLC0415

        with self._storage(), SetWorkflowID(investigation), SetEnqueueOptions(priority=_PRIORITY[severity]):
            self._dbos.enqueue_workflow(_QUEUE, self._workflow, investigation)

    def resume(self, investigation: str) -> None:
        """Put a suspended investigation back into the queue; recorded steps are not repeated."""
        with self._storage():
            self._dbos.resume_workflow(investigation, queue_name=_QUEUE)
        with self._changed:
            self._suspended.discard(investigation)

    def forget(self, investigation: str) -> None:
        """Delete what is recorded of an investigation that does not run. Raises DatabaseError."""
        with self._storage():
            self._dbos.delete_workflow(investigation)
        with self._changed:
            self._suspended.discard(investigation)

    def standing(self, investigations: Sequence[str]) -> dict[str, tuple[WorkflowStanding, str]]:
        """Say where each investigation's workflow stands, with the reason where it is lost.

        Raises:
            DatabaseError: it cannot be read.

        """
        with self._storage():
            found = self._dbos.list_workflows(workflow_ids=list(investigations), load_input=False)
        with self._changed:
            suspended = self._suspended - self._active
        known = {status.workflow_id: _standing(status, suspended) for status in found}
        return {one: known.get(one, (WorkflowStanding.UNKNOWN, "")) for one in investigations}

    def prune(self, before: float) -> int:
        """Delete the records of workflows that ended before then, and say how many."""
        until, deleted = datetime.fromtimestamp(before, UTC).isoformat(), 0
        with self._storage():
            while found := self._dbos.list_workflows(
                completed_before=until, limit=_PRUNE_BATCH, load_input=False, load_output=False
            ):
                self._dbos.delete_workflows([status.workflow_id for status in found])
                deleted += len(found)
        return deleted

    def close(self, grace: float = 5.0) -> None:
        """Stop: no further step begins, and steps under way get `grace` seconds. What is cut off goes on at the next launch."""
        if not self._launched:
            return
        self._launched = False
        self._closing.set()
        if not self._idle(grace):
            with self._changed:
                cut_off = tuple(self._in_flight)
            for future in cut_off:
                with suppress(InvalidStateError):
                    future.set_exception(Suspended(_STOPS))
            self._idle(_ABANDON_SECONDS)
        self._dbos.destroy(destroy_registry=True)
        logging.getLogger("dbos").removeFilter(self._repeats)
        self._closing.clear()

    def _idle(self, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: not self._active, seconds)

    def _enter(self, investigation: str) -> None:
        """Run the body of the DBOS workflow, in one of its threads."""
        self._count(self._active.add, investigation)
        try:
            self._conduct(investigation, self._step)
        except (DatabaseError, Suspended) as interruption:
            with self._changed:
                self._suspended.add(investigation)
            _log.warning("investigation interrupted, it goes on later", investigation=investigation, error=str(interruption))
            raise Suspended from interruption
        finally:
            self._count(self._active.discard, investigation)

    def _count(self, change: Callable[[str], None], investigation: str) -> None:
        with self._changed:
            change(investigation)
            self._telemetry.set("lens_investigations_running", len(self._active))
            self._changed.notify_all()

    def _step(self, name: str, work: Callable[[], T], /) -> T:
        if self._closing.is_set():
            raise Suspended(_STOPS)
        try:
            packed: str = self._dbos.run_step({"name": name}, lambda: self._perform(name, work))
        except sa.exc.SQLAlchemyError as error:
            # Without the statement and its values, which are what the step found.
            raise Suspended(f"step {name} could not be recorded: {error.__cause__ or error}") from error
        try:
            outcome = read(packed)
        except UNFIT as error:
            raise StepUnreadable(step=name, reason=f"{type(error).__name__}: {error}") from error
        if isinstance(outcome, _Raised):
            raise outcome.error
        return cast("T", outcome.value)

    def _perform(self, name: str, work: Callable[[], T]) -> str:
        """Do the work once and pack what became of it. A daemon thread does it, so that a slow server does not hold up the end."""
        future = begin(f"step-{name}", work)
        with self._changed:
            self._in_flight.add(future)
        error = future.exception()  # waits
        with self._changed:
            self._in_flight.discard(future)
        if error is None:
            return _packed(name, _Returned(future.result()))
        if isinstance(error, DatabaseError):
            raise Suspended(str(error)) from error  # not recorded: the step is done again when the database is back
        if not isinstance(error, Exception):
            raise error
        return _packed(name, _Raised(error))

    @contextmanager
    def _storage(self) -> Iterator[None]:
        try:
            yield
        except (sa.exc.SQLAlchemyError, OSError) as error:
            url = sa.make_url(self._url).render_as_string(hide_password=True)
            raise DatabaseError(url=url, reason=str(error.__cause__ or error)) from error


def _packed(name: str, outcome: _Returned | _Raised) -> str:
    try:
        packed = written(outcome)
        read(packed)  # now, and not after a restart
    except UNFIT as error:
        what = f"{type(error).__name__}: {error}"
        if isinstance(outcome, _Raised):
            what = f"{type(outcome.error).__name__}: {outcome.error}"
        return written(_Raised(StepUnrecordable(step=name, reason=what)))
    return packed


def _never_unpickle() -> None:
    """Keep DBOS from unpickling, which it does with whatever a row calls pickled, whichever serializer it is given."""
    from dbos import _serialization  # noqa: PLC0415

    def refuse(_serializer: object, _text: str) -> Any:
        raise ValueError("it is pickled, by an older lens-exporter or by somebody else, and is not read")

    _serialization.DefaultSerializer.deserialize = refuse  # type: ignore[assignment, method-assign]


def _standing(status: Any, suspended: set[str]) -> tuple[WorkflowStanding, str]:
    match status.status:
        case "ENQUEUED" | "DELAYED":
            return WorkflowStanding.WAITING, ""
        case "PENDING":
            return (WorkflowStanding.SUSPENDED if status.workflow_id in suspended else WorkflowStanding.RUNNING), ""
        case "SUCCESS":
            return WorkflowStanding.OVER, ""
        case "MAX_RECOVERY_ATTEMPTS_EXCEEDED":
            return WorkflowStanding.LOST, f"lens-exporter died {_MAX_DEATHS} times while working on it"
        case "ERROR" if isinstance(status.error, str):  # as it is stored, for it could not be read
            return WorkflowStanding.LOST, "its record cannot be read"
        case _:
            return WorkflowStanding.LOST, str(status.error or status.status.lower())
