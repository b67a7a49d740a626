"""An investigation as it waits, runs and ends: the value the tables keep."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from lens_exporter.model.alert import COMPANION, Alert, AlertGroup
from lens_exporter.model.decision import Severity
from lens_exporter.model.labels import Labels


class State(StrEnum):
    HELD = "held"  # waits for its moment: more alerts of the group, or Alertmanager's webhook
    QUEUED = "queued"  # handed to the durable queue
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


class UnitSource(StrEnum):
    WEBHOOK = "webhook"
    WATCHER = "watcher"


ANNOUNCED = "watcher:"  # begins the group key of what a watcher raised and Alertmanager's webhook has not brought yet
WAITING = (State.HELD, State.QUEUED)  # not begun: alerts may still join, and all of them may still resolve

# Words of other people's rules that mean what we call critical and info; anything else is a warning.
_CRITICAL = frozenset({"critical", "page", "emergency", "fatal"})
_INFO = frozenset({"info", "informational", "none", "notice"})


@dataclass(frozen=True, slots=True)
class Unit:
    """One investigation. Times are Unix seconds. document is what its analysis found, as JSON, once it is done."""

    id: str  # ULID, and the id of its durable workflow
    correlation: str
    state: State
    source: UnitSource
    group: AlertGroup
    due: float
    created_at: float
    severity: Severity
    started_at: float | None = None
    finished_at: float | None = None
    reason: str = ""  # why it was cancelled, or waits for its data source
    document: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Brief:
    """An investigation in a list: without its alerts and findings."""

    id: str
    correlation: str
    state: State
    source: UnitSource
    group_key: str
    alertname: str
    alerts: int
    severity: Severity
    due: float
    created_at: float
    started_at: float | None
    finished_at: float | None
    verdict: str
    status: str
    summary: str
    reason: str
    labels: Labels  # that all its alerts have alike; none of a group that is too large for a list


def severity_of(alerts: Iterable[Alert]) -> Severity:
    """Name the gravest severity among alerts that fire; among all when none does."""
    alerts = tuple(alerts)
    counted = [alert for alert in alerts if alert.ends_at is None] or alerts
    words = {alert.labels.get("severity", "").lower() for alert in counted}
    if words & _CRITICAL:
        return Severity.CRITICAL
    return Severity.INFO if words and words <= _INFO else Severity.WARNING


def milliseconds(at: float) -> int:
    return round(at * 1000)


def is_companion(alert: Alert) -> bool:
    """Whether an alert carries findings of ours or of another lens-exporter."""
    return alert.name == COMPANION or "lens_origin" in alert.labels


def pack(value: Any) -> bytes:
    """JSON, compressed: ten thousand alerts of one group are mostly the same text."""
    return zlib.compress(orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY), 1)


def unpack(packed: bytes) -> Any:
    return orjson.loads(zlib.decompress(packed))


def common_labels(packed: bytes, *, most: int = 1 << 16) -> dict[str, str]:
    """Give the labels that all alerts of a group have alike; none where its text is longer than so many bytes."""
    reader = zlib.decompressobj()
    text = reader.decompress(packed, most)
    return _group(orjson.loads(text)).common if reader.eof else {}


def pack_group(group: AlertGroup) -> bytes:
    return pack(
        {
            "key": group.key,
            "receiver": group.receiver,
            "truncated": group.truncated,
            "external_url": group.external_url,
            "labels": group.labels,
            "alerts": [
                [dict(a.labels), dict(a.annotations), a.starts_at, a.ends_at, a.generator_url, a.given] for a in group.alerts
            ],
        }
    )


def unpack_group(packed: bytes) -> AlertGroup:
    return _group(unpack(packed))


def _group(fields: dict[str, Any]) -> AlertGroup:
    return AlertGroup(**{**fields, "alerts": tuple(Alert(*alert) for alert in fields["alerts"])})
