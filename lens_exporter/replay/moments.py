"""Moments as people name them on a command line: a date, Unix seconds, or so long ago."""

import re
from collections.abc import Callable

from lens_exporter.foundation.clock import rfc3339
from lens_exporter.model.duration import seconds
from lens_exporter.replay.cells import YEAR_10000, moment, shown
from lens_exporter.replay.span import Span

EXPECTED = 'a time like "2026-11-20T14:00:00Z", Unix seconds, "now" or "-14d"'
_RELATIVE = re.compile(r"(?:now\s*)?(?:(?P<sign>[+-])\s*(?P<length>\S+))")


def moment_at(text: str, now: float) -> float:
    """Read a moment in Unix seconds: RFC 3339 (UTC where no zone is named), Unix seconds, "now", "-14d" or "now-14d".

    Raises:
        ValueError: it is none of these, or lies outside the years 1970 to 9999; the message says what was expected.

    """
    text = text.strip()
    if text == "now":
        return now
    try:
        if found := _RELATIVE.fullmatch(text):
            at = now + (-1.0 if found["sign"] == "-" else 1.0) * seconds(found["length"])
        else:
            at = moment(text)
    except ValueError:
        raise ValueError(f"expected {EXPECTED}") from None
    # No schedule and no server has moments beyond; rounded as they are written.
    if not 0.0 <= round(at, 3) < YEAR_10000:
        raise ValueError(f"expected {EXPECTED}, in the years 1970 to 9999")
    return at


def span_of(begin: str, end: str, every: str | None, now: float) -> Span:
    """Read what --from, --to and --every say.

    Raises:
        ValueError: one of them is wrong, or they do not fit together; the message names it.

    """
    first, last = (_named(flag, text, lambda given: moment_at(given, now)) for flag, text in (("--from", begin), ("--to", end)))
    if last > now:
        raise ValueError(f"--to: {rfc3339(last)} is still to come")
    if first >= last:
        raise ValueError(f"--from {rfc3339(first)} is not before --to {rfc3339(last)}")
    return Span(first, last, 0.0 if every is None else _named("--every", every, _apart))


def _apart(text: str) -> float:
    if (length := seconds(text)) > 0.0:
        return length
    raise ValueError("expected a duration above zero")


def _named(flag: str, text: str, read: Callable[[str], float]) -> float:
    try:
        return read(text)
    except ValueError as error:
        raise ValueError(f"{flag}: {error}, got {shown(text)}") from None
