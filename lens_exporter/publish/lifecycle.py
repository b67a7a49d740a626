"""The life of an alert of ours: firing, re-sent to every Alertmanager until over, then resolved and re-sent as resolved."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future, wait
from dataclasses import replace
from functools import partial

import structlog

from lens_exporter.errors import DatabaseError, LensError, RemoteRefused
from lens_exporter.foundation.clock import Clock, wall
from lens_exporter.foundation.database import Database
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.foundation.threads import begin
from lens_exporter.model.alert import Alert
from lens_exporter.model.labels import Labels
from lens_exporter.publish import acceptable, resend
from lens_exporter.publish.alertmanager import Alertmanager
from lens_exporter.publish.ledger import Ledger, StoredAlert, Told, by_fingerprint

ORIGINS = ("watcher", "investigation")

# The answers that speak about the alerts and not about the service: bad content, too large, failed validation.
_ABOUT_THE_ALERTS = (400, 413, 422)
_REMEMBER_SECONDS = 86_400.0

_log = structlog.get_logger("lens_exporter.lifecycle")


class AlertLifecycle:
    """Keeps alerts alive from the database, so that a restart changes nothing. Thread-safe.

    Call `resend()` every few seconds: what is due is decided here.
    """

    def __init__(
        self,
        database: Database,
        alertmanagers: Sequence[Alertmanager],
        *,
        events: Events,
        telemetry: Telemetry,
        resend_interval: float = 60.0,
        resolved_for: float = 900.0,
        patience: float = 2.0,
        clock: Clock = wall,
    ) -> None:
        """Patience is how many seconds anybody waits for a delivery; the next pass takes along what was not sent."""
        self._ledger = Ledger(database)
        self._alertmanagers = tuple(alertmanagers)
        self._events = events
        self._telemetry = telemetry
        self._interval = resend_interval
        self._resolved_for = resolved_for
        self._patience = patience
        self._clock = clock
        self._changing = threading.Lock()
        self._passing = {one.name: threading.Lock() for one in self._alertmanagers}
        self._hanging: set[str] = set()  # Alertmanagers that somebody has lost patience with

    def fire(self, alert: Alert, *, correlation: str, origin: str, source: str = "") -> StoredAlert:
        """Store a firing alert, then try once at every Alertmanager. While it fires, the same labels only update annotations.

        Gives the alert as stored: labels that an Alertmanager would refuse are cleaned, which changes its fingerprint.

        Raises:
            DatabaseError: it could not be stored; every Alertmanager was told once all the same.

        """
        wanted = acceptable.acceptable(alert)
        try:
            stored, began = self._store_firing(wanted, alert.fingerprint, correlation, origin, source)
        except DatabaseError:
            self._post_unstored(StoredAlert(wanted, correlation, origin, source))
            raise
        if began:
            self._events.append(
                "alert.fired",
                correlation=stored.correlation,
                subject=wanted.fingerprint,
                fingerprint=wanted.fingerprint,
                labels=wanted.labels,
                annotations=wanted.annotations,
                starts_at=stored.alert.starts_at,
            )
        self._everywhere(wanted.fingerprint)
        self._count_firing()
        return stored

    def resolve(self, fingerprint: str, at: float) -> None:
        """End an alert at `at` (Unix seconds), and tell every Alertmanager. An unknown or resolved one stays as it is.

        Raises:
            DatabaseError: it still fires.

        """
        with self._changing, self._ledger.transaction() as connection:
            known = self._ledger.find(connection, fingerprint)
            if known is None or known.alert.ends_at is not None:
                return
            ended = replace(known.alert, ends_at=max(known.alert.starts_at, round(at, 3)))
            stored = replace(known, alert=ended, resolved_at=self._clock(), version=known.version + 1)
            self._ledger.save(connection, stored)
        self._events.append(
            "alert.resolved",
            correlation=stored.correlation,
            subject=ended.fingerprint,
            fingerprint=ended.fingerprint,
            labels=ended.labels,
            ends_at=ended.ends_at,
        )
        self._everywhere(ended.fingerprint)
        self._count_firing()

    def annotate(self, fingerprint: str, annotations: Labels) -> bool:
        """Add annotations to a firing alert of a watcher, which later updates keep. Says whether it was one.

        Raises:
            DatabaseError: they could not be stored.

        """
        added = acceptable.annotations(annotations)
        with self._changing, self._ledger.transaction() as connection:
            known = self._ledger.find(connection, fingerprint)
            if known is None or known.alert.ends_at is not None or known.origin != "watcher":
                return False
            if known.enrichment == added:
                return True
            self._ledger.save(connection, replace(known, enrichment=added, version=known.version + 1))
        self._everywhere(known.alert.fingerprint)
        return True

    def find(self, fingerprint: str) -> StoredAlert | None:
        """Give the alert of ours with this fingerprint: firing, or resolved within the last day. Raises DatabaseError."""
        with self._ledger.transaction() as connection:
            return self._ledger.find(connection, fingerprint)

    def firing(self, origin: str | None = None) -> list[StoredAlert]:
        """List the alerts we keep alive, oldest first. Raises DatabaseError."""
        with self._ledger.transaction() as connection:
            return self._ledger.firing(connection, origin)

    def deliveries(self, fingerprint: str) -> list[Told]:
        """Say what each configured Alertmanager was told about one alert. Raises DatabaseError."""
        with self._ledger.transaction() as connection:
            told = self._ledger.told(connection, fingerprint=fingerprint)
        return [record for record in told if record.alertmanager in self._passing]

    @property
    def alertmanagers(self) -> tuple[str, ...]:
        """Their addresses."""
        return tuple(self._passing)

    def resend(self) -> None:
        """Make one pass: whatever is due goes to every Alertmanager; what was resolved long ago is forgotten.

        Raises:
            DatabaseError: the alerts cannot be read or their delivery not recorded.

        """
        self._everywhere()
        self._count_firing()
        with self._ledger.transaction() as connection:
            self._ledger.prune(connection, self._clock() - max(_REMEMBER_SECONDS, self._resolved_for))

    def _store_firing(self, alert: Alert, asked: str, correlation: str, origin: str, source: str) -> tuple[StoredAlert, bool]:
        with self._changing, self._ledger.transaction() as connection:
            known = self._ledger.find(connection, alert.fingerprint)
            began = known is None or known.alert.ends_at is not None
            version = 1 if known is None else known.version + 1
            if known is None or began:
                alert = replace(alert, starts_at=alert.starts_at or round(self._clock(), 3), ends_at=None)
                stored = StoredAlert(alert, correlation, origin, source, version, asked=asked, plain=alert.annotations)
                self._ledger.forget_told(connection, alert.fingerprint)
            elif known.plain == alert.annotations and known.alert.generator_url == alert.generator_url:
                return known, False
            else:
                merged = {**alert.annotations, **known.enrichment}
                updated = replace(known.alert, annotations=merged, generator_url=alert.generator_url)
                stored = replace(known, alert=updated, plain=alert.annotations, version=version)
            self._ledger.save(connection, stored)
        return stored, began

    def _everywhere(self, only: str | None = None) -> None:
        """Deliver to all Alertmanagers at once. One that hangs keeps neither the others waiting nor, for long, the caller."""
        awake = [one for one in self._alertmanagers if one.name not in self._hanging]
        attempts = {begin("alertmanager", partial(self._deliver, one, only)): one.name for one in awake}
        done, late = wait(attempts, self._patience)
        for attempt in late:
            self._leave(attempts[attempt], attempt)
        for attempt in done:
            attempt.result()

    def _leave(self, name: str, attempt: "Future[None]") -> None:
        self._hanging.add(name)

        def ended(attempt: "Future[None]") -> None:
            self._hanging.discard(name)
            if error := attempt.exception():
                _log.error("a delivery ended late and badly", alertmanager=name, error=str(error))

        attempt.add_done_callback(ended)

    def _deliver(self, alertmanager: Alertmanager, only: str | None) -> None:
        """Post what is due, oldest first, until the service itself fails."""
        lock = self._passing[alertmanager.name]
        if not lock.acquire(timeout=self._patience):
            return
        try:
            now = self._clock()
            with self._ledger.transaction() as connection:
                alive = self._ledger.alive(connection, now - self._resolved_for)
                told = by_fingerprint(self._ledger.told(connection, alertmanager=alertmanager.name))
            due = [
                stored
                for stored in alive
                if only in {None, stored.alert.fingerprint}
                and resend.is_due(stored, told.get(stored.alert.fingerprint), now, self._interval)
            ]
            for batch in _batches(due, told):
                if not self._send(alertmanager, batch, told, now):
                    return
        finally:
            lock.release()

    def _send(self, alertmanager: Alertmanager, batch: list[StoredAlert], told: dict[str, Told], now: float) -> bool:
        """Post one batch and record what became of it; False when the service failed and more would be in vain."""
        try:
            alertmanager.post([resend.as_sent(stored, now, self._interval) for stored in batch])
        except LensError as error:  # also a token file that is being rotated
            about_the_alerts = isinstance(error, RemoteRefused) and error.fields.get("status") in _ABOUT_THE_ALERTS
            if about_the_alerts and len(batch) > 1:
                # One bad alert must not hold up the others: each goes by itself.
                return all(self._send(alertmanager, [stored], told, now) for stored in batch)
            self._failed(alertmanager, batch, told, now, str(error), refused=about_the_alerts)
            return about_the_alerts
        self._accepted(alertmanager, batch, told, now)
        return True

    def _accepted(self, alertmanager: Alertmanager, batch: list[StoredAlert], told: dict[str, Told], now: float) -> None:
        name = alertmanager.name
        self._telemetry.inc("lens_alerts_sent_total", len(batch), alertmanager=name)
        records = [resend.accepted(stored, told.get(stored.alert.fingerprint), name, now) for stored in batch]
        with self._ledger.transaction() as connection:
            self._ledger.record(connection, records)
        for stored, record in zip(batch, records, strict=True):
            before = told.get(record.fingerprint)
            if before is None or before.state != record.state:
                self._tell("alert.delivered", stored, alertmanager=name, state=record.state)

    def _failed(
        self, alertmanager: Alertmanager, batch: list[StoredAlert], told: dict[str, Told], now: float, error: str, *, refused: bool
    ) -> None:
        name = alertmanager.name
        self._telemetry.inc("lens_alerts_failed_total", len(batch), alertmanager=name)
        records = [resend.failed(stored, told.get(stored.alert.fingerprint), name, now, error, refused=refused) for stored in batch]
        with self._ledger.transaction() as connection:
            self._ledger.record(connection, records)
        for stored in batch:
            before = told.get(stored.alert.fingerprint)
            if before is None or not before.error or before.refused != refused:
                self._tell("alert.delivery_failed", stored, alertmanager=name, error=error)

    def _post_unstored(self, stored: StoredAlert) -> None:
        # A full disk is among the things an alert may be about: it goes out even when it cannot be kept.
        alert = replace(stored.alert, starts_at=stored.alert.starts_at or self._clock())
        for alertmanager in self._alertmanagers:
            try:
                alertmanager.post([resend.as_sent(replace(stored, alert=alert), self._clock(), self._interval)])
            except LensError:
                self._telemetry.inc("lens_alerts_failed_total", alertmanager=alertmanager.name)
            else:
                self._telemetry.inc("lens_alerts_sent_total", alertmanager=alertmanager.name)

    def _tell(self, kind: str, stored: StoredAlert, **data: str) -> None:
        self._events.append(kind, correlation=stored.correlation, subject=stored.alert.fingerprint, **data)

    def _count_firing(self) -> None:
        firing = self.firing()
        for origin in ORIGINS:
            self._telemetry.set("lens_alerts_firing", sum(stored.origin == origin for stored in firing), origin=origin)


def _batches(due: Sequence[StoredAlert], told: dict[str, Told]) -> list[list[StoredAlert]]:
    """Cut into batches; an alert that was refused before goes by itself, after the others."""
    clean: list[StoredAlert] = []
    suspects: list[StoredAlert] = []
    for stored in due:
        record = told.get(stored.alert.fingerprint)
        (suspects if record is not None and record.refused else clean).append(stored)
    batches = [clean[start : start + resend.BATCH] for start in range(0, len(clean), resend.BATCH)]
    return [*batches, *([suspect] for suspect in suspects)]
