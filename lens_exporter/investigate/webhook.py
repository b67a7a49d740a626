"""Alertmanager's webhook body (payload version 4) as an alert group. Pure: bytes in, a value or BadWebhook out.

What a body may hold is bounded here, because everything behind keeps it: a cut text says how much is missing, and an alert whose
labels or annotations were left out says so in its annotation `lens_cut`. Unknown fields are accepted; newer Alertmanagers add some.
"""

import hashlib
import re
from datetime import UTC, datetime
from typing import Any

import orjson

from lens_exporter.errors import BadWebhook
from lens_exporter.model.alert import Alert, AlertGroup

MAX_ALERTS = 20_000  # of one body; the rest is counted as truncated
MAX_LABELS = 64
MAX_ANNOTATIONS = 64
MAX_NAME = 256  # characters
MAX_LABEL_VALUE = 2_048
MAX_ANNOTATION = 16_384
MAX_KEY = 512  # of a group key: it is indexed
CUT = "lens_cut"

_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
_MAX_TRUNCATED = 1_000_000_000
_END_OF_TIME = 253_402_300_799.0  # the last second of the year 9999: later ones cannot be written in RFC 3339
_A_TIME = "a time like 2026-11-20T14:02:00Z"


def parse(body: bytes) -> AlertGroup:
    """Read one webhook body.

    Raises:
        BadWebhook: says what is wrong and where, in words for whoever configured the sender.

    """
    payload = _object(body)
    version = payload.get("version")
    if version != "4":
        said = "has no version" if version is None else f"has version {_shown(version)}"
        raise BadWebhook(reason=f'the body {said}, expected "4" (a receiver with its own payload template cannot be read)')
    key = payload.get("groupKey")
    if not isinstance(key, str) or not key:
        raise BadWebhook(reason="groupKey is missing")
    entries = payload.get("alerts")
    if not isinstance(entries, list):
        raise BadWebhook(reason="alerts is missing" if entries is None else "alerts is not a list")
    alerts = _alerts(entries[:MAX_ALERTS])
    return AlertGroup(
        key=bounded_key(_text(key)),
        alerts=alerts,
        receiver=_line(payload.get("receiver")),
        truncated=_count(payload.get("truncatedAlerts")) + len(entries) - len(alerts),
        external_url=_line(payload.get("externalURL")),
        labels=_pairs(payload.get("groupLabels"), "groupLabels", MAX_LABELS, MAX_LABEL_VALUE)[0],
    )


def _alerts(entries: list[Any]) -> tuple[Alert, ...]:
    """Read each alert. One that cannot be read becomes one without labels, which is poison: it must not cost the others."""
    alerts: list[Alert] = []
    problems: list[BadWebhook] = []
    for index, entry in enumerate(entries):
        try:
            alerts.append(_alert(entry, f"alerts[{index}]"))
        except BadWebhook as error:
            problems.append(error)
            alerts.append(Alert({}, {"problem": str(error)}))
    if problems and len(problems) == len(alerts):
        raise problems[0]
    return tuple(alerts)


def bounded_key(key: str) -> str:
    """Shorten a group key to MAX_KEY characters; different keys stay different."""
    if len(key) <= MAX_KEY:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"{key[: MAX_KEY - len(digest) - 1]}#{digest}"


def _object(body: bytes) -> dict[str, Any]:
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadWebhook(reason=f"not JSON: {error}") from None
    if not isinstance(payload, dict):
        raise BadWebhook(reason=f"expected a JSON object, got {_kind(payload)}")
    return payload


def _alert(entry: object, where: str) -> Alert:
    if not isinstance(entry, dict):
        raise BadWebhook(reason=f"{where} is {_kind(entry)}, expected an object")
    status = entry.get("status", "firing")
    if status not in ("firing", "resolved"):
        raise BadWebhook(reason=f"{where}.status is {_shown(status)}, expected firing or resolved")
    starts_at = _time(entry.get("startsAt"), f"{where}.startsAt")
    ends_at = None
    if status == "resolved":
        # A resolved alert always has an end; should a sender forget it, the earliest one it can have had stands in.
        ends_at = max(starts_at, _time(entry["endsAt"], f"{where}.endsAt") if entry.get("endsAt") else 0.0)
    labels, labels_cut = _pairs(entry.get("labels"), f"{where}.labels", MAX_LABELS, MAX_LABEL_VALUE)
    annotations, annotations_cut = _pairs(entry.get("annotations"), f"{where}.annotations", MAX_ANNOTATIONS, MAX_ANNOTATION)
    if labels_cut or annotations_cut:
        annotations[CUT] = f"{labels_cut} labels and {annotations_cut} annotations were left out"
    return Alert(
        labels=labels,
        annotations=annotations,
        starts_at=starts_at,
        ends_at=ends_at,
        generator_url=_line(entry.get("generatorURL")),
        given=_identity(entry.get("fingerprint")),
    )


def _identity(given: object) -> str:
    # The sender's own fingerprint is the alert's identity: whoever asks Alertmanager about it must use the same.
    return given if isinstance(given, str) and _FINGERPRINT.fullmatch(given) else ""


def _pairs(raw: object, where: str, most: int, longest: int) -> tuple[dict[str, str], int]:
    """Give names with text values, and how many of the pairs were left out."""
    if raw is None:
        return {}, 0
    if not isinstance(raw, dict):
        raise BadWebhook(reason=f"{where} is {_kind(raw)}, expected an object")
    pairs: dict[str, str] = {}
    for name, value in raw.items():
        text = _scalar(value)
        if text is None or len(pairs) >= most or len(name) > MAX_NAME:
            continue
        pairs[_text(name)] = text if len(text) <= longest else _shortened(text, longest)
    return pairs, len(raw) - len(pairs)


def _scalar(value: object) -> str | None:
    # Alertmanager sends text only; other senders write numbers and booleans where text belongs.
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:.15g}" if isinstance(value, float) else str(value)
    return None


def _text(value: str) -> str:
    # PostgreSQL text cannot hold NUL, and no label means anything by it.
    return value.replace("\0", "\ufffd") if "\0" in value else value


def _line(value: object) -> str:
    return _shortened(text, MAX_LABEL_VALUE) if isinstance(value, str) and (text := _text(value)) else ""


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]} ... ({len(text) - longest} more characters)"


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(min(max(value, 0), _MAX_TRUNCATED))


def _time(value: object, where: str) -> float:
    """Read RFC 3339 as Unix seconds; Go's zero time (year 1) and everything before 1970 is 0."""
    if not isinstance(value, str):
        raise BadWebhook(reason=f"{where} is {'missing' if value is None else _kind(value)}, expected {_A_TIME}")
    try:
        moment = datetime.fromisoformat(value)
        return min(max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()), _END_OF_TIME)
    except (ValueError, OverflowError):
        raise BadWebhook(reason=f"{where} is {_shown(value)}, expected {_A_TIME}") from None


def _kind(value: object) -> str:
    match value:
        case dict():
            return "an object"
        case list():
            return "a list"
        case str():
            return "text"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case _:
            return "null"


def _shown(value: object) -> str:
    return _shortened(repr(value) if isinstance(value, str) else orjson.dumps(value).decode(), 60)
