"""What is to be published, and how far it got: one row for each investigation and target, until the source is over."""

import threading
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
    sa.Column("sources", sa.LargeBinary, nullable=False),  # JSON: fingerprint of each explained alert -> its end, or null
    sa.Column("remote_id", sa.String(64), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_at", sa.Float, nullable=False),  # not touched before, by nobody
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("updated_at", sa.Float, nullable=False),
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
    sources: Mapping[str, float | None]
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
        self._ending = threading.Lock()

    def add(self, outgoing: Outgoing) -> Outgoing:
        """Store a new row; when there is one already, that one is given back and nothing changes."""
        with self._database.transaction() as connection:
            known = self._get(connection, outgoing.investigation, outgoing.target)
            if known is not None:
                return known
            connection.execute(deliveries_table.insert().values(_values(outgoing)))
        return outgoing

    def get(self, investigation: str, target: str) -> Outgoing | None:
        """Read one row."""
        with self._database.transaction() as connection:
            return self._get(connection, investigation, target)

    def of(self, investigation: str) -> list[Outgoing]:
        """List what became of one investigation, by target."""
        statement = sa.select(deliveries_table).where(deliveries_table.c.investigation == investigation)
        return self._list(statement.order_by(deliveries_table.c.target))

    def unfinished(self, target: str) -> list[Outgoing]:
        """List what is pending or open at a target, oldest first."""
        statement = sa.select(deliveries_table).where(
            deliveries_table.c.target == target, deliveries_table.c.state.in_([Progress.PENDING, Progress.OPEN])
        )
        return self._list(statement.order_by(deliveries_table.c.created_at, deliveries_table.c.investigation))

    def claim(self, outgoing: Outgoing, until: float) -> bool:
        """Keep others away from a row until that time; False when somebody else has touched it since it was read."""
        with self._database.transaction() as connection:
            changed = connection.execute(
                deliveries_table.update()
                .where(_key(outgoing), deliveries_table.c.next_at == outgoing.next_at, deliveries_table.c.state == outgoing.state)
                .values(next_at=until)
            )
        return changed.rowcount == 1

    def update(self, outgoing: Outgoing, **changes: Any) -> None:
        """Change some columns of a row."""
        with self._database.transaction() as connection:
            connection.execute(deliveries_table.update().where(_key(outgoing)).values(changes))

    def end_sources(self, ends: Mapping[str, float]) -> int:
        """Note in every unfinished row which of its sources ended, and when, and say how many rows had any of them."""
        if not ends:
            return 0
        table = deliveries_table.c
        unfinished = table.state.in_([Progress.PENDING, Progress.OPEN])
        statement = sa.select(table.investigation, table.target, table.sources).where(unfinished)
        open_ends = [orjson.dumps({fingerprint: None})[1:-1] for fingerprint in ends]  # as they stand in the column
        noted = 0
        # Two alerts of one group may end at once: neither may overwrite what the other noted. SQLite has one process and
        # this lock, PostgreSQL locks the rows.
        with self._ending, self._database.transaction() as connection:
            for row in connection.execute(statement.with_for_update()).all():
                # Most rows hold none of them and are not worth decoding.
                if not any(end in row.sources for end in open_ends):
                    continue
                sources = orjson.loads(row.sources)
                sources |= {source: ends[source] for source, end in sources.items() if end is None and source in ends}
                key = (table.investigation == row.investigation) & (table.target == row.target)
                connection.execute(deliveries_table.update().where(key).values(sources=orjson.dumps(sources)))
                noted += 1
        return noted

    def prune(self, before: float) -> None:
        """Drop finished rows last touched before that time."""
        finished = deliveries_table.c.state.in_([Progress.CLOSED, Progress.GIVEN_UP])
        with self._database.transaction() as connection:
            connection.execute(deliveries_table.delete().where(finished, deliveries_table.c.updated_at < before))

    def _get(self, connection: sa.Connection, investigation: str, target: str) -> Outgoing | None:
        statement = sa.select(deliveries_table).where(
            deliveries_table.c.investigation == investigation, deliveries_table.c.target == target
        )
        row = connection.execute(statement).mappings().first()
        return None if row is None else _outgoing(row)

    def _list(self, statement: sa.Select[Any]) -> list[Outgoing]:
        with self._database.transaction() as connection:
            return [_outgoing(row) for row in connection.execute(statement).mappings()]


def _key(outgoing: Outgoing) -> sa.ColumnElement[bool]:
    return sa.and_(deliveries_table.c.investigation == outgoing.investigation, deliveries_table.c.target == outgoing.target)


def _values(outgoing: Outgoing) -> dict[str, Any]:
    values = {column.name: getattr(outgoing, column.name) for column in deliveries_table.columns}
    return values | {"payload": orjson.dumps(dict(outgoing.payload)), "sources": orjson.dumps(dict(outgoing.sources))}


def _outgoing(row: sa.RowMapping) -> Outgoing:
    values = dict(row)
    values["payload"], values["sources"] = orjson.loads(row["payload"]), orjson.loads(row["sources"])
    return Outgoing(**values | {"state": Progress(row["state"])})
