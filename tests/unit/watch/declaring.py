"""Declarations for tests: what somebody says, in minutes after noon."""

from itertools import count

from lens_exporter.baseline.expected import Declaration, DeclarationSource
from lens_exporter.model.matcher import Matcher
from tests.unit.publish.timeline import NOON

_numbers = count(1)


def equal(**labels: str) -> tuple[Matcher, ...]:
    return tuple(Matcher(name, value) for name, value in labels.items())


def declared(
    *matchers: Matcher, begin: float = 0, end: float = 60, by: str = "alice", comment: str = "expected: load test", **labels: str
):
    return Declaration(
        f"s{next(_numbers)}",
        DeclarationSource.SILENCE,
        (*matchers, *equal(**labels)),
        NOON + begin * 60,
        NOON + end * 60,
        by,
        comment,
    )
