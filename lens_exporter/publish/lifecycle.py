"""The life of an alert of ours: firing, re-sent to every Alertmanager until over, then resolved and re-sent as resolved."""

import threading
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

import structlog

from lens_exporter.errors import DatabaseError
from lens_exporter.foundation.clock import Clock, wall
from lens_exporter.foundation.database import Database
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.foundation.threads import begin
from lens_exporter.model.alert import Alert
from lens_exporter.model.labels import Labels
from lens_exporter.publish import acceptable, resend
from lens_exporter.publish.alertmanager import Alertmanager
from lens_exporter.publish.courier import Courier
from lens_exporter.publish.ledger import Ledger, StoredAlert, Told

ORIGINS = ("watcher", "investigation")

_REMEMBER_SECONDS = 86_400.0

_log = structlog.get_logger("lens_exporter.lifecycle")


@dataclass(frozen=True, slots=True)
class _Batch:
    """What was changed and is not delivered yet."""

    changed: list[str] = field(default_factory=list)  # fingerprints
    unstored: list[StoredAlert] = field(default_factory=list)


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
        self._couriers = tuple(
            Courier(
                one,
                self._ledger,
                events=events,
                telemetry=telemetry,
                interval=resend_interval,
                resolved_for=resolved_for,
                patience=patience,
                clock=clock,
            )
            for one in alertmanagers
        )
        self._unconfirmed = resend.Unconfirmed(clock(), resend_interval)
        self._events = events
        self._telemetry = telemetry
        self._resolved_for = resolved_for
        self._patience = patience
        self._clock = clock
        self._changing = threading.Lock()
        self._inside = threading.local()  # .batch: the one that this thread is inside of
        self._hanging: set[str] = set()  # Alertmanagers that somebody has lost patience with
        for one in alertmanagers:  # from zero on, so that increase() sees the first one
            for what in ("sent", "failed", "refused"):
                telemetry.inc(f"lens_alerts_{what}_total", 0, alertmanager=one.name)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Deliver what this thread changes inside the block together, at its end. Each change is stored at once, as ever.

        A thread that dies or hangs inside loses nothing that was stored: the next pass of resend() delivers it.

        Raises:
            DatabaseError: at the end: the changes cannot be read or their delivery not recorded.

        """
        batch = self._inside.batch = _Batch()
        try:
            yield
        finally:
            self._inside.batch = None
            self._post_unstored(batch.unstored)
            if batch.changed:
                self._everywhere(set(batch.changed))
                self._count_firing()

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
            unstored = StoredAlert(replace(wanted, starts_at=wanted.starts_at or self._clock()), correlation, origin, source)
            batch: _Batch | None = getattr(self._inside, "batch", None)
            if batch is None:
                self._post_unstored([unstored])
            else:
                batch.unstored.append(unstored)
            raise
        self._unconfirmed.confirm(wanted.fingerprint, self._clock())
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
        self._changed(wanted.fingerprint)
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
        self._changed(ended.fingerprint)

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
        self._changed(known.alert.fingerprint)
        return True

    def find(self, fingerprint: str) -> StoredAlert | None:
        """Give the alert of ours with this fingerprint: firing, or resolved within the last day. Raises DatabaseError."""
        with self._ledger.reading() as connection:
            return self._ledger.find(connection, fingerprint)

    def firing(self, origin: str | None = None) -> list[StoredAlert]:
        """List the alerts we keep alive, oldest first. Raises DatabaseError."""
        with self._ledger.reading() as connection:
            return self._ledger.firing(connection, origin)

    def deliveries(self, fingerprint: str) -> list[Told]:
        """Say what each configured Alertmanager was told about one alert. Raises DatabaseError."""
        with self._ledger.reading() as connection:
            told = self._ledger.told(connection, only=[fingerprint])
        return [record for record in told if record.alertmanager in self.alertmanagers]

    @property
    def alertmanagers(self) -> tuple[str, ...]:
        """Their addresses."""
        return tuple(courier.name for courier in self._couriers)

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
                self._forget(alert.fingerprint)
            elif (known.plain, known.alert.generator_url, known.alert.external) == (
                alert.annotations,
                alert.generator_url,
                alert.external,
            ):
                return known, False
            else:
                merged = {**alert.annotations, **known.enrichment}
                updated = replace(alert, annotations=merged, starts_at=known.alert.starts_at, ends_at=None)
                stored = replace(known, alert=updated, plain=alert.annotations, version=version)
            self._ledger.save(connection, stored)
        return stored, began

    def _changed(self, fingerprint: str) -> None:
        """Deliver one change, or have the batch of this thread deliver it."""
        batch: _Batch | None = getattr(self._inside, "batch", None)
        if batch is not None:
            batch.changed.append(fingerprint)
            return
        self._everywhere([fingerprint])
        self._count_firing()

    def _everywhere(self, only: Collection[str] | None = None) -> None:
        """Deliver to all Alertmanagers at once. One that hangs keeps neither the others waiting nor, for long, the caller."""
        awake = [one for one in self._couriers if one.name not in self._hanging]
        attempts = {begin("alertmanager", partial(one.deliver, only, self._unconfirmed)): one.name for one in awake}
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

    def _forget(self, fingerprint: str) -> None:
        for courier in self._couriers:
            courier.begun(fingerprint)

    def _post_unstored(self, alerts: Sequence[StoredAlert]) -> None:
        # A full disk is among the things an alert may be about: it goes out even when it cannot be kept.
        for courier in self._couriers:
            courier.post_unstored(alerts)

    def _count_firing(self) -> None:
        with self._ledger.reading() as connection:
            firing = self._ledger.count_firing(connection)
        for origin in ORIGINS:
            self._telemetry.set("lens_alerts_firing", firing.get(origin, 0), origin=origin)
