"""When an alert is due at an Alertmanager, and with which times it is sent. Pure functions of time and record.

The rhythm is Prometheus' own: endsAt lies four resend intervals ahead while it fires, so that a lens-exporter that dies does not
leave alerts behind, and three lost posts do not end one (prometheus, rules/manager.go).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lens_exporter.model.alert import Alert
from lens_exporter.publish.ledger import StoredAlert, Told

BATCH = 64  # as Prometheus 2.x
_LIVES_FOR_INTERVALS = 4
_RETRY_SECONDS = 10.0
_CONFIRMED_WITHIN = 600.0  # seconds after the start; then an alert that nobody has spoken of goes out all the same
_EARLY = 0.9  # a pass that comes a moment early must not leave an alert waiting for another whole interval


def as_sent(stored: StoredAlert, now: float, interval: float) -> Alert:
    """Give the alert with the startsAt and endsAt to post now; endsAt never lies before startsAt, whatever the clock did."""
    alert = stored.alert
    starts_at = min(alert.starts_at, now)
    if alert.ends_at is None:
        return replace(alert, starts_at=starts_at, ends_at=now + _LIVES_FOR_INTERVALS * interval)
    return replace(alert, starts_at=starts_at, ends_at=max(starts_at, min(alert.ends_at, now)))


def is_due(stored: StoredAlert, told: Told | None, now: float, interval: float) -> bool:
    """Whether to post the alert now: never told, changed, failed a while ago, or its interval has passed.

    A time in the future means that the clock was set back: due.
    """
    if told is None:
        return True
    if told.refused:
        return told.version != stored.version
    if told.error:
        return not 0 <= now - told.tried_at < min(interval, _RETRY_SECONDS)
    if told.accepted_at is None or told.version != stored.version:
        return True
    return not 0 <= now - told.accepted_at < _EARLY * interval


def accepted(stored: StoredAlert, told: Told | None, alertmanager: str, now: float) -> Told:
    """Record that this version was taken."""
    first_at = now if told is None or told.first_at is None else told.first_at
    return Told(stored.alert.fingerprint, alertmanager, stored.version, stored.alert.state.value, first_at, now, now)


def failed(stored: StoredAlert, told: Told | None, alertmanager: str, now: float, error: str, *, refused: bool) -> Told:
    """Record that an attempt failed. A refused version is the alert's own fault and is not tried again."""
    known = told or Told(stored.alert.fingerprint, alertmanager)
    version = stored.version if refused else known.version
    return replace(known, version=version, tried_at=now, refused=refused, error=error)


class Unconfirmed:
    """Alerts that fired before a stop so long that Alertmanager has dropped them, until their watcher says that they still fire.

    Posting one at the start would page for what may be long over. A companion waits for its source.
    """

    def __init__(self, started_at: float, interval: float) -> None:
        self._until = started_at + _CONFIRMED_WITHIN
        self._gap = _LIVES_FOR_INTERVALS * interval
        self._started_at = started_at
        self._confirmed: set[str] = set()

    def confirm(self, fingerprint: str, now: float) -> None:
        """Note that an alert was fired by this process."""
        if now < self._until:
            self._confirmed.add(fingerprint)

    def among(self, alive: Sequence[StoredAlert], told: Mapping[str, Told], now: float) -> set[str]:
        """Give the fingerprints of those to hold back now."""
        if now >= self._until:
            return set()
        old = [stored for stored in alive if self._is_old(stored, told.get(stored.alert.fingerprint))]
        held = {stored.alert.fingerprint for stored in old if stored.origin == "watcher"}
        return held | {stored.alert.fingerprint for stored in old if stored.source in held}

    def _is_old(self, stored: StoredAlert, told: Told | None) -> bool:
        if told is None or stored.alert.ends_at is not None or stored.alert.fingerprint in self._confirmed:
            return False
        # Nothing was tried for so long before the start: nobody ran. A later attempt is this process' own.
        return told.tried_at < self._started_at - self._gap
