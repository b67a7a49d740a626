"""What is new and unlike others of its kind: a release that is slower, or takes more, than what it has replaced."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lens_exporter.baseline.beside import Beside
from lens_exporter.baseline.detection import ranks
from lens_exporter.baseline.kinds import pod_of
from lens_exporter.baseline.underway import Underway
from lens_exporter.model.decision import Observation
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import BoolArray, Peers, Scores, Window

_LONG, _SETTLES = 1800.0, 1800.0  # seconds: so long it must be elsewhere, once it is as old as that
_FEWEST = 6  # readings, where they are rare
_MUCH = 0.25  # of the most they had: no two releases take the same memory to the last tenth
_OF_FULL = 0.005  # of a full scale: half a percent of errors is something, though there were none
_DIFFER = 4.0  # standard deviations
_BEFORE, _USUAL = 2.0, 0.1  # so many peers stand for what is known of others, and differ by a tenth
_ON = 4  # half hours: what is underway goes on for as long as the median of two hours is beyond all they had
_NEW = 64_800.0  # seconds: what is older begins nothing
_BACK = 3  # readings in a row that are as theirs end what was before


@dataclass(frozen=True, slots=True)
class Unlike:
    """A new series that is unlike its peers: what it has been since when, beside what they usually had, and the most they had."""

    course: Beside
    peers: int
    alike: int  # more new pods of its Deployment that are beyond theirs to the same side: one of them speaks for all
    lower: float
    upper: float

    @property
    def bound(self) -> float:
        """What they had at most, on the side where it is."""
        return self.upper if self.course.side > 0 else self.lower

    def seen(self, own: Observation) -> Observation:
        """Put what its peers had in the place of a series' own band, which says little: their range is -1 to 1."""
        middle, half = (self.lower + self.upper) / 2.0, (self.upper - self.lower) / 2.0
        # Peers that were always the same have no range; a tenth of what they are stands for it.
        half = max(half, _USUAL * abs(self.bound)) or abs((own.value or 0.0) - middle) or 1.0
        score = None if own.value is None else (own.value - middle) / half
        return own._replace(expected=self.course.expected, lower=self.lower, upper=self.upper, score=score)


