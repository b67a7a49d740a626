"""Investigations in the database, on SQLite and PostgreSQL alike."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from lens_exporter.errors import UnknownInvestigation
from lens_exporter.foundation.database import Database
from lens_exporter.investigate.book import Book, Known
from lens_exporter.investigate.tables import brief_of, chunks, intake_alerts, investigations, is_waiting, unit_of
from lens_exporter.investigate.taken import AlertKey
from lens_exporter.investigate.unit import WAITING, Brief, State, Unit, pack
from lens_exporter.model.alert import Alert
from lens_exporter.model.decision import Severity

_INTAKE_LOCK = 0x6C656E73_69  # key of PostgreSQL's advisory lock: "lensi"

_SMALL = 1 << 14  # bytes of a group as it is stored, some hundred alerts
_SKEW = 60.0  # seconds by which the clocks of replicas may differ


@dataclass(frozen=True, slots=True)
class DueUnit:
    """A held unit whose moment has come. put_off: it was handed over before, and its data source did not answer."""

    id: str
    severity: Severity
    put_off: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """A resolved alert whose investigation is published, for the publisher to hear of."""

    fingerprint: str
    starts_ms: int
    ends_at: float
    superseded: bool  # the alert fires again and that is published: its companion must stay


class Store:
    """Everything else that reads or writes investigations, each call a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def book(self) -> Iterator[Book]:
        """Open the intake's transaction. One at a time, over all threads and replicas: what it reads stays true until it ends.

        Raises:
            DatabaseError: the database is at fault; nothing was stored.

        """
        with self._database.transaction() as connection:
            if not self._database.is_sqlite:  # SQLite lets one transaction write at a time anyway
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_INTAKE_LOCK)))
            yield Book(connection, is_sqlite=self._database.is_sqlite)

    def known(self, alert: Alert) -> Known | None:
        """Look up what was taken in of this alert (the same labels and start), without making any writer wait."""
        with self._database.reading() as connection:
            return Book(connection, is_sqlite=self._database.is_sqlite).known_as(alert)

    def hand_over(self, investigation: str) -> bool:
        """Move a held unit to queued. False when it no longer is held."""
        with self.book() as book:
            return book.advance(investigation, (State.HELD,), State.QUEUED)

    def begin(self, investigation: str, at: float) -> bool:
        """Move a waiting unit to running; from now on its group does not change. False when it is over already.

        A unit that runs already, because a process died in the middle, goes on.
        """
        with self.book() as book:
            if book.advance(investigation, WAITING, State.RUNNING, started_at=at, reason=""):
                return True
            return book.state(investigation) is State.RUNNING

    def put_off(self, investigation: str, until: float, reason: str) -> bool:
        """Hold a waiting unit until then (Unix seconds), with the reason it cannot begin. False when it waits no more."""
        with self.book() as book:
            return book.advance(investigation, WAITING, State.HELD, due=until, reason=reason)

    def finish(self, investigation: str, at: float, document: dict[str, Any]) -> None:
        """Keep what an investigation found, and call it done."""
        with self._database.transaction() as connection:
            connection.execute(
                investigations.update()
                .where(investigations.c.id == investigation)
                .values(
                    state=State.DONE.value,
                    finished_at=at,
                    verdict=document["verdict"],
                    status=document["status"],
                    summary=document["summary"],
                    document=pack(document),
                )
            )

    def unit(self, investigation: str) -> Unit:
        """Read one investigation whole.

        Raises:
            UnknownInvestigation: there is none of this id.

        """
        with self._database.reading() as connection:
            row = connection.execute(sa.select(investigations).where(investigations.c.id == investigation)).mappings().first()
        if row is None:
            raise UnknownInvestigation(id=investigation)
        return unit_of(row)

    def briefs(self, limit: int = 100, state: str | None = None) -> list[Brief]:
        """Read investigations, newest first."""
        columns = [column for column in investigations.c if column.name not in {"alert_group", "document"}]
        group = investigations.c.alert_group  # of thousands of alerts it is no part of a list
        small = sa.case((sa.func.length(group) <= _SMALL, group), else_=None).label("alert_group")
        statement = sa.select(*columns, small).order_by(investigations.c.id.desc()).limit(limit)
        if state is not None:
            statement = statement.where(investigations.c.state == state)
        with self._database.reading() as connection:
            return [brief_of(row) for row in connection.execute(statement).mappings()]

    def due(self, now: float, limit: int = 100) -> list[DueUnit]:
        """List held units whose moment has come. While a group is being investigated, more of it waits, unless it is critical.

        A unit from the future was stored while the clock was wrong, and so was its moment: it is due now.
        """
        i, other = investigations.c, investigations.alias("other")
        running = sa.select(other.c.id).where(other.c.group_key == i.group_key, other.c.state == State.RUNNING.value)
        statement = (
            sa.select(i.id, i.severity, i.reason)
            .where(i.state == State.HELD.value, (i.due <= now) | (i.created_at > now + _SKEW))
            .where((i.severity == Severity.CRITICAL.value) | ~running.exists())
            .order_by(i.due)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [DueUnit(row.id, Severity(row.severity), bool(row.reason)) for row in connection.execute(statement)]

    def next_due(self) -> float | None:
        """Say when the next held unit is due."""
        with self._database.reading() as connection:
            earliest = sa.select(sa.func.min(investigations.c.due)).where(investigations.c.state == State.HELD.value)
            next_due: float | None = connection.execute(earliest).scalar_one()
            return next_due

    def handed_over(self) -> list[tuple[str, Severity]]:
        """List the units the durable queue should know."""
        i = investigations.c
        statement = sa.select(i.id, i.severity).where(i.state.in_([State.QUEUED.value, State.RUNNING.value])).order_by(i.id)
        with self._database.reading() as connection:
            return [(row.id, Severity(row.severity)) for row in connection.execute(statement)]

    def depth(self) -> int:
        """Count the units that wait."""
        with self._database.reading() as connection:
            return int(connection.execute(sa.select(sa.func.count()).where(is_waiting)).scalar_one())

    def untold(self, limit: int = 500) -> list[Ended]:
        """List resolved alerts of published investigations that the publisher has not heard of."""
        a, i = intake_alerts.c, investigations.c
        newer, published = intake_alerts.alias("newer"), investigations.alias("published")
        again = (
            sa.select(newer.c.fingerprint)
            .join(published, newer.c.investigation == published.c.id)
            .where(newer.c.fingerprint == a.fingerprint, newer.c.starts_ms > a.starts_ms, newer.c.ends_at.is_(None))
            .where(published.c.state == State.DONE.value)
        )
        statement = (
            sa.select(a.fingerprint, a.starts_ms, a.ends_at, again.exists().label("superseded"))
            .join(investigations, a.investigation == i.id)
            .where(a.told.is_(sa.false()), a.ends_at.is_not(None), i.state == State.DONE.value)
            .order_by(a.ends_at)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [
                Ended(row.fingerprint, row.starts_ms, row.ends_at, bool(row.superseded)) for row in connection.execute(statement)
            ]

    def told(self, ended: Sequence[Ended]) -> None:
        """Note that the publisher has heard of these ends. One that changed meanwhile stays untold."""
        if not ended:
            return
        a = intake_alerts.c
        statement = intake_alerts.update().where(
            a.fingerprint == sa.bindparam("f"), a.starts_ms == sa.bindparam("s"), a.ends_at == sa.bindparam("e")
        )
        rows = [{"f": one.fingerprint, "s": one.starts_ms, "e": one.ends_at} for one in ended]
        with self._database.transaction() as connection:
            connection.execute(statement.values(told=sa.true()), rows)

    def firing(self) -> list[AlertKey]:
        """List the alerts of published investigations that, as far as anybody said, still fire."""
        a, i = intake_alerts.c, investigations.c
        statement = (
            sa.select(a.fingerprint, a.starts_ms)
            .join(investigations, a.investigation == i.id)
            .where(a.ends_at.is_(None), i.state == State.DONE.value)
        )
        with self._database.reading() as connection:
            return [(row.fingerprint, row.starts_ms) for row in connection.execute(statement)]

    def end(self, ends: Sequence[tuple[AlertKey, float]]) -> None:
        """Note when alerts ended (Unix seconds); an end that is known already stays."""
        a = intake_alerts.c
        statement = intake_alerts.update().where(
            a.fingerprint == sa.bindparam("f"), a.starts_ms == sa.bindparam("s"), a.ends_at.is_(None)
        )
        if ends:
            rows = [{"f": fingerprint, "s": starts_ms, "e": at} for (fingerprint, starts_ms), at in ends]
            with self._database.transaction() as connection:
                connection.execute(statement.values(ends_at=sa.bindparam("e"), told=sa.false()), rows)

    def prune(self, before: float) -> int:
        """Delete investigations that ended before then, with their alerts unless those still fire; say how many."""
        i, a = investigations.c, intake_alerts.c
        over = sa.select(i.id).where(i.state.in_([State.DONE.value, State.CANCELLED.value]), i.finished_at < before)
        # An alert that fires for longer than the retention must not become news again.
        firing = sa.select(a.investigation).where(a.ends_at.is_(None))
        with self._database.transaction() as connection:
            old = list(connection.execute(over.where(i.id.not_in(firing))).scalars())
            for ids in chunks(old):
                connection.execute(intake_alerts.delete().where(a.investigation.in_(ids)))
                connection.execute(investigations.delete().where(i.id.in_(ids)))
        return len(old)
