"""What one cell of a table says: a number, a gap, a moment."""

import math
from datetime import UTC, datetime

YEAR_10000 = 253_402_300_800.0  # Unix seconds; no calendar here goes so far
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO_DASH = 4  # where the first dash of 2026-11-20 stands
_SHOWN = 40  # characters


def number(text: str) -> float:
    """Read a number; NaN for a gap, which is an empty cell, NaN or an infinite value.

    Raises:
        ValueError: it is neither. Python's 1_000 and other scripts' digits are none either.

    """
    text = text.strip()
    if not text:
        return math.nan
    if "_" in text or not text.isascii():
        raise ValueError(text)
    value = float(text)
    return value if math.isfinite(value) else math.nan


def moment(text: str) -> float:
    """Read Unix seconds, or an ISO 8601 time, which is UTC where it names no zone; in Unix seconds.

    Raises:
        ValueError: it is neither; the message says what was expected.

    """
    text = text.strip()
    if text[_ISO_DASH : _ISO_DASH + 1] == "-":  # spares most tables an exception a row; 1.5e-3 goes on below
        try:
            return _iso(text)
        except ValueError:
            pass
    try:
        seconds = number(text)
    except ValueError:
        try:
            return _iso(text)
        except ValueError:
            raise ValueError("an ISO 8601 time or Unix seconds") from None
    if math.isnan(seconds):
        raise ValueError("an ISO 8601 time or Unix seconds")
    if seconds >= YEAR_10000:
        raise ValueError("Unix time in seconds, not in parts of them")
    return seconds


def shown(text: str) -> str:
    """Quote a cell for an error, shortened where it is long."""
    return f'"{text if len(text) <= _SHOWN else text[:_SHOWN] + "..."}"'


def _iso(text: str) -> float:
    if text.endswith(" UTC"):  # what databases write instead of +00:00
        text = f"{text[:-4]}+00:00"
    found = datetime.fromisoformat(text)
    return ((found if found.tzinfo else found.replace(tzinfo=UTC)) - _EPOCH).total_seconds()