@np.errstate(over="ignore", invalid="ignore")  # near the largest float an infinite mean is the right answer
def unlike(metric: BaselineMetric, window: Window, scores: Scores, about: Sequence[Underway]) -> dict[int, Unlike]:
    """Give, by row of the window, new series that have been unlike their peers for half an hour: one of each Deployment and side.

    The median of those readings is beyond the most that they had for half an hour, by a quarter of it, or by more where they
    differ or are few. What is underway speaks for its Deployment, and nobody else does while it goes on; else what has been unlike
    them for longest.
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
        for row in beyond.tolist():
            if int(peers.family[row]) not in spoken and (one := _begins(metric, window, peers, row, side)) is not None:
                several[int(peers.family[row])].append((row, one))
        spokesmen = [max(those, key=lambda each: (each[1].course.readings, -each[0])) for those in several.values()]
        for row, one in (*spoken.values(), *spokesmen):
            alike = {pod_of(window.labels[other]) for other in beyond[peers.family[beyond] == peers.family[row]].tolist()}
            found[row] = replace(one, alike=len(alike - {pod_of(window.labels[row])}))
    return found


def _long(window: Window) -> int:
    return max(_FEWEST, round(_LONG / window.step))


def _spoken_for(
    metric: BaselineMetric, window: Window, peers: Peers, side: int, about: Sequence[Underway]
) -> dict[int, tuple[int, Unlike]]:
    """Give, by Deployment, a series that is underway to this side and goes on, though it has no value now."""
    rows = np.flatnonzero(peers.count > 0).tolist() if about else []
    named = {frozenset(window.labels[row].items()): row for row in rows}
    found = {}
    for one in about:
        if one.departures is None:  # after a restart all that its target names may be
            told = [row for row in rows if one.includes(metric, window.labels[row], side)]
        else:
            series = [frozenset(each.series.items()) for each in one.departures if (each.metric, each.side) == (metric.name, side)]
            told = [named[each] for each in series if each in named]
        for row in told:
            course = _goes_on(window, peers, row, side)
            if course is not None:
                found[int(peers.family[row])] = row, course
    return found


def _begins(metric: BaselineMetric, window: Window, peers: Peers, row: int, side: int) -> Unlike | None:
    """Hold one series that nobody speaks for against its peers, on one side."""
    present, long, step = np.isfinite(window.values[row]), _long(window), window.step
    values, usual = window.values[row, present], float(peers.usual[row])
    bound = float((peers.upper if side > 0 else peers.lower)[row])
    off = side * (values - bound)
    if off[-1] <= 0.0 or 2 * np.count_nonzero(present[-long:]) < long:
        return None
    if not (_SETTLES + long * step <= values.size * step and max(values.size * step, peers.age[row]) <= _NEW):
        return None
    if side < 0 and not metric.side and (off > 0.0).all():
        return None  # what has just begun has yet to fill, unless somebody has said that low is bad
    median = float(np.median(off[-long:]))
    if median < _asked(metric, peers, row, side) or median + abs(bound - usual) < _declared(metric, usual):
        return None
    told = _told(window, peers, row, side)
    # What its peers do now is known when their bins have ended: what comes over all of them at once is none of its own.
    return told if told.course.seconds >= _SETTLES + long * step else None


def _goes_on(window: Window, peers: Peers, row: int, side: int) -> Unlike | None:
    """Give what is underway, while the median of half an hour or of two hours is beyond the most that its peers had."""
    values, long = window.values[row][np.isfinite(window.values[row])], _long(window)
    off = side * (values - float((peers.upper if side > 0 else peers.lower)[row]))
    if not off.size or max(float(np.median(off[-long:])), float(np.median(off[-_ON * long :]))) <= 0.0:
        return None
    return _told(window, peers, row, side)


def _told(window: Window, peers: Peers, row: int, side: int) -> Unlike:
    """Say what a series has been since it was last as its peers are."""
    present = np.isfinite(window.values[row])
    values, times = window.values[row, present], window.times[present]
    lower, upper = float(peers.lower[row]), float(peers.upper[row])
    first = _left(side * (values - (upper if side > 0 else lower)) <= 0.0)
    since, seconds = float(times[first]), float(times[-1] - times[first]) + window.step
    readings, usual = values.size - first, float(peers.usual[row])
    course = Beside(side, float(values[first:].mean()), usual, readings, seconds, since, longer=False)
    return Unlike(course, int(peers.count[row]), 0, lower, upper)


def _asked(metric: BaselineMetric, peers: Peers, row: int, side: int) -> float:
    """Give by how much the most that peers had must be exceeded: by what releases that are all in order do at most.

    A part of it, and where they differ, what four standard deviations of that leave beyond it, with those of their mean. Few say
    little of how much they differ, so two more are added that do by a tenth.
    """
    bound, mean, apart = (peers.upper, peers.highest, peers.above) if side > 0 else (peers.lower, peers.lowest, peers.below)
    count, size = float(peers.count[row]), _size(metric, float(bound[row]), side)
    tenth = _USUAL * size  # multiplied and not raised: of the largest values that is infinite, and no error
    variance = (float(apart[row]) + _BEFORE * tenth * tenth) / (count - 1.0 + _BEFORE)
    differ = _DIFFER * math.sqrt(variance * (1.0 + 1.0 / count)) - abs(float(bound[row] - mean[row]))
    return max(_MUCH * size, differ, _OF_FULL * (metric.scale or 0.0))


def _size(metric: BaselineMetric, bound: float, side: int) -> float:
    """Give how large a bound is: of a share that goes down, as what it lacks; 99 % is ten times as far from all as 99.9 %."""
    of_all = side < 0 and metric.scale is not None and (metric.side < 0 or metric.unit in {"ratio", "percent"})
    return abs(metric.scale - bound) if of_all and metric.scale is not None else abs(bound)


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
