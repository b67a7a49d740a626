"""Companion alerts on their way: fired with the finding, resolved once everybody could see them and their source is over."""

import threading

from lens_exporter.foundation.clock import Clock
from lens_exporter.foundation.events import Events
from lens_exporter.model.alert import Alert
from lens_exporter.publish.ledger import Told
from lens_exporter.publish.lifecycle import AlertLifecycle
from lens_exporter.publish.outbox import Outbox, Outgoing, Progress

TARGET = "alertmanager"
_GIVE_UP_SECONDS = 86_400.0


class Companions:
    """Moves the outbox's rows for Alertmanager forward. Thread-safe."""

    def __init__(self, outbox: Outbox, lifecycle: AlertLifecycle, events: Events, clock: Clock, minimum: float) -> None:
        self._outbox = outbox
        self._lifecycle = lifecycle
        self._events = events
        self._clock = clock
        self._minimum = minimum
        self._moving = threading.Lock()

    @property
    def configured(self) -> bool:
        return bool(self._lifecycle.alertmanagers)

    def send(self, investigation: str) -> None:
        """Fire a companion that was never fired, and say when no Alertmanager took it at once. Raises DatabaseError."""
        with self._moving:
            row = self._outbox.get(investigation, TARGET)
            if row is None or row.state is not Progress.PENDING or row.remote_id:
                return
            told = self._fire(row)
        if self.configured and not _accepted_at(told):
            error = next((record.error for record in told if record.error), "no Alertmanager has answered yet")
            self._outbox.update(row, detail=error, updated_at=self._clock())
            self._tell("finding.publish_failed", row, error=error)

    def settle(self) -> None:
        """Make one pass: note what was delivered, resolve what is over. Raises DatabaseError."""
        with self._moving:
            for row in self._outbox.unfinished(TARGET):
                if not row.remote_id:
                    self._fire(row)  # the process ended between storing and firing
                else:
                    self._settle(row, self._lifecycle.deliveries(row.remote_id))

    def _fire(self, row: Outgoing) -> list[Told]:
        payload = {**row.payload, "external": tuple(row.payload.get("external", ()))}  # JSON knows lists
        alert = Alert(**payload)
        stored = self._lifecycle.fire(
            alert, correlation=row.correlation, origin="investigation", source=alert.labels["source_fingerprint"]
        )
        fingerprint = stored.alert.fingerprint
        self._outbox.update(row, remote_id=fingerprint, updated_at=self._clock())
        self._supersede(row, fingerprint)
        told = self._lifecycle.deliveries(fingerprint)
        if _accepted_at(told):
            self._note_delivered(row, fingerprint)
        return told

    def _settle(self, row: Outgoing, told: list[Told]) -> None:
        accepted_at = _accepted_at(told)
        if row.state is Progress.PENDING and accepted_at is not None:
            self._note_delivered(row, row.remote_id)
        if row.ended_at is None:
            return
        now = self._clock()
        if accepted_at is None and self.configured:
            if now - row.created_at > _GIVE_UP_SECONDS:
                self._close(row, Progress.GIVEN_UP)
            return
        # Somebody must have a chance to be told of a finding whose alert is over already.
        if accepted_at is None or not 0 <= now - accepted_at < self._minimum:
            self._close(row, Progress.CLOSED)

    def _close(self, row: Outgoing, state: Progress) -> None:
        self._lifecycle.resolve(row.remote_id, self._clock())
        self._outbox.update(row, state=state, updated_at=self._clock())

    def _supersede(self, row: Outgoing, fingerprint: str) -> None:
        """Let a newer finding about the same source replace an older one; one with the same labels lives on as the newer."""
        source = row.payload["labels"]["source_fingerprint"]
        for older in self._outbox.unfinished(TARGET):
            same_source = older.payload["labels"]["source_fingerprint"] == source
            if not same_source or older.investigation == row.investigation or older.created_at > row.created_at:
                continue
            if older.remote_id and older.remote_id != fingerprint:
                self._lifecycle.resolve(older.remote_id, self._clock())
            state = Progress.CLOSED if older.state is Progress.OPEN else Progress.GIVEN_UP
            self._outbox.update(older, state=state, detail=f"replaced by {row.investigation}", updated_at=self._clock())

    def _note_delivered(self, row: Outgoing, fingerprint: str) -> None:
        self._outbox.update(row, state=Progress.OPEN, detail="", updated_at=self._clock())
        self._tell("finding.published", row, detail=fingerprint)

    def _tell(self, kind: str, row: Outgoing, **data: str) -> None:
        self._events.append(kind, correlation=row.correlation, subject=row.investigation, target=TARGET, **data)


def _accepted_at(told: list[Told]) -> float | None:
    """Give the first time any Alertmanager took the companion."""
    return min((record.first_at for record in told if record.first_at is not None), default=None)
