"""After an admission the same target and category stay quiet for a while, also after a restart."""

import math
from dataclasses import dataclass, replace
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from lens_exporter.foundation.database import Database, metadata
from lens_exporter.model.decision import Anomaly, Severity
from lens_exporter.model.labels import fingerprint

cooldowns_table = sa.Table(
    "cooldowns",
    metadata,
    sa.Column("watcher", sa.String(255), primary_key=True),
    sa.Column("category", sa.String(255), primary_key=True),
    sa.Column("target", sa.String(16), primary_key=True),  # fingerprint of the target's labels
    sa.Column("admitted_at", sa.Float, nullable=False),
    sa.Column("until", sa.Float, nullable=False),
)


class SuppressionReason(StrEnum):
    COOLING_DOWN = "cooling_down"  # the same target and category was admitted a short while ago


@dataclass(frozen=True, slots=True)
class Admitted:
    until: float  # Unix seconds; the next admission is possible from then on


@dataclass(frozen=True, slots=True)
class Suppressed:
    until: float
    reason: SuppressionReason = SuppressionReason.COOLING_DOWN


@dataclass(frozen=True, slots=True)
class CooldownLimits:
    """What a proposed duration is clamped to. Seconds."""

    default: float = 300.0
    minimum: float = 60.0
    maximum: float = 86_400.0

    def clamped(self, minutes: float) -> float:
        """Give the seconds of a proposal; nonsense becomes the default."""
        proposed = minutes * 60.0 if math.isfinite(minutes) and minutes > 0 else self.default
        return min(max(proposed, self.minimum), self.maximum)


class Cooldown:
    """The cooldowns of one watcher, in the database."""

    def __init__(self, database: Database, watcher: str, limits: CooldownLimits | None = None) -> None:
        self._database = database
        self._watcher = watcher
        self._limits = limits or CooldownLimits()

    def admit(self, anomaly: Anomaly, at: float) -> Admitted | Suppressed:
        """Admit an anomaly at most once per cooldown. A suppressed one changes nothing, so it cannot extend the cooldown.

        One statement decides, so of two that ask at the same moment one is admitted.

        Raises:
            DatabaseError: nothing was decided.

        """
        key = self._key(anomaly)
        until = at + self._limits.clamped(anomaly.cooldown_minutes)
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        proposed = insert(cooldowns_table).values(**key, admitted_at=at, until=until)
        statement = proposed.on_conflict_do_update(
            index_elements=list(key),
            set_={"admitted_at": proposed.excluded.admitted_at, "until": proposed.excluded.until},
            where=self._is_over(at),
        ).returning(cooldowns_table.c.until)
        with self._database.transaction() as connection:
            if connection.execute(statement).first() is not None:
                if anomaly.severity is Severity.CRITICAL:  # nor is anybody told less of the same so soon
                    less_key = self._key(replace(anomaly, severity=Severity.WARNING))
                    less = insert(cooldowns_table).values(**less_key, admitted_at=at, until=until)
                    shorter = (cooldowns_table.c.until < less.excluded.until) | self._is_over(at)
                    set_ = {"admitted_at": less.excluded.admitted_at, "until": less.excluded.until}
                    connection.execute(less.on_conflict_do_update(index_elements=list(less_key), set_=set_, where=shorter))
                return Admitted(until)
            standing = sa.select(cooldowns_table.c.until).filter_by(**key)
            return Suppressed(float(connection.execute(standing).scalar_one()))

    def cooling_until(self, anomaly: Anomaly, at: float) -> float | None:
        """Say until when an anomaly would be suppressed, None when it would be admitted. Writes nothing.

        A database that never held a cooldown (new, or of an older version) has none.

        Raises:
            DatabaseError: the database cannot be read.

        """
        key = self._key(anomaly)
        with self._database.reading() as connection:
            if not sa.inspect(connection).has_table(cooldowns_table.name):
                return None
            standing = sa.select(cooldowns_table.c.until).filter_by(**key).where(~self._is_over(at))
            until = connection.execute(standing).scalar_one_or_none()
        return None if until is None else float(until)

    def forget_over(self, at: float) -> None:
        """Drop cooldowns of this watcher that have ended, so that targets that are gone leave nothing behind.

        Raises:
            DatabaseError: the database cannot be written.

        """
        over = (cooldowns_table.c.watcher == self._watcher) & self._is_over(at)
        with self._database.transaction() as connection:
            connection.execute(cooldowns_table.delete().where(over))

    def _key(self, anomaly: Anomaly) -> dict[str, str]:
        """Give what has a cooldown. What was told as less keeps nobody from being told more, info no warning, that no critical."""
        category = anomaly.category if anomaly.severity is Severity.WARNING else f"{anomaly.category} ({anomaly.severity.value})"
        return {"watcher": self._watcher, "category": category, "target": fingerprint(anomaly.target)}

    def _is_over(self, at: float) -> sa.ColumnElement[bool]:
        # No cooldown lasts longer than the maximum: one that seems to was kept while the clock was wrong, and ends with that.
        until = cooldowns_table.c.until
        return (until <= at) | (until > at + self._limits.maximum)
