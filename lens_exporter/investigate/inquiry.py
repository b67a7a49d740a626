"""The course of one investigation, step by recorded step: begin, investigate, publish, finish.

Whatever happens in between, it ends in one published result. Only a database that is away interrupts it, and then it goes on later.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

import structlog

from lens_exporter.errors import DatabaseError, UnknownInvestigation
from lens_exporter.foundation.clock import Clock, wall
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.foundation.tracing import span
from lens_exporter.investigate.document import result
from lens_exporter.investigate.steps import StepRunner
from lens_exporter.investigate.store import Store
from lens_exporter.investigate.unit import WAITING, State, Unit
from lens_exporter.model.alert import AlertGroup
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

Publish = Callable[[Investigated, AlertGroup], tuple[Delivery, ...]]

T = TypeVar("T")

_AGAIN = 30.0  # seconds until a data source that did not answer is tried again
_MAX_REASON = 300  # characters of an error in a summary
_log = structlog.get_logger("lens_exporter.investigate")


class Investigates(Protocol):
    """Looks into a group of alerts. Whatever costs, reads, or asks the clock runs through `step`; the rest follows from that."""

    def run(self, investigation: str, correlation: str, group: AlertGroup, step: StepRunner) -> Investigated: ...


class Inquiry:
    """Conducts investigations. publish must be idempotent per investigation id."""

    def __init__(
        self,
        store: Store,
        investigator: Investigates,
        publish: Publish,
        events: Events,
        telemetry: Telemetry,
        *,
        analyst: Callable[[], str] = lambda: "",
        away: Callable[[AlertGroup], str] = lambda _group: "",
        patience: float = 0.0,
        finished: Callable[[], None] = lambda: None,
        clock: Clock = wall,
    ) -> None:
        """Take away as what says why the data source of alerts does not answer ("": it does).

        An investigation waits for it for `patience` seconds after its alerts came in, then it goes on with what else there is.
        """
        self._store = store
        self._investigator = investigator
        self._publish = publish
        self._events = events
        self._telemetry = telemetry
        self._analyst = analyst
        self._away = away
        self._patience = patience
        self._finished = finished
        self._clock = clock
        telemetry.inc("lens_investigations_put_off_total", 0)
        for verdict in Outcome:  # from zero on, so that increase() sees the first one
            telemetry.inc("lens_investigations_total", 0, verdict=verdict.value)

    def conduct(self, investigation: str, step: StepRunner) -> None:
        """Run one investigation to its end, or go on with it where its steps ended.

        Raises:
            DatabaseError: interrupted; the same call later goes on.

        """
        if not step("begin", lambda: self._begin(investigation)):
            return
        unit = self._store.unit(investigation)  # its group is fixed since it began
        with span("investigation", correlation=unit.correlation, investigation=unit.id):

            def failed(reason: str) -> Investigated:
                step("failed", lambda: self._fail(unit, reason))
                return not_investigated(unit, reason)

            def look() -> Investigated:
                return self._investigator.run(unit.id, unit.correlation, unit.group, step)

            investigated = _spared(unit, "investigation failed", look, failed)
            deliveries = step("publish", lambda: self._deliver(investigated, unit))
            step("finish", lambda: self._finish(unit, investigated, deliveries))

    def abandon(self, investigation: str, reason: str) -> None:
        """Publish that an investigation could not be done, when its durable workflow is lost. Does nothing when it is over.

        Raises:
            DatabaseError: nothing is lost; call again.

        """
        unit = self._store.unit(investigation)
        if unit.state not in (State.QUEUED, State.RUNNING):
            return
        self._fail(unit, reason)
        investigated = not_investigated(unit, reason)
        self._finish(unit, investigated, self._deliver(investigated, unit))

    def _begin(self, investigation: str) -> bool:
        try:
            if self._put_off(self._store.unit(investigation)) or not self._store.begin(investigation, self._clock()):
                return False
        except UnknownInvestigation:  # pruned meanwhile
            return False
        unit = self._store.unit(investigation)
        self._telemetry.set("lens_queue_depth", self._store.depth())
        self._events.append("investigation.started", correlation=unit.correlation, subject=unit.id, analyst=self._analyst())
        return True

    def _put_off(self, unit: Unit) -> bool:
        """Hold a unit back while its data source does not answer: what cannot be seen cannot be looked into."""
        now = self._clock()
        if unit.state not in WAITING or not unit.created_at <= now < unit.created_at + self._patience:
            return False
        error = self._away(unit.group)
        if not error or not self._store.put_off(unit.id, min(self._clock() + _AGAIN, unit.created_at + self._patience), error):
            return False
        if not unit.reason:
            self._telemetry.inc("lens_investigations_put_off_total")
            self._events.append("investigation.put_off", correlation=unit.correlation, subject=unit.id, error=error)
        return True

    def _fail(self, unit: Unit, reason: str) -> None:
        self._events.append("investigation.failed", correlation=unit.correlation, subject=unit.id, error=reason)

    def _deliver(self, investigated: Investigated, unit: Unit) -> tuple[Delivery, ...]:
        def failed(reason: str) -> tuple[Delivery, ...]:
            told = {"correlation": unit.correlation, "subject": unit.id}
            self._events.append("finding.publish_failed", **told, target="publisher", error=reason)
            return (Delivery("publisher", DeliveryState.FAILED, self._clock(), reason),)

        return _spared(unit, "publishing failed", lambda: self._publish(investigated, unit.group), failed)

    def _finish(self, unit: Unit, investigated: Investigated, deliveries: tuple[Delivery, ...]) -> None:
        now = self._clock()
        shape = result(investigated, deliveries)
        self._store.finish(unit.id, now, shape)
        verdict = investigated.analysis.outcome.value
        self._telemetry.inc("lens_investigations_total", verdict=verdict)
        self._telemetry.observe("lens_investigation_duration_seconds", max(0.0, now - (unit.started_at or unit.created_at)))
        self._events.append(
            "investigation.finished",
            correlation=unit.correlation,
            subject=unit.id,
            verdict=verdict,
            status=investigated.analysis.status.value,
            summary=investigated.analysis.summary,
            cost=shape["cost"],
        )
        self._finished()


def _spared(unit: Unit, trouble: str, work: Callable[[], T], instead: Callable[[str], T]) -> T:
    """Give what the work gives, or `instead` of it with the reason it failed. A database that is away only interrupts."""
    try:
        return work()
    except DatabaseError:
        raise
    # Agent, clients, lenses, judge and publishers meet here: a fault in any of them must not cost the alert its answer, nor leave
    # it running for ever.
    except Exception as error:  # noqa: BLE001
        _log.exception(trouble, investigation=unit.id, correlation=unit.correlation)
        return instead(f"{type(error).__name__}: {error}")


def not_investigated(unit: Unit, reason: str) -> Investigated:
    """Say that an alert group was taken in and could not be looked into."""
    short = reason if len(reason) <= _MAX_REASON else f"{reason[:_MAX_REASON]}..."
    analysis = HealthAnalysis(
        status=Health.CRITICAL if unit.severity is Severity.CRITICAL else Health.WARNING,
        outcome=Outcome.NOT_INVESTIGATED,
        summary=f"Not investigated: {short}",
        reason=reason,
    )
    verdict = Verdict(ReviewVerdict.INCONCLUSIVE, confidence="low", by=(), attempts=0, failure="there was nothing to review")
    return Investigated(unit.id, unit.correlation, analysis, verdict, receipts=(), cost=Cost(), analyst="")
