"""What people have declared to be in order: which spans of time, and for whom."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from lens_exporter.model.decision import Severity
from lens_exporter.model.labels import Labels
from lens_exporter.model.matcher import Matcher, all_match
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import BoolArray, FloatArray, IntArray

BELOW_CRITICAL = (Severity.INFO, Severity.WARNING)  # of an alert that a declaration can keep back
_SEVERITY = "severity"

GroupLabels = frozenset[tuple[str, str]]
AlertLabels = Callable[[BaselineMetric, Labels], Labels]  # of the alert that a series may become, but for its severity


class DeclarationSource(StrEnum):
    """Where it was said."""

    SILENCE = "silence"  # an Alertmanager's silence whose comment begins with "expected:"
    API = "api"


@dataclass(frozen=True, slots=True)
class Declaration:
    """Somebody says that what these alerts tell of is in order from starts_at until before ends_at (Unix seconds).

    Matchers speak about the labels of lens-exporter's own alerts: alertname, severity, watcher, category and those of the target.
    """

    id: str  # the silence's, or a ULID
    source: DeclarationSource
    matchers: tuple[Matcher, ...]
    starts_at: float
    ends_at: float
    by: str = ""
    comment: str = ""

    def runs(self, at: float) -> bool:
        """Say whether a moment lies inside its span."""
        return self.starts_at <= at < self.ends_at

    def covers(self, labels: Labels, severities: Iterable[Severity] = Severity) -> bool:
        """Say whether it speaks of an alert with these labels and one of these severities."""
        return covers(self.matchers, labels, severities)


Declarations = Callable[[], Sequence[Declaration]]  # as known now; may be asked from any thread


def none_declared() -> Sequence[Declaration]:
    """Give the declarations of somebody whom nobody tells anything."""
    return ()


@dataclass(frozen=True, slots=True)
class Declared:
    """What is declared at one moment about the alerts of one watcher."""

    running: tuple[Declaration, ...] = ()
    groups: Mapping[GroupLabels, Declaration] = field(default_factory=dict)  # what covers any series of a group

    def about(self, labels: Labels, group: Labels | None = None) -> Declaration | None:
        """Give what keeps back an alert below critical: by its labels, or where it speaks for a whole group, by that."""
        if group is not None and (found := self.groups.get(frozenset(group.items()))):
            return found
        return next((one for one in self.running if one.covers(labels, BELOW_CRITICAL)), None)


def covers(matchers: Sequence[Matcher], labels: Labels, severities: Iterable[Severity] = Severity) -> bool:
    """Say whether matchers speak of an alert with these labels and one of these severities."""
    return all_match(ungraded(matchers), labels) and graded(matchers, severities)


def graded(matchers: Sequence[Matcher], severities: Iterable[Severity] = Severity) -> bool:
    """Say whether matchers speak of alerts of one of these severities."""
    about = [matcher for matcher in matchers if matcher.name == _SEVERITY]
    return any(all_match(about, {_SEVERITY: severity.value}) for severity in severities)


def ungraded(matchers: Sequence[Matcher]) -> list[Matcher]:
    """Give what matchers say about all but the severity."""
    return [matcher for matcher in matchers if matcher.name != _SEVERITY]


NOTHING_DECLARED = Declared()


def rows_inside(declaration: Declaration, times: FloatArray) -> BoolArray:
    """Mark the times [time] that lie inside a span."""
    inside: BoolArray = (times >= declaration.starts_at) & (times < declaration.ends_at)
    return inside


def marked(
    declared: Sequence[tuple[Declaration, BoolArray]],
    group_of: IntArray,
    groups: int,
    times: FloatArray,
    seen: BoolArray,
) -> BoolArray:
    """Mark the rows of groups [groups, time] that were declared to be in order.

    declared has for each declaration the series [series] that it covers; group_of [series] is -1 for who belongs to none. A row of
    a group is marked when it lies inside the span of one that covers a member which has had a value by then: seen [series, time].
    """
    rows = np.zeros((groups, times.size), dtype=np.bool_)
    for declaration, covered in declared:
        own = np.flatnonzero(covered & (group_of >= 0))
        if own.size:
            own = own[np.argsort(group_of[own], kind="stable")]
            of, first = np.unique(group_of[own], return_index=True)
            rows[of] |= np.logical_or.reduceat(seen[own], first, axis=0) & rows_inside(declaration, times)
    return rows
