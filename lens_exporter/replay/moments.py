"""Moments as people name them on a command line: a date, Unix seconds, or so long ago."""

import re

from lens_exporter.config.values import seconds
from lens_exporter.replay.cells import moment

EXPECTED = 'a time like "2026-11-20T14:00:00Z", Unix seconds, "now" or "-14d"'
_RELATIVE = re.compile(r"(?:now\s*)?(?:(?P<sign>[+-])\s*(?P<length>\S+))")


def moment_at(text: str, now: float) -> float:
    """Read a moment in Unix seconds: RFC 3339 (UTC where no zone is named), Unix seconds, "now", "-14d" or "now-14d".

    Raises:
        ValueError: it is none of these; the message says what was expected.

    """
    text = text.strip()
    if text == "now":
        return now
    try:
        if found := _RELATIVE.fullmatch(text):
            return now + (-1.0 if found["sign"] == "-" else 1.0) * seconds(found["length"])
        return moment(text)
    except ValueError:
        raise ValueError(f"expected {EXPECTED}") from None
