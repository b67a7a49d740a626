"""Carries alerts to one Alertmanager: what is due, in batches, with a record of what became of each."""

import threading
from collections.abc import Collection, Sequence

import structlog

from lens_exporter.errors import BreakerOpen, DatabaseError, LensError, RemoteRefused
from lens_exporter.foundation.clock import Clock
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.stretch import Stretch
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.publish import resend
from lens_exporter.publish.alertmanager import Alertmanager
from lens_exporter.publish.ledger import Ledger, StoredAlert, Told, by_fingerprint

# The answers that speak about the alerts and not about the service: bad content, too large, failed validation.
_ABOUT_THE_ALERTS = (400, 413, 422)

_log = structlog.get_logger("lens_exporter.courier")


class Courier:
    """One pass at a time. What became of a post stays in memory while it cannot be stored, so that a full disk ends no alert."""

    def __init__(
        self,
        alertmanager: Alertmanager,
        ledger: Ledger,
        *,
        events: Events,
        telemetry: Telemetry,
        interval: float,
        resolved_for: float,
        patience: float,
        clock: Clock,
    ) -> None:
        self.name = alertmanager.name
        self._alertmanager = alertmanager
        self._ledger = ledger
        self._events = events
        self._telemetry = telemetry
        self._interval = interval
        self._resolved_for = resolved_for
        self._patience = patience
        self._clock = clock
        self._passing = threading.Lock()
        self._unrecorded: dict[str, Told] = {}  # no more than there are alerts alive
        self._failing = Stretch()  # of the service

    def begun(self, fingerprint: str) -> None:
        """Forget what this Alertmanager was told: the alert begins anew."""
        self._unrecorded.pop(fingerprint, None)

    def deliver(self, only: Collection[str] | None, unconfirmed: resend.Unconfirmed) -> None:
        """Post what is due, oldest first, until the service itself fails: all, or only these fingerprints.

        Raises:
            DatabaseError: nothing could be read, or what was posted could not be recorded.

        """
        if not self._passing.acquire(timeout=self._patience):
            return
        try:
            now = self._clock()
            alive, told = self._read(only, now)
            held = unconfirmed.among(alive, told, now)
            due = [
                stored
                for stored in alive
                if stored.alert.fingerprint not in held
                and resend.is_due(stored, told.get(stored.alert.fingerprint), now, self._interval)
            ]
            unstored: list[DatabaseError] = []
            for batch in _batches(due, told):
                if not self._send(batch, told, now, unstored):
                    break
        finally:
            self._passing.release()
        if unstored:
            raise unstored[-1]

    def post_unstored(self, alerts: Sequence[StoredAlert]) -> None:
        """Post alerts that could not be stored, once."""
        for start in range(0, len(alerts), resend.BATCH):
            batch = alerts[start : start + resend.BATCH]
            now = self._clock()
            try:
                self._alertmanager.post([resend.as_sent(stored, now, self._interval) for stored in batch])
            except LensError as error:
                self._count_failed(len(batch), refused=_about_the_alerts(error))
            else:
                self._telemetry.inc("lens_alerts_sent_total", len(batch), alertmanager=self.name)

    def _read(self, only: Collection[str] | None, now: float) -> tuple[list[StoredAlert], dict[str, Told]]:
        with self._ledger.reading() as connection:
            alive = self._ledger.alive(connection, now - self._resolved_for, only)
            told = by_fingerprint(self._ledger.told(connection, alertmanager=self.name, only=only))
        present = {stored.alert.fingerprint for stored in alive}
        if only is None:
            for fingerprint in self._unrecorded.keys() - present:
                self.begun(fingerprint)
        return alive, told | {key: record for key, record in list(self._unrecorded.items()) if key in present}

    def _send(self, batch: list[StoredAlert], told: dict[str, Told], now: float, unstored: list[DatabaseError]) -> bool:
        """Post one batch and record what became of it; False when the service failed and more would be in vain."""
        try:
            self._alertmanager.post([resend.as_sent(stored, now, self._interval) for stored in batch])
        except LensError as error:  # also a token file that is being rotated
            refused = _about_the_alerts(error)
            if refused and len(batch) > 1:
                # One bad alert must not hold up the others: each goes by itself.
                return all(self._send([stored], told, now, unstored) for stored in batch)
            self._failed(batch, told, now, error, unstored, refused=refused)
            return refused
        self._accepted(batch, told, now, unstored)
        return True

    def _accepted(self, batch: list[StoredAlert], told: dict[str, Told], now: float, unstored: list[DatabaseError]) -> None:
        if (over := self._failing.over(now)) is not None:
            _log.info("it takes alerts again", alertmanager=self.name, seconds=round(over.seconds, 3))
        self._telemetry.inc("lens_alerts_sent_total", len(batch), alertmanager=self.name)
        records = [resend.accepted(stored, told.get(stored.alert.fingerprint), self.name, now) for stored in batch]
        self._record(records, unstored)
        for stored, record in zip(batch, records, strict=True):
            before = told.get(record.fingerprint)
            if before is None or before.state != record.state:
                self._events.append("alert.delivered", **_about(stored), alertmanager=self.name, state=record.state)

    def _failed(
        self,
        batch: list[StoredAlert],
        told: dict[str, Told],
        now: float,
        error: LensError,
        unstored: list[DatabaseError],
        *,
        refused: bool,
    ) -> None:
        self._count_failed(len(batch), refused=refused)
        records = [
            resend.failed(stored, told.get(stored.alert.fingerprint), self.name, now, str(error), refused=refused)
            for stored in batch
        ]
        self._record(records, unstored)
        kinds = () if isinstance(error, BreakerOpen) else (type(error).__name__,)
        if not refused and self._failing.failed(now, kinds):
            _log.warning("it takes no alerts", alertmanager=self.name, error=str(error))
        append = self._events.append if refused else self._events.append_quietly  # an outage is logged once, for all alerts
        for stored in batch:
            before = told.get(stored.alert.fingerprint)
            if before is None or not before.error or before.refused != refused:
                append("alert.delivery_failed", **_about(stored), alertmanager=self.name, error=str(error))

    def _count_failed(self, alerts: int, *, refused: bool) -> None:
        # Counted apart: what is refused says nothing of the service, which takes the next alert.
        what = "lens_alerts_refused_total" if refused else "lens_alerts_failed_total"
        self._telemetry.inc(what, alerts, alertmanager=self.name)

    def _record(self, records: list[Told], unstored: list[DatabaseError]) -> None:
        """Store these, and those that could not be stored before; the pass goes on when that fails."""
        self._unrecorded.update((record.fingerprint, record) for record in records)
        waiting = list(self._unrecorded.values())
        try:
            with self._ledger.transaction() as connection:
                self._ledger.record(connection, waiting)
        except DatabaseError as error:
            unstored.append(error)
            return
        for record in waiting:
            self.begun(record.fingerprint)


def _about(stored: StoredAlert) -> dict[str, str]:
    return {"correlation": stored.correlation, "subject": stored.alert.fingerprint}


def _about_the_alerts(error: LensError) -> bool:
    return isinstance(error, RemoteRefused) and error.fields.get("status") in _ABOUT_THE_ALERTS


def _batches(due: Sequence[StoredAlert], told: dict[str, Told]) -> list[list[StoredAlert]]:
    """Cut into batches; an alert that was refused before goes by itself, after the others."""
    clean: list[StoredAlert] = []
    suspects: list[StoredAlert] = []
    for stored in due:
        record = told.get(stored.alert.fingerprint)
        (suspects if record is not None and record.refused else clean).append(stored)
    batches = [clean[start : start + resend.BATCH] for start in range(0, len(clean), resend.BATCH)]
    return [*batches, *([suspect] for suspect in suspects)]
