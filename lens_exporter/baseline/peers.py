"""What pods of a kind have had: of one that is new that is all that is known."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from lens_exporter.baseline.early import Early
from lens_exporter.baseline.roster import Roster
from lens_exporter.model.window import FloatArray, IntArray, Peers

_HALF_HOUR = 1800.0  # seconds
_SHARED = 4  # bins that may know a container and the one that was started after it: a query looks back for as long as its range
_AT_ONCE = 256  # series whose memory is looked through
_SOME = 8  # series of one pod that are looked at first: of ten thousand volumes few have to be

Means = Callable[[IntArray], FloatArray]  # of some series the means that are remembered, in order of time [bin, series]


@dataclass(frozen=True, slots=True, eq=False)
class _Pasts:
    """What is remembered of some series, or pods, arrays [of them]. least and most are NaN where there is no half hour."""

    ago: IntArray  # bins since the first with a value
    bins: IntArray  # that have one
    total: FloatArray  # of their means
    least: FloatArray  # mean of half an hour
    most: FloatArray

    def of_pods(self, begins: IntArray) -> "_Pasts":
        """Put together the series of each pod, which follow one another from those places on."""
        reduced = zip(fields(self), (np.maximum, np.add, np.add, np.fmin, np.fmax), strict=True)
        return _Pasts(*(how.reduceat(getattr(self, one.name), begins) for one, how in reduced))


@np.errstate(over="ignore", invalid="ignore")  # of the largest values sums are infinite
def peers_of(roster: Roster, early: Early, means: Means, *, bin_seconds: float) -> Peers:
    """Find what other pods of its kind had that were there half an hour before its own, for each of the young series.

    The highest and the lowest mean of half an hour, of two weeks at most: what a pod has while it starts, at night, and under load
    is in it. One that is gone counts for as long as it is remembered; one that is new itself counts for those that come after it.
    A container that is started again is another series of a pod that is as old as before.
    """
    of_all = roster.kinds()
    mine = of_all.kind[early.series]
    found = Peers(of_all.family[early.series], np.zeros(mine.size, dtype=np.int64), *np.full((8, mine.size), np.nan))
    of_kind = np.flatnonzero(np.isin(of_all.kind, mine[mine >= 0]))
    if not of_kind.size:
        return found
    of_kind = of_kind[np.lexsort((of_all.pod[of_kind], of_all.kind[of_kind]))]
    place = np.full(len(roster), -1, dtype=np.int64)
    place[early.series] = np.arange(early.series.size)
    bins = max(1, round(_HALF_HOUR / bin_seconds))
    for one in _runs(of_all.kind[of_kind]):
        series, pods = of_kind[one], of_all.pod[of_kind[one]]
        if pods[0] == pods[-1] or not _one_at_a_time(series, pods, means):
            continue
        begins = np.flatnonzero(np.diff(pods, prepend=-1))
        pasts = _pasts(series, means, bins).of_pods(begins)
        young = place[series] >= 0
        of_pod = np.searchsorted(begins, np.flatnonzero(young), side="right") - 1
        found.age[place[series][young]] = pasts.ago[of_pod] * bin_seconds
        _tell(found, place[series][young], of_pod, pasts, bins)
    return found


def _runs(numbers: IntArray) -> list[slice]:
    """Give the parts of sorted numbers that are equal."""
    begins = np.flatnonzero(np.diff(numbers, prepend=-1)).tolist()
    return [slice(first, end) for first, end in zip(begins, [*begins[1:], numbers.size], strict=True)]


def _one_at_a_time(series: IntArray, pods: IntArray, means: Means) -> bool:
    """Tell whether these series of a kind, sorted by their pods, are one after another of each pod.

    Some bins may know both of two containers. Where a pod has several series at once a unique label tells them apart that is
    none of a container.
    """
    for one in _runs(pods):
        mine = series[one]
        if mine.size > 1:
            parts = (mine[:_SOME], mine) if mine.size > _SOME else (mine,)
            if any(_together(part, means) > _SHARED * (part.size - 1) for part in parts):
                return False
    return True


def _together(series: IntArray, means: Means) -> int:
    """Count the bins in which a series of a pod is not the only one, once for each more."""
    there = sum(np.isfinite(means(series[first : first + _AT_ONCE])).sum(axis=1) for first in range(0, series.size, _AT_ONCE))
    return int(np.maximum(there - 1, 0).sum())


def _pasts(series: IntArray, means: Means, bins: int) -> _Pasts:
    """Sum up what is remembered of series; half an hour is so many bins."""
    chunks = [_past(means(series[first : first + _AT_ONCE]), bins) for first in range(0, series.size, _AT_ONCE)]
    return _Pasts(*(np.concatenate([getattr(chunk, one.name) for chunk in chunks]) for one in fields(_Pasts)))


def _past(means: FloatArray, bins: int) -> _Pasts:
    """Sum up means [bin, series] in order of time."""
    there = np.isfinite(means)
    long = sum(means[first : len(means) - bins + 1 + first] for first in range(bins)) / bins
    ago = np.where(there.any(axis=0), len(means) - there.argmax(axis=0), 0)
    total = np.where(there, means, 0.0).sum(axis=0)
    return _Pasts(ago, there.sum(axis=0), total, np.fmin.reduce(long), np.fmax.reduce(long))


def _tell(found: Peers, young: IntArray, of_pod: IntArray, pasts: _Pasts, bins: int) -> None:
    """Note what others of one kind have had for those that are young; of_pod are the places of their pods among pasts."""
    order = np.argsort(-pasts.ago, kind="stable")
    order = order[np.isfinite(pasts.least[order])]
    # How many were there half an hour before it.
    before = np.searchsorted(-pasts.ago[order], -pasts.ago[of_pod] - bins, side="right")
    to, last = young[before > 0], before[before > 0] - 1
    if not to.size:
        return
    found.count[to] = last + 1
    usual = pasts.total[order] / pasts.bins[order]
    found.usual[to] = (np.add.accumulate(usual) / np.arange(1, order.size + 1))[last]
    least, most = pasts.least[order], pasts.most[order]
    found.lower[to], found.upper[to] = np.minimum.accumulate(least)[last], np.maximum.accumulate(most)[last]
    found.lowest[to], found.below[to] = (one[last] for one in _spread(least))
    found.highest[to], found.above[to] = (one[last] for one in _spread(most))


def _spread(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Give mean and sum of squares around it of the first values, of the first two, and so on [value]."""
    counted, off = np.arange(1, values.size + 1), values - values[0]
    total = np.add.accumulate(off)
    return values[0] + total / counted, np.maximum(np.add.accumulate(off * off) - total * total / counted, 0.0)
