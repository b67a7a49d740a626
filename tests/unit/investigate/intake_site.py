"""An intake on a database in memory, with a clock and ids of the test's own."""

from collections.abc import Iterator
from itertools import count

from lens_exporter.config.settings import Investigate
from lens_exporter.foundation.database import Database, metadata
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.investigate.dispatcher import Dispatcher
from lens_exporter.investigate.intake import Intake
from lens_exporter.investigate.store import Store
from lens_exporter.investigate.workflow import WorkflowStanding
from lens_exporter.model.alert import Alert, AlertGroup

DOCUMENT = {"verdict": "inconclusive", "status": "warning", "summary": "nothing found"}


def alert(name: str, *, starts_at: float = 1000.0, ends_at: float | None = None, **labels: str) -> Alert:
    return Alert({"alertname": name, **labels}, {"summary": name}, starts_at, ends_at)


def ulids() -> Iterator[str]:
    return (f"{number:026d}" for number in count(1))


class Queue:
    """A durable queue that remembers what it was told and says what the test wants."""

    def __init__(self) -> None:
        self.enqueued: list[str] = []
        self.resumed: list[str] = []
        self.forgotten: list[str] = []
        self.standings: dict[str, tuple[WorkflowStanding, str]] = {}
        self.failure: Exception | None = None

    def launch(self) -> None: ...

    def enqueue(self, investigation, severity) -> None:
        if self.failure:
            raise self.failure
        self.enqueued.append(investigation)

    def resume(self, investigation) -> None:
        self.resumed.append(investigation)

    def forget(self, investigation) -> None:
        self.forgotten.append(investigation)

    def standing(self, investigations):
        return {one: self.standings.get(one, (WorkflowStanding.UNKNOWN, "")) for one in investigations}


class Site:
    def __init__(self, database: Database | None = None) -> None:
        self.database = database or Database("sqlite://")
        metadata.create_all(self.database.engine)
        self.now = 5000.0
        self.stories: dict[str, str] = {}
        self.rest: list[Alert] | Exception = []
        self.asked: list[str] = []
        self.woken = 0
        self.abandoned: list[tuple[str, str]] = []
        self.heard: list[tuple[str, float]] = []
        self.deaf: Exception | None = None
        self.telemetry = Telemetry()
        self.events = Events(self.database, self.telemetry, clock=lambda: self.now)
        self.store = Store(self.database)
        self.queue = Queue()
        ids = ulids()
        self.intake = Intake(
            self.store,
            self.events,
            self.telemetry,
            Investigate(debounce=30.0, webhook_grace=60.0, max_queue=3),
            correlation_of=self.stories.get,
            fetch_rest=self._fetch,
            wake=self._wake,
            clock=lambda: self.now,
            new_id=lambda: next(ids),
        )
        self.dispatcher = Dispatcher(
            self.store,
            self.queue,
            self.telemetry,
            abandon=lambda investigation, reason: self.abandoned.append((investigation, reason)),
            source_resolved=self._hear,
            fetch_truncated=self.intake.fetch_truncated,
            clock=lambda: self.now,
        )

    def _wake(self) -> None:
        self.woken += 1

    def _fetch(self, group: AlertGroup) -> list[Alert]:
        self.asked.append(group.key)
        if isinstance(self.rest, Exception):
            raise self.rest
        return self.rest

    def _hear(self, fingerprint: str, ends_at: float) -> None:
        if self.deaf:
            raise self.deaf
        self.heard.append((fingerprint, ends_at))

    def accept(self, *alerts: Alert, key: str = "{}:{alertname}"):
        return self.intake.accept(AlertGroup(key, alerts))

    def begin(self, investigation: str) -> None:
        self.store.hand_over(investigation)
        assert self.store.begin(investigation, self.now)

    def finish(self, investigation: str) -> None:
        self.store.finish(investigation, self.now, DOCUMENT)

    def done(self, *alerts: Alert, key: str = "{}:{alertname}") -> str:
        """Take alerts in and see them through."""
        taken = self.accept(*alerts, key=key)
        self.begin(taken.investigation)
        self.finish(taken.investigation)
        return taken.investigation

    def tell(self) -> list[tuple[str, float]]:
        """Let the dispatcher pass on what ended; say what the publisher heard."""
        self.heard.clear()
        self.dispatcher.tell_resolved()
        return self.heard.copy()

    def story(self, correlation: str):
        return self.events.query(correlation=correlation)
