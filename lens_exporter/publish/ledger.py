"""The alerts lens-exporter keeps alive, and what each Alertmanager was last told about them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import sqlalchemy as sa

from lens_exporter.foundation.database import Database, metadata
from lens_exporter.model.alert import Alert
from lens_exporter.model.labels import Labels

_AT_ONCE = 500  # parameters of one statement

alerts_table = sa.Table(
    "alerts",
    metadata,
    sa.Column("fingerprint", sa.String(16), primary_key=True),
    sa.Column("asked", sa.String(64), nullable=False, index=True),  # the fingerprint before its labels were cleaned
    sa.Column("labels", sa.LargeBinary, nullable=False),
    sa.Column("external", sa.Text, nullable=False, server_default=""),  # names of those that say who sends it, with commas
    sa.Column("annotations", sa.LargeBinary, nullable=False),
    sa.Column("enrichment", sa.LargeBinary, nullable=False),  # annotations of an investigation, kept over updates
    sa.Column("starts_at", sa.Float, nullable=False),
    sa.Column("ends_at", sa.Float),
    sa.Column("resolved_at", sa.Float, index=True),  # when we learnt that it is over
    sa.Column("generator_url", sa.Text, nullable=False),
    sa.Column("correlation", sa.String(26), nullable=False),
    sa.Column("origin", sa.String(16), nullable=False),
    sa.Column("source", sa.String(64), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),  # grows with every change; deliveries name the version they carried
)

told_table = sa.Table(
    "alert_deliveries",
    metadata,
    sa.Column("fingerprint", sa.String(16), primary_key=True),
    sa.Column("alertmanager", sa.String(255), primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),  # newest version accepted or refused, 0 for none
    sa.Column("state", sa.String(16), nullable=False),  # state last accepted: firing, resolved, or "" for none
    sa.Column("first_at", sa.Float),  # first acceptance since the alert began
    sa.Column("accepted_at", sa.Float),
    sa.Column("tried_at", sa.Float, nullable=False),
    sa.Column("refused", sa.Boolean, nullable=False),  # the alert itself is the trouble: sent alone, and not again unchanged
    sa.Column("error", sa.Text, nullable=False),  # why the newest attempt failed, "" when it did not
)


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert we keep alive, its annotations merged with those of its investigation."""

    alert: Alert
    correlation: str
    origin: str  # watcher, investigation
    source: str  # of a companion: the fingerprint of the alert it explains
    version: int = 1
    resolved_at: float | None = None
    asked: str = ""
    plain: Labels = field(default_factory=dict)  # annotations as fired
    enrichment: Labels = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Told:
    """What one Alertmanager was told about one alert."""

    fingerprint: str
    alertmanager: str
    version: int = 0
    state: str = ""
    first_at: float | None = None
    accepted_at: float | None = None
    tried_at: float = 0.0
    refused: bool = False
    error: str = ""


