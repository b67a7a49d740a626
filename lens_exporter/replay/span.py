"""The stretch of time that is replayed, and the moments of a schedule inside it."""

from collections.abc import Iterator
from dataclasses import dataclass

from lens_exporter.watch.schedule import next_due

_JUST_BEFORE = 1e-3  # seconds; a schedule gives what comes after a moment, and the first moment itself is wanted


@dataclass(frozen=True, slots=True)
class Span:
    """What is replayed. begin and end are Unix seconds, both included; every: ticks are at least so many seconds apart."""

    begin: float
    end: float
    every: float = 0.0


def moments(schedule: str, span: Span) -> Iterator[float]:
    """Give the moments of a schedule inside a span."""
    at = next_due(schedule, span.begin - _JUST_BEFORE)
    while at <= span.end:
        yield at
        # Of moments closer together than asked for, those in between are left out.
        after = at + max(0.0, span.every - _JUST_BEFORE)
        if after >= span.end:
            return  # and a schedule cannot be asked about the year 10000
        at = next_due(schedule, after)
