"""What is to be published, and how far it got: one row for each investigation and target, until the source is over."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson
import sqlalchemy as sa

from lens_exporter.foundation.database import Database, metadata

deliveries_table = sa.Table(
    "deliveries",
    metadata,
    sa.Column("investigation", sa.String(64), primary_key=True),
    sa.Column("target", sa.String(16), primary_key=True),
    sa.Column("correlation", sa.String(26), nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("payload", sa.LargeBinary, nullable=False),  # JSON: what to deliver, all that is needed after a restart
    sa.Column("remote_id", sa.String(64), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_at", sa.Float, nullable=False),  # not touched before, by nobody
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("updated_at", sa.Float, nullable=False),
)

sources_table = sa.Table(
    "delivery_sources",
    metadata,
    sa.Column("investigation", sa.String(64), primary_key=True),
    sa.Column("target", sa.String(16), primary_key=True),
    sa.Column("fingerprint", sa.String(16), primary_key=True, index=True),  # of an alert that the delivery explains
    sa.Column("ended_at", sa.Float),
)

_OF_THE_SAME = (sources_table.c.investigation == deliveries_table.c.investigation) & (
    sources_table.c.target == deliveries_table.c.target
)


class Progress(StrEnum):
    PENDING = "pending"  # to be delivered
    OPEN = "open"  # delivered; to be ended when its sources are over
    CLOSED = "closed"  # delivered and ended
    GIVEN_UP = "given_up"  # tried for a day


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One investigation on its way to one target."""

    investigation: str
    target: str
    correlation: str
    payload: Mapping[str, Any]
    sources: Mapping[str, float | None]  # fingerprint of each explained alert -> when it ended
    created_at: float
    next_at: float
    state: Progress = Progress.PENDING
    remote_id: str = ""
    detail: str = ""
    attempts: int = 0
    updated_at: float = field(default=0.0)

    @property
    def ended_at(self) -> float | None:
        """When the last of its sources ended; None while one goes on."""
        ends = [end for end in self.sources.values() if end is not None]
        return max(ends) if ends and len(ends) == len(self.sources) else None


class Outbox:
    """Reads and writes the table. Every method is one transaction and raises DatabaseError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, outgoing: Outgoing) -> Outgoing:
        """Store a new row; when there is one already, that one is given back and nothing changes."""
        with self._database.transaction() as connection:
            known = self._list(connection, _key(outgoing.investigation, outgoing.target))
            if known:
                return known[0]
            connection.execute(deliveries_table.insert().values(_values(outgoing)))
            if outgoing.sources:
                connection.execute(sources_table.insert(), _source_rows(outgoing))
        return outgoing

    def get(self, investigation: str, target: str) -> Outgoing | None:
        """Read one row."""
        with self._database.transaction() as connection:
            return next(iter(self._list(connection, _key(investigation, target))), None)

    def of(self, investigation: str) -> list[Outgoing]:
        """List what became of one investigation."""
        with self._database.transaction() as connection:
            return self._list(connection, deliveries_table.c.investigation == investigation)

    def unfinished(self, target: str) -> list[Outgoing]:
        """List what is pending or open at a target, oldest first."""
        there = deliveries_table.c.target == target
        with self._database.transaction() as connection:
            return self._list(connection, there & deliveries_table.c.state.in_([Progress.PENDING, Progress.OPEN]))

    def claim(self, outgoing: Outgoing, until: float) -> bool:
        """Keep others away from a row until that time; False when somebody else has touched it since it was read."""
        with self._database.transaction() as connection:
            changed = connection.execute(
                deliveries_table.update()
                .where(_key(outgoing.investigation, outgoing.target))
                .where(deliveries_table.c.next_at == outgoing.next_at, deliveries_table.c.state == outgoing.state)
                .values(next_at=until)
            )
        return changed.rowcount == 1

    def update(self, outgoing: Outgoing, **changes: Any) -> None:
        """Change some columns of a row."""
        with self._database.transaction() as connection:
            row = _key(outgoing.investigation, outgoing.target)
            connection.execute(deliveries_table.update().where(row).values(changes))

    def end_sources(self, ends: Mapping[str, float]) -> None:
        """Note in every row which of its sources ended, and when: one that ended before stays as it was."""
        if not ends:
            return
        statement = (
            sources_table.update()
            .where(sources_table.c.fingerprint == sa.bindparam("over"), sources_table.c.ended_at.is_(None))
            .values(ended_at=sa.bindparam("at"))
        )
        # In one order, so that of two that note the same ends neither waits for the other's.
        noted = [{"over": fingerprint, "at": ends[fingerprint]} for fingerprint in sorted(ends)]
        with self._database.transaction() as connection:
            connection.execute(statement, noted)

    def prune(self, before: float) -> None:
        """Drop finished rows last touched before that time."""
        over = deliveries_table.c.state.in_([Progress.CLOSED, Progress.GIVEN_UP]) & (deliveries_table.c.updated_at < before)
        with self._database.transaction() as connection:
            connection.execute(sources_table.delete().where(sa.exists().where(_OF_THE_SAME, over)))
            connection.execute(deliveries_table.delete().where(over))

    def _list(self, connection: sa.Connection, which: sa.ColumnElement[bool]) -> list[Outgoing]:
        """Read rows with their sources, oldest first."""
        order = (deliveries_table.c.created_at, deliveries_table.c.investigation, deliveries_table.c.target)
        rows = connection.execute(sa.select(deliveries_table).where(which).order_by(*order)).mappings().all()
        sources: defaultdict[tuple[str, str], dict[str, float | None]] = defaultdict(dict)
        if rows:
            for one in connection.execute(sa.select(sources_table).join(deliveries_table, _OF_THE_SAME).where(which)):
                sources[one.investigation, one.target][one.fingerprint] = one.ended_at
        return [_outgoing(row, sources[row["investigation"], row["target"]]) for row in rows]


def _key(investigation: str, target: str) -> sa.ColumnElement[bool]:
    return (deliveries_table.c.investigation == investigation) & (deliveries_table.c.target == target)


def _values(outgoing: Outgoing) -> dict[str, Any]:
    values = {column.name: getattr(outgoing, column.name) for column in deliveries_table.columns}
    return values | {"payload": orjson.dumps(dict(outgoing.payload))}


def _source_rows(outgoing: Outgoing) -> list[dict[str, Any]]:
    key = {"investigation": outgoing.investigation, "target": outgoing.target}
    return [{**key, "fingerprint": fingerprint, "ended_at": ended_at} for fingerprint, ended_at in outgoing.sources.items()]


def _outgoing(row: sa.RowMapping, sources: Mapping[str, float | None]) -> Outgoing:
    return Outgoing(**{**row, "payload": orjson.loads(row["payload"]), "state": Progress(row["state"]), "sources": sources})
