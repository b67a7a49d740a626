"""The intake: what comes in is stored before anybody is told that it was taken."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from threading import Lock

import structlog

from lens_exporter.config.settings import Investigate
from lens_exporter.errors import IntakeFull, LensError
from lens_exporter.foundation.clock import Clock, NewId, new_ulid, wall
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.investigate.admission import Admission, Happening, duplicate, is_settled
from lens_exporter.investigate.store import Store
from lens_exporter.investigate.taken import AlertOutcome, GroupOutcome, Taken, sort
from lens_exporter.model.alert import Alert, AlertGroup, AlertState

_log = structlog.get_logger("lens_exporter.intake")

FetchRest = Callable[[AlertGroup], Sequence[Alert]]


class Intake:
    """Thread-safe. Returning means stored; what is stored becomes exactly one published result, or is cancelled with a reason."""

    def __init__(
        self,
        store: Store,
        events: Events,
        telemetry: Telemetry,
        settings: Investigate,
        *,
        correlation_of: Callable[[str], str | None] = lambda _fingerprint: None,
        fetch_rest: FetchRest | None = None,
        wake: Callable[[], None] = lambda: None,
        clock: Clock = wall,
        new_id: NewId = new_ulid,
    ) -> None:
        """Take correlation_of to find the story of an own alert by its fingerprint, and wake to tell the dispatcher of work."""
        self._store = store
        self._events = events
        self._telemetry = telemetry
        self._settings = settings
        self._correlation_of = correlation_of
        self._fetch_rest = fetch_rest
        self._wake = wake
        self._clock = clock
        self._new_id = new_id
        self._lock = Lock()
        self._truncated: dict[str, AlertGroup] = {}  # by key; best effort, so not stored

    def accept(self, group: AlertGroup) -> Taken:
        """Take in a webhook's group.

        Raises:
            IntakeFull: it would be new work, and too much waits already; nothing was stored.
            DatabaseError: nothing was stored.

        """
        alerts = sort(group.alerts)
        correlation = self._story(alerts.firing.values())
        try:
            taken, happened = self._admit(lambda admission: admission.webhook(group, alerts, correlation))
        except IntakeFull:
            self._telemetry.inc("lens_intake_alerts_total", len(group.alerts), outcome=AlertOutcome.REFUSED.value)
            raise
        self._events.append(
            "webhook.received",
            correlation=taken.correlation,
            subject=taken.investigation,
            group_key=group.key,
            alerts=len(group.alerts),
            status=_status(group).value,
            outcome=taken.outcome.value,
        )
        self._tell(taken, happened)
        if group.truncated and self._fetch_rest is not None:
            with self._lock:
                self._truncated[group.key] = replace(group, alerts=())
        self._wake()
        return taken

    def announce(self, alert: Alert, correlation: str) -> Taken:
        """Take in a watcher's own alert: Alertmanager's webhook promotes it; after webhook_grace it is investigated anyway.

        A watcher announces an alert at every tick while it fires. One that is known is looked up, and nobody is told.

        Raises:
            DatabaseError: it was not stored.

        """
        known = self._store.known(alert)
        if known is not None and is_settled(known):
            return duplicate(known)
        taken, happened = self._admit(lambda admission: admission.announced(alert, correlation))
        if taken.outcome is GroupOutcome.DUPLICATE:
            return taken
        self._tell(taken, happened)
        self._wake()
        return taken

    def ended(self, alert: Alert) -> Taken:
        """Take in that a watcher's own alert is over, for sites whose Alertmanager sends no webhook (or not the resolved ones).

        Raises:
            DatabaseError: it was not stored.

        """
        taken, happened = self._admit(lambda admission: admission.webhook(AlertGroup("", (alert,)), sort([alert]), None))
        self._tell(taken, happened)
        self._wake()
        return taken

    def fetch_truncated(self) -> None:
        """Ask Alertmanager for what it left out of webhooks, and take that in too. Best effort: the next webhook asks again."""
        with self._lock:
            groups, self._truncated = list(self._truncated.values()), {}
        for group in groups:
            try:
                rest = tuple(self._fetch_rest(group)) if self._fetch_rest is not None else ()
                if rest:
                    self.accept(replace(group, alerts=rest, truncated=0))
            except LensError as error:
                _log.warning("the truncated alerts of a group could not be taken in", group_key=group.key, error=str(error))

    def _story(self, alerts: Iterable[Alert]) -> str | None:
        """Find the correlation id of the first alert a watcher of ours raised."""
        own = (alert for alert in alerts if "watcher" in alert.labels and alert.name.startswith("Lens"))
        return next((found for alert in own if (found := self._correlation_of(alert.fingerprint))), None)

    def _admit(self, decide: Callable[[Admission], Taken]) -> tuple[Taken, list[Happening]]:
        with self._store.book() as book:
            admission = Admission(book, self._settings, now=self._clock(), new_id=self._new_id)
            taken = decide(admission)
            depth = book.depth()
        self._telemetry.set("lens_queue_depth", depth)
        return taken, admission.happened

    def _tell(self, taken: Taken, happened: Sequence[Happening]) -> None:
        for outcome, count in taken.alerts.items():
            self._telemetry.inc("lens_intake_alerts_total", count, outcome=outcome.value)
        for one in happened:
            self._events.append(one.kind, correlation=one.correlation, subject=one.subject, **one.data)


def _status(group: AlertGroup) -> AlertState:
    return AlertState.FIRING if any(alert.ends_at is None for alert in group.alerts) else AlertState.RESOLVED
