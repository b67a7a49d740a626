"""What is new and unlike others of its kind: a release that is slower, or takes more, than what it has replaced."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lens_exporter.baseline.beside import Beside
from lens_exporter.baseline.detection import ranks
from lens_exporter.baseline.underway import Underway
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import BoolArray, IntArray, Peers, Scores, Window

_LONG, _SETTLES = 1800.0, 1800.0  # seconds: so long it must be elsewhere, once it is as old as that
_FEWEST = 6  # readings, where they are rare
_MUCH = 0.25  # of the most they had: no two releases take the same memory to the last tenth
_DIFFER, _BEFORE, _USUAL = 4.0, 2.0, 0.1
_ON = 4  # half hours: what is underway goes on for as long as the median of two hours is beyond all they had
_NEW = 64_800.0  # seconds: what is older begins nothing
_BACK = 3  # readings in a row that are as theirs end what was before


@dataclass(frozen=True, slots=True)
class Unlike:
    """A new series that is unlike its peers: what it has been since when, beside what they usually had, and the most they had."""

    course: Beside
    peers: int
    alike: int  # more new ones of its kind that are unlike them to the same side: one of them speaks for all
    lower: float
    upper: float

    @property
    def bound(self) -> float:
        """What they had at most, on the side where it is."""
        return self.upper if self.course.side > 0 else self.lower


@np.errstate(over="ignore", invalid="ignore")  # near the largest float an infinite mean is the right answer
def unlike(metric: BaselineMetric, window: Window, scores: Scores, about: Sequence[Underway]) -> dict[int, Unlike]:
    """Give, by row of the window, the new series that have been unlike their peers for half an hour: one of each kind and side.

    The median of those readings is beyond the most that they had for half an hour, by a quarter of it, or by more where they
    differ or are few. What is underway speaks for its kind, and nobody else does while it is there; else what has been unlike them
    for longest.
    """
    peers = None if scores.young is None else scores.young.peers
    if peers is None or not peers.count.any():
        return {}
    rows = np.flatnonzero((peers.count > 0) & np.isfinite(window.values[:, -1]))
    usual = ranks.median(window.values[rows, -_long(window) :].T)
    found = {}
    for side, bound in ((1, peers.upper), (-1, peers.lower)):
        if side * metric.side < 0:
            continue
        beyond = rows[side * (usual - bound[rows]) > 0.0]
        spoken = _spoken_for(metric, window, peers, side, about)
        several: dict[int, list[tuple[int, Unlike]]] = defaultdict(list)
        for row in {*beyond.tolist(), *spoken.values()}:
            kind = int(peers.kind[row])
            one = _unlike(metric, window, peers, row, side, goes_on=kind in spoken) if spoken.get(kind, row) == row else None
            if one is not None:
                several[kind].append((row, one))
        for kind, those in several.items():
            row, one = max(those, key=lambda each: (each[1].course.readings, -each[0]))
            found[row] = replace(one, alike=int(np.count_nonzero(peers.kind[beyond[beyond != row]] == kind)))
    return found


def _long(window: Window) -> int:
    return max(_FEWEST, round(_LONG / window.step))


def _spoken_for(metric: BaselineMetric, window: Window, peers: Peers, side: int, about: Sequence[Underway]) -> dict[int, int]:
    """Give, by kind, the row of a series that is underway to this side, though it has no value now."""
    rows: IntArray = np.flatnonzero(peers.count > 0)
    named = {frozenset(window.labels[row].items()): row for row in rows.tolist()} if about else {}
    found = {}
    for one in about:
        told = [each.series for each in one.beside or () if each.metric == metric.name and each.side == side]
        if one.beside is None and one.includes(metric, one.target, side):
            told = [one.target]
        for series in told:
            row = named.get(frozenset(series.items()))
            if row is not None:
                found[int(peers.kind[row])] = row
    return found


def _unlike(metric: BaselineMetric, window: Window, peers: Peers, row: int, side: int, *, goes_on: bool) -> Unlike | None:
    """Hold one series against its peers, on one side."""
    present = np.isfinite(window.values[row])
    values, times, step = window.values[row, present], window.times[present], window.step
    count, usual, lower, upper = int(peers.count[row]), *(float(one[row]) for one in (peers.usual, peers.lower, peers.upper))
    bound, long = upper if side > 0 else lower, _long(window)
    as_theirs = side * (values - bound) <= 0.0
    if as_theirs.all():
        return None
    off = side * (float(np.median(values[-long:])) - bound)
    if goes_on:
        if max(off, side * (float(np.median(values[-_ON * long :])) - bound)) <= 0.0:
            return None
    else:
        if as_theirs[-1] or 2 * np.count_nonzero(present[-long:]) < long or not _has_settled(values.size * step, long * step):
            return None
        if side < 0 and not metric.side and not as_theirs.any():
            return None  # what has just begun has yet to fill, unless somebody has said that low is bad
        if off < _asked(metric, peers, row, side) or off + abs(bound - usual) < _declared(metric, usual):
            return None
    first = _left(as_theirs)
    since, seconds = float(times[first]), float(times[-1] - times[first]) + step
    course = Beside(side, float(values[first:].mean()), usual, values.size - first, seconds, since, longer=False)
    return Unlike(course, count, 0, lower, upper)


def _has_settled(age: float, long: float) -> bool:
    """Say whether what is so old (seconds) has begun, and is still news."""
    return long + _SETTLES <= age <= _NEW


def _asked(metric: BaselineMetric, peers: Peers, row: int, side: int) -> float:
    """Give by how much the most that peers had must be exceeded: by what releases that are all in order do at most.

    A part of it, and where they differ, what four standard deviations of that leave beyond it, with those of their mean. Few say
    little of how much they differ, so two more are added that do by a tenth.
    """
    bound, mean, apart = (peers.upper, peers.highest, peers.above) if side > 0 else (peers.lower, peers.lowest, peers.below)
    count, size = float(peers.count[row]), _size(metric, float(bound[row]), side)
    variance = (float(apart[row]) + _BEFORE * (_USUAL * size) ** 2) / (count - 1.0 + _BEFORE)
    differ = _DIFFER * math.sqrt(variance * (1.0 + 1.0 / count)) - abs(float(bound[row] - mean[row]))
    return max(_MUCH * size, differ)


def _size(metric: BaselineMetric, bound: float, side: int) -> float:
    """Give how large a bound is: of a share that goes down, as what it lacks; 99 % is ten times as far from all as 99.9 %."""
    return abs(bound) if metric.scale is None or side > 0 else abs(metric.scale - bound)


def _declared(metric: BaselineMetric, usual: float) -> float:
    return max(metric.min_change, metric.min_change_ratio * abs(usual))


def _left(as_theirs: BoolArray) -> int:
    """Give the place of the first reading [reading] that is not, since some in a row last were; not those at the end."""
    here = int(np.flatnonzero(~as_theirs)[-1]) + 1
    if here < _BACK:
        return int(np.argmin(as_theirs))
    in_a_row = np.lib.stride_tricks.sliding_window_view(as_theirs[:here], _BACK).all(axis=1)
    after = int(np.flatnonzero(in_a_row).max(initial=-_BACK)) + _BACK
    return after + int(np.argmin(as_theirs[after:]))
