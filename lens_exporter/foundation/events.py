"""The event store: one row for each thing that happened, joined by correlation id from sample to page."""

import json
import logging
import threading
from collections.abc import Mapping
from typing import Any

import orjson
import sqlalchemy as sa
import structlog

from lens_exporter.errors import DatabaseError
from lens_exporter.foundation.catalogue import EVENTS, EventSpec
from lens_exporter.foundation.clock import Clock, NewId, new_ulid, rfc3339, wall
from lens_exporter.foundation.database import Database, metadata
from lens_exporter.foundation.logs import without_secrets
from lens_exporter.foundation.stretch import Stretch
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.model.event import Event

events_table = sa.Table(
    "events",
    metadata,
    sa.Column("id", sa.String(26), primary_key=True),
    sa.Column("at", sa.Float, nullable=False, index=True),
    sa.Column("type", sa.String(64), nullable=False),
    sa.Column("correlation", sa.String(26), nullable=False, default=""),
    sa.Column("subject", sa.String(255), nullable=False, default=""),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Index("ix_events_correlation_id", "correlation", "id"),
    sa.Index("ix_events_type_id", "type", "id"),
)

_DOCUMENTED = {spec.type: spec for spec in EVENTS}
EVENT_TYPES = tuple(_DOCUMENTED)
_MOMENTS = {"due", "until", "since", "cooldown_until"}  # and everything that ends in _at: Unix seconds
_LINE_CHARACTERS = 300  # of one value in a log line
_READ_CHARACTERS = 4096  # of one value, when secrets are looked for
_log = structlog.get_logger("lens_exporter.events")


class Events:
    """Append and query. Appending never fails its caller: an event that cannot be stored is logged and counted as lost."""

    def __init__(self, database: Database, telemetry: Telemetry, *, clock: Clock = wall, new_id: NewId = new_ulid) -> None:
        self._database = database
        self._telemetry = telemetry
        self._clock = clock
        self._new_id = new_id
        self._looking = threading.Lock()
        self._losing = Stretch()

    def append(self, kind: str, *, correlation: str = "", subject: str = "", **data: Any) -> None:
        """Store one event. Raises ValueError when `kind`, or a key of its data, is not in the catalogue."""
        self._append(_documented(kind, data).level, kind, correlation, subject, data)

    def append_quietly(self, kind: str, *, correlation: str = "", subject: str = "", **data: Any) -> None:
        """Store one event and log it at debug: one like it has just been logged. Raises ValueError as append()."""
        _documented(kind, data)
        self._append(logging.DEBUG, kind, correlation, subject, data)

    def _append(self, level: int, kind: str, correlation: str, subject: str, data: dict[str, Any]) -> None:
        event = Event(self._new_id(), self._clock(), kind, correlation, _column(subject)[:255], data)
        _log.log(level, kind, **_brief({"correlation": correlation, "subject": subject, **data}))
        try:
            with self._database.transaction() as connection:
                connection.execute(events_table.insert().values(_row(event)))
        except DatabaseError as error:
            self._telemetry.inc("lens_events_lost_total")
            with self._looking:
                news = self._losing.failed(event.at)
            (_log.error if news else _log.debug)("event lost", kind=kind, error=str(error))
            return
        self._telemetry.inc("lens_events_total", type=kind)
        with self._looking:
            over = self._losing.over(event.at)
        if over is not None:
            _log.warning("events are stored again", lost=over.failures, seconds=round(over.seconds, 3))

    def again(self, kind: str, *, correlation: str = "", subject: str = "", **data: Any) -> None:
        """Write to the log at debug, and nowhere else, what is no news: an event like this one was stored when it began.

        Raises ValueError as append().
        """
        _documented(kind, data)
        _log.debug(kind, **_brief({"correlation": correlation, "subject": subject, **data}))

    def query(
        self,
        *,
        correlation: str | None = None,
        kind: str | None = None,
        since: float | None = None,
        until: float | None = None,
        newest_first: bool = False,
        limit: int = 500,
    ) -> list[Event]:
        """Read events in order of time.

        Raises:
            DatabaseError: the database cannot be read.

        """
        order = events_table.c.id.desc() if newest_first else events_table.c.id.asc()
        statement = sa.select(events_table).order_by(order).limit(limit)
        if correlation is not None:
            statement = statement.where(events_table.c.correlation == correlation)
        if kind is not None:
            statement = statement.where(events_table.c.type == kind)
        if since is not None:
            statement = statement.where(events_table.c.at >= since)
        if until is not None:
            statement = statement.where(events_table.c.at < until)
        with self._database.reading() as connection:
            return [_event(row) for row in connection.execute(statement).mappings()]

    def prune(self, before: float) -> int:
        """Delete events older than `before` (Unix seconds) and say how many."""
        with self._database.transaction() as connection:
            return connection.execute(events_table.delete().where(events_table.c.at < before)).rowcount


def _documented(kind: str, data: Mapping[str, Any]) -> EventSpec:
    spec = _DOCUMENTED.get(kind)
    if spec is None:
        raise ValueError(f"event {kind!r} is not in the catalogue")
    if unknown := data.keys() - set(spec.data):
        raise ValueError(f"the catalogue has no {', '.join(sorted(unknown))} for event {kind!r}")
    return spec


def _row(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "at": event.at,
        "type": event.type,
        "correlation": event.correlation,
        "subject": event.subject,
        "data": _json(event.data),
    }


def _json(data: Any) -> bytes:
    try:
        return orjson.dumps(data, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY)
    except orjson.JSONEncodeError:
        # Half a surrogate pair from a hostile label, or an integer beyond 64 bits: kept as near as JSON allows.
        return json.dumps(data, default=str, ensure_ascii=False, skipkeys=True).encode("utf-8", "replace")


def _column(text: str) -> str:
    # What neither SQLite nor PostgreSQL takes in a text column.
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def _event(row: sa.RowMapping) -> Event:
    return Event(row["id"], row["at"], row["type"], row["correlation"], row["subject"], orjson.loads(row["data"]))


def _brief(data: Mapping[str, Any]) -> dict[str, Any]:
    """Make of an event what people read in a line: no empty fields, readable moments and seconds, nothing long."""
    shown = {key: _shown(key, value) for key, value in data.items()}
    return {key: value for key, value in shown.items() if value is not None}


def _shown(key: str, value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return _number(key, value)
    if not value:
        return None
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        # What is long, the table has: alert.fired would write every annotation.
        return value if len(_json(value)) <= _LINE_CHARACTERS else None
    text = without_secrets(str(value)[:_READ_CHARACTERS])
    return text if len(text) <= _LINE_CHARACTERS else f"{text[:_LINE_CHARACTERS]}\u2026"


def _number(key: str, value: float) -> Any:
    if key in _MOMENTS or key.endswith("_at"):
        try:
            return rfc3339(value)
        except (ValueError, OverflowError, OSError):
            return value  # no moment of any calendar
    return round(value, 3) if key in {"seconds", "pause"} else value


def document(event: Event) -> dict[str, Any]:
    """Shape an event for the API and the command line."""
    return {
        "id": event.id,
        "at": rfc3339(event.at),
        "type": event.type,
        "correlation": event.correlation,
        "subject": event.subject,
        "data": event.data,
    }