class Ledger:
    """Reads and writes the two tables; every method takes the connection of its caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Open a transaction. Raises DatabaseError."""
        with self._database.transaction() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Open a transaction that only reads, and makes no writer wait. Raises DatabaseError."""
        with self._database.reading() as connection:
            yield connection

    def find(self, connection: sa.Connection, fingerprint: str) -> StoredAlert | None:
        """Give the alert of this fingerprint, or the one it became when its labels were cleaned."""
        statement = sa.select(alerts_table).where(
            sa.or_(alerts_table.c.fingerprint == fingerprint, alerts_table.c.asked == fingerprint)
        )
        row = connection.execute(statement).mappings().first()
        return None if row is None else _stored(row)

    def firing(self, connection: sa.Connection, origin: str | None = None) -> list[StoredAlert]:
        """List what fires, oldest first."""
        statement = sa.select(alerts_table).where(alerts_table.c.ends_at.is_(None)).order_by(alerts_table.c.starts_at)
        if origin is not None:
            statement = statement.where(alerts_table.c.origin == origin)
        return [_stored(row) for row in connection.execute(statement).mappings()]

    def count_firing(self, connection: sa.Connection) -> dict[str, int]:
        """Say how many fire, by origin."""
        statement = sa.select(alerts_table.c.origin, sa.func.count()).where(alerts_table.c.ends_at.is_(None))
        return {row[0]: row[1] for row in connection.execute(statement.group_by(alerts_table.c.origin))}

    def alive(self, connection: sa.Connection, resolved_after: float, only: Collection[str] | None = None) -> list[StoredAlert]:
        """List what fires and what was resolved after that time, oldest first; all, or only these fingerprints."""
        statement = sa.select(alerts_table).where(
            sa.or_(alerts_table.c.ends_at.is_(None), alerts_table.c.resolved_at > resolved_after)
        )
        rows = _some(connection, statement, alerts_table.c.fingerprint, only)
        return [_stored(row) for row in sorted(rows, key=lambda row: float(row["starts_at"]))]

    def save(self, connection: sa.Connection, stored: StoredAlert) -> None:
        """Insert or replace one alert."""
        values = _values(stored)
        key = alerts_table.c.fingerprint == stored.alert.fingerprint
        if connection.execute(alerts_table.update().where(key).values(values)).rowcount == 0:
            connection.execute(alerts_table.insert().values(fingerprint=stored.alert.fingerprint, **values))

    def told(
        self, connection: sa.Connection, *, alertmanager: str | None = None, only: Collection[str] | None = None
    ) -> list[Told]:
        """List deliveries to one Alertmanager, of some alerts, or both."""
        statement = sa.select(told_table)
        if alertmanager is not None:
            statement = statement.where(told_table.c.alertmanager == alertmanager)
        return [Told(**row) for row in _some(connection, statement, told_table.c.fingerprint, only)]

    def record(self, connection: sa.Connection, records: Collection[Told]) -> None:
        """Insert or replace deliveries."""
        if not records:
            return
        key = (told_table.c.fingerprint == sa.bindparam("of")) & (told_table.c.alertmanager == sa.bindparam("at"))
        old = [{"of": record.fingerprint, "at": record.alertmanager} for record in records]
        connection.execute(told_table.delete().where(key), old)
        new = [{column.name: getattr(record, column.name) for column in told_table.columns} for record in records]
        connection.execute(told_table.insert(), new)

    def forget_told(self, connection: sa.Connection, fingerprint: str) -> None:
        """Drop the deliveries of one alert: it begins anew."""
        connection.execute(told_table.delete().where(told_table.c.fingerprint == fingerprint))

    def prune(self, connection: sa.Connection, resolved_before: float) -> None:
        """Drop alerts that were resolved before that time, with their deliveries."""
        over = alerts_table.c.resolved_at < resolved_before
        gone = sa.select(alerts_table.c.fingerprint).where(over)
        connection.execute(told_table.delete().where(told_table.c.fingerprint.in_(gone)))
        connection.execute(alerts_table.delete().where(over))


def _some(
    connection: sa.Connection, statement: sa.Select[Any], column: sa.Column[Any], only: Collection[str] | None
) -> list[sa.RowMapping]:
    """Read all rows, or those with these values in that column, some hundreds at a time: a statement takes so many parameters."""
    if only is None:
        return list(connection.execute(statement).mappings())
    wanted = sorted(only)
    parts = [wanted[start : start + _AT_ONCE] for start in range(0, len(wanted), _AT_ONCE)]
    return [row for part in parts for row in connection.execute(statement.where(column.in_(part))).mappings()]


def _values(stored: StoredAlert) -> dict[str, Any]:
    alert = stored.alert
    return {
        "asked": stored.asked or alert.fingerprint,
        "labels": orjson.dumps(dict(alert.labels)),
        "external": ",".join(alert.external),
        "annotations": orjson.dumps(dict(stored.plain)),
        "enrichment": orjson.dumps(dict(stored.enrichment)),
        "starts_at": alert.starts_at,
        "ends_at": alert.ends_at,
        "resolved_at": stored.resolved_at,
        "generator_url": alert.generator_url,
        "correlation": stored.correlation,
        "origin": stored.origin,
        "source": stored.source,
        "version": stored.version,
    }


def _stored(row: Mapping[str, Any] | sa.RowMapping) -> StoredAlert:
    plain, enrichment = orjson.loads(row["annotations"]), orjson.loads(row["enrichment"])
    alert = Alert(
        labels=orjson.loads(row["labels"]),
        annotations=plain | enrichment,
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        generator_url=row["generator_url"],
        external=tuple(filter(None, row["external"].split(","))),
    )
    return StoredAlert(
        alert,
        row["correlation"],
        row["origin"],
        row["source"],
        row["version"],
        row["resolved_at"],
        row["asked"],
        plain,
        enrichment,
    )


def by_fingerprint(records: Sequence[Told]) -> dict[str, Told]:
    """Index the deliveries of one Alertmanager."""
    return {record.fingerprint: record for record in records}
