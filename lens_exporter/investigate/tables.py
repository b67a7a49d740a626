"""The tables of investigations and of the alerts they came from, and how units become rows."""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from lens_exporter.foundation.database import metadata
from lens_exporter.investigate.unit import WAITING, Brief, State, Unit, UnitSource, common_labels, pack_group, unpack, unpack_group
from lens_exporter.model.decision import Severity

_WAITING = sa.text("state IN ('held', 'queued')")
_UNTOLD = sa.text("told = false AND ends_at IS NOT NULL")

investigations = sa.Table(
    "investigations",
    metadata,
    sa.Column("id", sa.String(26), primary_key=True),
    sa.Column("correlation", sa.String(26), nullable=False, index=True),
    sa.Column("group_key", sa.String(512), nullable=False, index=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("source", sa.String(16), nullable=False),
    sa.Column("severity", sa.String(16), nullable=False),
    sa.Column("due", sa.Float, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("started_at", sa.Float),
    sa.Column("finished_at", sa.Float),
    sa.Column("alertname", sa.String(255), nullable=False, default=""),
    sa.Column("alerts", sa.Integer, nullable=False),
    sa.Column("alert_group", sa.LargeBinary, nullable=False),
    sa.Column("verdict", sa.String(32), nullable=False, default=""),
    sa.Column("status", sa.String(16), nullable=False, default=""),
    sa.Column("summary", sa.Text, nullable=False, default=""),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("document", sa.LargeBinary),
    sa.Index("ix_investigations_state_due", "state", "due"),
    # One waiting unit for each group: a storm of alerts is not a storm of investigations, with any number of replicas.
    sa.Index("uq_investigations_waiting_group", "group_key", unique=True, sqlite_where=_WAITING, postgresql_where=_WAITING),
)

intake_alerts = sa.Table(
    "intake_alerts",
    metadata,
    sa.Column("fingerprint", sa.String(16), primary_key=True),
    # Whole milliseconds: a time written as text and read back must be the same alert.
    sa.Column("starts_ms", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("investigation", sa.String(26), nullable=False, index=True),
    sa.Column("ends_at", sa.Float),
    # Whether the end was passed on to the publisher. False together with an end means: still to do.
    sa.Column("told", sa.Boolean, nullable=False, default=False),
    sa.Index("ix_intake_alerts_untold", "investigation", "ends_at", sqlite_where=_UNTOLD, postgresql_where=_UNTOLD),
)

is_waiting = investigations.c.state.in_([state.value for state in WAITING])

_CHUNK = 5_000  # values in one IN list; SQLite takes 32,766 parameters, PostgreSQL 65,535


def chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]


def row_of(unit: Unit) -> dict[str, Any]:
    alerts = unit.group.alerts
    return {
        "id": unit.id,
        "correlation": unit.correlation,
        "group_key": unit.group.key,
        "state": unit.state.value,
        "source": unit.source.value,
        "severity": unit.severity.value,
        "due": unit.due,
        "created_at": unit.created_at,
        "started_at": unit.started_at,
        "finished_at": unit.finished_at,
        "alertname": alerts[0].name[:255] if alerts else "",
        "alerts": len(alerts),
        "alert_group": pack_group(unit.group),
        "reason": unit.reason,
    }


def unit_of(row: sa.RowMapping) -> Unit:
    return Unit(
        id=row["id"],
        correlation=row["correlation"],
        state=State(row["state"]),
        source=UnitSource(row["source"]),
        group=unpack_group(row["alert_group"]),
        due=row["due"],
        created_at=row["created_at"],
        severity=Severity(row["severity"]),
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        reason=row["reason"],
        document=None if row["document"] is None else unpack(row["document"]),
    )


def brief_of(row: sa.RowMapping) -> Brief:
    fields = dict(row)
    packed = fields.pop("alert_group")
    fields |= {"state": State(row["state"]), "source": UnitSource(row["source"]), "severity": Severity(row["severity"])}
    return Brief(**fields, labels={} if packed is None else common_labels(packed))
