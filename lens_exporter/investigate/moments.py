"""Moments as tool arguments: written in any usual way, kept as Unix seconds, shown as RFC 3339, and never in the future."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo, WithJsonSchema

from lens_exporter.foundation.clock import rfc3339
from lens_exporter.model.duration import UNITS

_RELATIVE = re.compile(r"now(?:\s*-\s*(?P<amount>\d+(?:\.\d+)?)\s*(?P<unit>s|m|h|d))?")
_AGO = re.compile(r"-(?P<amount>\d+(?:\.\d+)?)\s*(?P<unit>s|m|h|d)")


def read(value: object, now: float) -> float:
    """Read Unix seconds, RFC 3339, "now", "now-30m" or "-2h". What lies after `now` is `now`.

    Raises:
        ValueError: it is none of these.

    """
    return min(_absolute(value, now), now)


def _absolute(value: object, now: float) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    text = str(value).strip()
    relative = _RELATIVE.fullmatch(text) or _AGO.fullmatch(text)
    if relative:
        return now - float(relative["amount"] or 0.0) * float(UNITS[relative["unit"] or "s"])
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f'expected a time like 2026-11-20T14:02:00Z, Unix seconds, "now" or "now-30m", got {text[:60]!r}'
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _validated(value: Any, info: ValidationInfo) -> float:
    now = (info.context or {}).get("now")
    return float(int(read(value, float(now)))) if now is not None else _absolute(value, 0.0)


Moment = Annotated[
    float,
    BeforeValidator(_validated),
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "description": 'RFC 3339, Unix seconds, "now" or "now-30m"'}),
]
