"""What pods of a kind have had: of one that is new that is all that is known."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from lens_exporter.baseline.early import Early
from lens_exporter.baseline.roster import Roster
from lens_exporter.model.window import BoolArray, FloatArray, IntArray, Peers

_HALF_HOUR = 1800.0  # seconds
_BOTH = 2  # bins
_AT_ONCE = 256  # series whose memory is looked through

Means = Callable[[IntArray], FloatArray]  # of some series the means that are remembered, in order of time [bin, series]


@dataclass(frozen=True, slots=True, eq=False)
class _Pasts:
    """What is remembered of some series, arrays [series]: none of it where `known` is False."""

    known: BoolArray
    born: IntArray  # the first bin with a value
    bins: IntArray  # since then
    usual: FloatArray
    least: FloatArray  # mean of half an hour
    most: FloatArray


@np.errstate(over="ignore", invalid="ignore")  # of the largest values sums are infinite
def peers_of(roster: Roster, early: Early, means: Means, *, bin_seconds: float) -> Peers:
    """Find what others of its kind had that were there half an hour before it, for each of the young series.

    The highest and the lowest mean of half an hour, of two weeks at most: what a pod has while it starts, at night, and under load
    is in it. One that is gone counts for as long as it is remembered; one that is new itself counts for those that come after it.
    """
    of_all = roster.kinds()
    mine = of_all.kind[early.series]
    found = Peers(of_all.family[early.series], np.zeros(mine.size, dtype=np.int64), *np.full((8, mine.size), np.nan))
    of_kind = np.flatnonzero(np.isin(of_all.kind, mine[mine >= 0]))
    if of_kind.size == 0:
        return found
    of_kind = of_kind[np.lexsort((of_all.pod[of_kind], of_all.kind[of_kind]))]
    kinds, pods = of_all.kind[of_kind], of_all.pod[of_kind]
    place = np.full(len(roster), -1, dtype=np.int64)
    place[early.series] = np.arange(early.series.size)
    places = place[of_kind]
    bins = max(1, round(_HALF_HOUR / bin_seconds))
    chunks = [_pasts(means(of_kind[first : first + _AT_ONCE]), bins) for first in range(0, of_kind.size, _AT_ONCE)]
    pasts = _Pasts(*(np.concatenate([getattr(chunk, one.name) for chunk in chunks]) for one in fields(_Pasts)))
    for one in _runs(kinds):
        if _of_pods(of_kind[one], pods[one], means):
            _tell(found, places[one], pods[one], _Pasts(*(getattr(pasts, each.name)[one] for each in fields(_Pasts))), bins)
    young = places >= 0
    found.age[places[young]] = pasts.bins[young] * bin_seconds
    return found


def _runs(numbers: IntArray) -> list[slice]:
    """Give the parts of sorted numbers that are equal."""
    ends = [*(np.flatnonzero(np.diff(numbers)) + 1).tolist(), numbers.size]
    return [slice(first, end) for first, end in zip([0, *ends[:-1]], ends, strict=True)]


def _of_pods(series: IntArray, pods: IntArray, means: Means) -> bool:
    """Tell whether these series of a kind, sorted by their pods, are one of each pod at a time.

    A container that is started again is another series, by its id; a bin or two may know both. Where a pod has several at once, a
    label tells something else than pods apart: nodes that an exporter tells of, hosts of an ingress.
    """
    several = (one for one in _runs(pods) if one.stop - one.start > 1)
    return all(np.count_nonzero(np.isfinite(means(series[one])).sum(axis=1) > 1) <= _BOTH for one in several)


def _pasts(means: FloatArray, bins: int) -> _Pasts:
    """Sum up means [bin, series] in order of time; half an hour is so many bins."""
    there = np.isfinite(means)
    long = sum(means[first : len(means) - bins + 1 + first] for first in range(bins)) / bins
    least, most = np.fmin.reduce(long), np.fmax.reduce(long)
    known = np.isfinite(least)
    born = np.where(there.any(axis=0), there.argmax(axis=0), len(means))
    usual = np.where(there, means, 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    return _Pasts(known, born, len(means) - born, usual, least, most)


def _tell(found: Peers, places: IntArray, pods: IntArray, pasts: _Pasts, bins: int) -> None:
    """Note what those of one kind have had for those of them that are young; places are -1 for the others.

    What a pod had before its container was started again is a measure like what others had.
    """
    order = np.argsort(pasts.born, kind="stable")
    order = order[pasts.known[order]]
    if not order.size:
        return
    before = np.searchsorted(pasts.born[order], pasts.born - bins, side="right")  # how many were there half an hour before it
    here = (places >= 0) & (before > 0)
    to, last = places[here], before[here] - 1
    other = np.zeros(order.size, dtype=np.int64)
    other[np.unique(pods[order], return_index=True)[1]] = 1
    found.count[to] = np.add.accumulate(other)[last]
    found.usual[to] = (np.add.accumulate(pasts.usual[order]) / np.arange(1, order.size + 1))[last]
    least, most = pasts.least[order], pasts.most[order]
    found.lower[to], found.upper[to] = np.minimum.accumulate(least)[last], np.maximum.accumulate(most)[last]
    found.lowest[to], found.below[to] = (one[last] for one in _spread(least))
    found.highest[to], found.above[to] = (one[last] for one in _spread(most))


def _spread(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Give mean and sum of squares around it of the first values, of the first two, and so on [value]."""
    counted, off = np.arange(1, values.size + 1), values - values[0]
    total = np.add.accumulate(off)
    return values[0] + total / counted, np.maximum(np.add.accumulate(off * off) - total * total / counted, 0.0)
