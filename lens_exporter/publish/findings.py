"""A finding goes out: a companion alert, a Grafana annotation, more annotations on an alert of ours. No model writes anything."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from lens_exporter.foundation.clock import Clock, wall
from lens_exporter.foundation.database import Database
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.foundation.tracing import span
from lens_exporter.model.alert import AlertGroup
from lens_exporter.model.analysis import Delivery, DeliveryState, Investigated
from lens_exporter.publish import companions, grafana, regions
from lens_exporter.publish.companion import Sender, companion, enrichment
from lens_exporter.publish.lifecycle import AlertLifecycle
from lens_exporter.publish.outbox import Outbox, Outgoing, Progress

_REMEMBER_SECONDS = 7 * 86_400.0
_SKIPPED = {companions.TARGET: "no Alertmanager is configured", regions.TARGET: "Grafana is not configured"}


class Publisher:
    """Publishes each investigation once, whatever is down at the time: everything to be done is in the database first.

    Call `settle()` and `retry_pending()` every few seconds.
    """

    def __init__(
        self,
        database: Database,
        lifecycle: AlertLifecycle,
        annotations: grafana.AnnotationPort | None,
        sender: Sender,
        *,
        events: Events,
        telemetry: Telemetry,
        ended: Callable[[str], float | None] = lambda _fingerprint: None,
        companion_minimum: float = 60.0,
        clock: Clock = wall,
    ) -> None:
        """Take `ended` to ask when the alert with a fingerprint ended: Unix seconds, None while it fires or is unknown."""
        self._outbox = Outbox(database)
        self._lifecycle = lifecycle
        self._companions = companions.Companions(self._outbox, lifecycle, events, clock, companion_minimum)
        self._regions = None if annotations is None else regions.Regions(self._outbox, annotations, events, telemetry, clock)
        self._sender = sender
        self._ended = ended
        self._clock = clock

    def publish(self, investigated: Investigated, group: AlertGroup) -> tuple[Delivery, ...]:
        """Publish to every target, and say how far each got. Calling it again for the same investigation changes nothing.

        A target that is down is tried again by settle() and retry_pending(); only the database can fail this call.

        Raises:
            DatabaseError: not everything was stored; call again.

        """
        with span("publish", correlation=investigated.correlation, investigation=investigated.id):
            self._store(investigated, group)
            # Asked after the rows are stored: an end that comes later finds them through source_resolved().
            ends = [(source, self._ended(source.fingerprint)) for source in group.alerts]
            over = {source.fingerprint: end for source, end in ends if end is not None and end >= source.starts_at}
            self._outbox.end_sources(over)
            self._enrich(investigated, group)
            self._companions.send(investigated.id)
            if self._regions is not None:
                self._regions.send(investigated.id)
        return self.deliveries(investigated.id)

    def source_resolved(self, fingerprint: str, ends_at: float) -> None:
        """Note that an alert ended (Unix seconds); the next passes resolve its companion and close its region.

        Raises:
            DatabaseError: it was not noted.

        """
        self.sources_resolved({fingerprint: ends_at})

    def sources_resolved(self, ends: Mapping[str, float]) -> None:
        """Note the ends of many alerts at once, by fingerprint. Raises DatabaseError: none was noted."""
        self._outbox.end_sources(ends)

    def settle(self) -> None:
        """Make one pass over companions: note deliveries, resolve what is over. Raises DatabaseError."""
        self._companions.settle()
        self._outbox.prune(self._clock() - _REMEMBER_SECONDS)

    def retry_pending(self) -> None:
        """Make one pass over annotations that are to be created or ended. Raises DatabaseError."""
        if self._regions is not None:
            self._regions.retry()

    def deliveries(self, investigation: str) -> tuple[Delivery, ...]:
        """Say how far an investigation's publishing got, by target; none before publish() or a week later."""
        rows = {row.target: row for row in self._outbox.of(investigation)}
        if not rows:
            return ()
        configured = {companions.TARGET: self._companions.configured, regions.TARGET: self._regions is not None}
        now = self._clock()
        return tuple(
            _delivery(rows[target])
            if is_configured and target in rows
            else Delivery(target, DeliveryState.SKIPPED, now, _SKIPPED[target])
            for target, is_configured in configured.items()
        )

    def _store(self, investigated: Investigated, group: AlertGroup) -> None:
        now = self._clock()
        alert = companion(investigated, group, self._sender, at=now)
        payloads: dict[str, dict[str, Any]] = {companions.TARGET: asdict(alert)}
        if self._regions is not None:
            note = grafana.annotation(investigated, group, external_url=self._sender.external_url, at=now)
            payloads[regions.TARGET] = asdict(note)
        sources = {alert.fingerprint: alert.ends_at for alert in group.alerts}
        for target, payload in payloads.items():
            row = Outgoing(investigated.id, target, investigated.correlation, payload, sources, now, now, updated_at=now)
            self._outbox.add(row)

    def _enrich(self, investigated: Investigated, group: AlertGroup) -> None:
        """Add the finding to alerts of our own watchers. Alerts of others are never re-posted: their owner would overwrite it."""
        added = enrichment(investigated)
        for alert in group.alerts:
            self._lifecycle.annotate(alert.fingerprint, added)


def _delivery(row: Outgoing) -> Delivery:
    delivered = row.state in {Progress.OPEN, Progress.CLOSED}
    state = DeliveryState.DELIVERED if delivered else DeliveryState.FAILED
    return Delivery(row.target, state, row.updated_at, row.detail, row.remote_id)
