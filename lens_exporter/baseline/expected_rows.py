"""Which rows a watcher has learnt as declared to be in order, next to what is declared now."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from lens_exporter.baseline.detection.grouping import membership
from lens_exporter.baseline.expected import (
    NOTHING_DECLARED,
    AlertLabels,
    Declaration,
    Declarations,
    Declared,
    graded,
    marked,
    ungraded,
)
from lens_exporter.baseline.label_table import LabelTable
from lens_exporter.baseline.roster import Grouped, Roster
from lens_exporter.model.matcher import Matcher
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import BoolArray, FloatArray, IntArray

REST = 900.0  # seconds between two beginnings anew over declarations: what comes meanwhile is taken in together

Rows = tuple[int, int]  # first and last, in steps since the epoch


class ExpectedRows:
    """Marks rows as they are learnt, and tells when rows learnt before would be marked differently now. Not thread-safe."""

    def __init__(
        self, metrics: Sequence[BaselineMetric], declarations: Declarations, alert_labels: AlertLabels, step: float
    ) -> None:
        self._metrics = metrics
        self._declarations = declarations
        self._alert_labels = alert_labels
        self._step = step
        self._known: tuple[Declaration, ...] = ()
        self._heard_at: float | None = None
        self._began_anew_at = -math.inf
        self.forget()

    def forget(self) -> None:
        """Nothing is learnt any more."""
        self._learnt: dict[tuple[Matcher, ...], list[Rows]] = defaultdict(list)
        self._pending = self._outdated = False
        self._labels = LabelTable()
        self.regroup(left=True)

    def ask(self, declarations: Declarations) -> None:
        """Ask somebody else from the next moment on."""
        self._declarations, self._heard_at = declarations, None

    @property
    def learnt(self) -> dict[str, Any]:
        """What was learnt as declared, in numbers and texts."""
        rows = [
            ([(one.name, one.value, one.regex, one.equal) for one in matchers], ranges) for matchers, ranges in self._learnt.items()
        ]
        return {"rows": rows, "began_anew_at": self._began_anew_at}

    def resume(self, learnt: Mapping[str, Any]) -> None:
        """Go on with what was learnt. Whether other things are declared now is asked at the next moment."""
        self.forget()
        for matchers, ranges in learnt["rows"]:
            self._learnt[tuple(Matcher(*one) for one in matchers)] = list(ranges)
        self._began_anew_at = learnt["began_anew_at"]
        self._known, self._pending, self._heard_at = (), True, None

    def regroup(self, *, left: bool) -> None:
        """Others are watched, or in other groups, from now on; left: some are watched no longer, and new ones come last as ever."""
        if left:
            self._labels = LabelTable()
        self._covered: dict[tuple[Matcher, ...], BoolArray] = {}
        self._group_of: IntArray | None = None
        self._declared = NOTHING_DECLARED

    def hear(self, at: float) -> None:
        """Ask what is declared, once for each judged moment: a look goes by one answer from its beginning to its end."""
        if at == self._heard_at:
            return
        self._heard_at = at
        known = tuple(self._declarations())
        self._pending |= known != self._known
        self._known = known

    def outdated(self, at: float, anchor: float, learnt_to: float | None, roster: Roster, grouped: Grouped) -> bool:
        """Say whether rows from the anchor to the last learnt one would be marked differently now, and it is time to do so."""
        if not self._pending or learnt_to is None or abs(at - self._began_anew_at) < REST:
            return False
        now: dict[tuple[Matcher, ...], list[Rows]] = defaultdict(list)
        for one in self._known:
            now[one.matchers] += self._rows(one, anchor, learnt_to)
        before, after = _joined(self._learnt), _joined(now)
        differing = [matchers for matchers in before.keys() | after.keys() if before.get(matchers) != after.get(matchers)]
        self._pending = self._outdated = any(self._covered_groups(matchers, roster, grouped) for matchers in differing)
        return self._outdated

    def begin(self, at: float) -> None:
        """Everything is learnt anew from now on."""
        if self._outdated:
            self._began_anew_at = at

    def learn(self, times: FloatArray, present: BoolArray, seen: BoolArray, roster: Roster, grouped: Grouped) -> BoolArray | None:
        """Give the rows of groups [groups, time] to be learnt whatever their score; None: there are none.

        present [series, time] marks values, seen [series] who had one before.
        """
        inside = []
        for one in self._known:
            if rows := self._rows(one, times[0], times[-1]):
                self._learnt[one.matchers] += rows
                inside.append((one, self._series(one.matchers, roster)))
        if not inside:
            return None
        seen_by_then = seen[:, None] | np.logical_or.accumulate(present, axis=1)
        return marked(inside, self._groups(roster, grouped), len(grouped.groups), times, seen_by_then)

    def declared(self, at: float, roster: Roster, grouped: Grouped) -> Declared:
        """Give what is declared about a moment."""
        running = tuple(one for one in self._known if one.runs(at))
        if running != self._declared.running:
            groups = {}
            for one in reversed(running):
                for group in self._covered_groups(one.matchers, roster, grouped):
                    groups[frozenset(grouped.keys[group])] = one
            self._declared = Declared(running, groups)
        return self._declared

    def _covered_groups(self, matchers: tuple[Matcher, ...], roster: Roster, grouped: Grouped) -> list[int]:
        groups = self._groups(roster, grouped)[self._series(matchers, roster)]
        found: list[int] = np.unique(groups[groups >= 0]).tolist()
        return found

    def _groups(self, roster: Roster, grouped: Grouped) -> IntArray:
        """Give the group of each series [series], -1 for a lone one."""
        if self._group_of is None:
            self._group_of = membership(len(roster), grouped.groups)
        return self._group_of

    def _series(self, matchers: tuple[Matcher, ...], roster: Roster) -> BoolArray:
        """Tell which series [series] may become an alert that these matchers speak of."""
        new = range(len(self._labels), len(roster))
        if new:
            self._labels.extend([self._alert_labels(self._metrics[roster.metric_of[one]], roster.labels[one]) for one in new])
        covered = self._covered.get(matchers)
        if covered is None:
            covered = self._labels.matching(ungraded(matchers)) & graded(matchers)
            self._covered[matchers] = covered
        return covered

    def _rows(self, one: Declaration, first: float, last: float) -> list[Rows]:
        """Give the rows from first to last (Unix seconds) that lie inside a span: one range or none."""
        begins, ends = (math.ceil(edge / self._step - 1e-6) for edge in (max(first, one.starts_at), one.ends_at))
        ends = min(ends - 1, math.floor(last / self._step + 1e-6))
        return [(begins, ends)] if begins <= ends else []


def _joined(rows: Mapping[tuple[Matcher, ...], Iterable[Rows]]) -> dict[tuple[Matcher, ...], list[Rows]]:
    """Join ranges that meet, so that the same rows always look the same."""
    joined: dict[tuple[Matcher, ...], list[Rows]] = {}
    for matchers, ranges in rows.items():
        whole: list[Rows] = []
        for first, last in sorted(ranges):
            if whole and first <= whole[-1][1] + 1:
                whole[-1] = (whole[-1][0], max(last, whole[-1][1]))
            else:
                whole.append((first, last))
        if whole:
            joined[matchers] = whole
    return joined
