"""Moves stored work along: due units to the durable queue, ends of alerts to the publisher, and back what a crash left behind."""

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from lens_exporter.errors import DatabaseError, LensError
from lens_exporter.foundation.clock import Clock, wall
from lens_exporter.foundation.stretch import Stretch
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.investigate.store import Store
from lens_exporter.investigate.unit import State
from lens_exporter.investigate.workflow import WorkflowStanding
from lens_exporter.model.decision import Severity

_log = structlog.get_logger("lens_exporter.dispatcher")


class DurableQueue(Protocol):
    """What the dispatcher asks of Workflows."""

    def launch(self) -> None: ...
    def enqueue(self, investigation: str, severity: Severity) -> None: ...
    def resume(self, investigation: str) -> None: ...
    def forget(self, investigation: str) -> None: ...
    def standing(self, investigations: Sequence[str]) -> dict[str, tuple[WorkflowStanding, str]]: ...


class Dispatcher:
    """A supervised loop. Everything it does is a conditional move in the database: another process would do no unit twice."""

    def __init__(
        self,
        store: Store,
        queue: DurableQueue,
        telemetry: Telemetry,
        *,
        abandon: Callable[[str, str], None],
        source_resolved: Callable[[str, float], None],
        fetch_truncated: Callable[[], None] = lambda: None,
        waits: Callable[[str], object] = lambda _reason: None,
        wake: threading.Event | None = None,
        clock: Clock = wall,
        pause: float = 1.0,
        reconcile_every: float = 15.0,
    ) -> None:
        """Take wake as the event that whoever stored something sets; without it the loop looks once every `pause` seconds.

        waits is told at each turn why nothing can be handed over, "" where it can: what is accepted then is stored, and no more.
        """
        self._store = store
        self._queue = queue
        self._telemetry = telemetry
        self._abandon = abandon
        self._source_resolved = source_resolved
        self._fetch_truncated = fetch_truncated
        self._waits = waits
        self._wake = wake or threading.Event()
        self._clock = clock
        self._pause = pause
        self._reconcile_every = reconcile_every
        self._reconciled_at = float("-inf")
        self._failing = Stretch()
        self._begun_anew: set[str] = set()

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set. A database that is away is waited for."""
        while not stop.is_set():
            try:
                self._queue.launch()
                self.turn()
            except DatabaseError as error:
                log = _log.warning if self._failing.failed(self._clock(), (type(error).__name__,)) else _log.debug
                log("the dispatcher waits for its database", error=str(error))
                self._waits(str(error))
                stop.wait(self._pause)
            else:
                self._waits("")
                if (over := self._failing.over(self._clock())) is not None:
                    _log.info("the dispatcher works again", seconds=round(over.seconds, 3), failures=over.failures)
            self._wake.wait(self._until_due())
            self._wake.clear()

    def turn(self) -> None:
        """Do once everything there is to do now.

        Raises:
            DatabaseError: the rest is done at the next turn.

        """
        now = self._clock()
        self._fetch_truncated()
        # Also when the clock was set back: the last time would otherwise stay ahead for as long as it was wrong.
        if not self._reconciled_at <= now < self._reconciled_at + self._reconcile_every:
            self.reconcile()
            self._reconciled_at = now
        self.dispatch_due(now)
        self.tell_resolved()

    def dispatch_due(self, now: float) -> int:
        """Hand units whose moment has come to the durable queue; say how many.

        Raises:
            DatabaseError: those not handed over are found by the next reconcile.

        """
        handed = 0
        for unit in self._store.due(now):
            if unit.put_off and not self._forgotten(unit.id):
                continue
            if self._store.hand_over(unit.id):
                self._queue.enqueue(unit.id, unit.severity)
                handed += 1
        self._telemetry.set("lens_queue_depth", self._store.depth())
        return handed

    def _forgotten(self, investigation: str) -> bool:
        """Make the durable queue forget that it had a unit that was put off: it does nothing twice. False while it ends there.

        Suspended is one whose database failed after it was put off: it has done nothing that would be lost.
        """
        standing, _ = self._queue.standing([investigation])[investigation]
        if standing in (WorkflowStanding.WAITING, WorkflowStanding.RUNNING):
            return False
        self._queue.forget(investigation)
        return True

    def tell_resolved(self) -> int:
        """Pass ended alerts of published investigations to the publisher; say how many. What fails is passed on again later."""
        passed = []
        for one in self._store.untold():
            try:
                if not one.superseded:
                    self._source_resolved(one.fingerprint, one.ends_at)
            except LensError as error:
                _log.warning("the end of an alert could not be passed on", fingerprint=one.fingerprint, error=str(error))
                continue
            passed.append(one)
        self._store.told(passed)
        return len(passed)

    def reconcile(self) -> None:
        """Compare what should be in the durable queue with what is, and repair: a crash may have come between the two.

        Raises:
            DatabaseError: the rest is repaired at the next turn.

        """
        severities = dict(self._store.handed_over())
        if not severities:
            return
        for investigation, (standing, reason) in self._queue.standing(list(severities)).items():
            match standing:
                case WorkflowStanding.UNKNOWN:
                    self._queue.enqueue(investigation, severities[investigation])
                case WorkflowStanding.SUSPENDED:
                    self._queue.resume(investigation)
                case WorkflowStanding.LOST:
                    self._abandon(investigation, reason)
                case WorkflowStanding.OVER:
                    self._begin_anew(investigation, severities[investigation])
                case WorkflowStanding.WAITING | WorkflowStanding.RUNNING:
                    pass

    def _begin_anew(self, investigation: str, severity: Severity) -> None:
        """Do what ended elsewhere again, once: the durable queue's records are newer than a database restored from a backup."""
        if self._store.unit(investigation).state not in (State.QUEUED, State.RUNNING):
            return  # it ended after it was listed
        if investigation in self._begun_anew:
            self._abandon(investigation, "its workflow ended without a result")
            return
        self._begun_anew.add(investigation)
        _log.warning("the durable queue has ended what is open here: it begins anew", investigation=investigation)
        self._queue.forget(investigation)
        self._queue.enqueue(investigation, severity)

    def _until_due(self) -> float:
        try:
            due = self._store.next_due()
        except DatabaseError:
            return self._pause
        return self._pause if due is None else min(max(0.05, due - self._clock()), self._pause)
