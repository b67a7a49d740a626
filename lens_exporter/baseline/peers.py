"""What pods of a kind have had: of one that is new that is all that is known."""

from collections.abc import Callable

import numpy as np

from lens_exporter.baseline.early import Early
from lens_exporter.baseline.roster import Roster
from lens_exporter.model.window import FloatArray, IntArray, Peers

_HALF_HOUR = 1800.0  # seconds

Means = Callable[[IntArray], FloatArray]  # of some series the means that are remembered, in order of time [bin, series]


def peers_of(roster: Roster, early: Early, means: Means, *, bin_seconds: float) -> Peers:
    """Find what others of its kind had that were there half an hour before it, for each of the young series.

    The highest and the lowest mean of half an hour, of two weeks at most: what a pod has while it starts, at night, and under load
    is in it. One that is gone counts for as long as it is remembered; one that is new itself counts for those that come after it.
    """
    kinds = roster.kind_of
    mine = kinds[early.series]
    found = Peers(mine, np.zeros(mine.size, dtype=np.int64), *np.full((7, mine.size), np.nan))
    of_kind = np.flatnonzero(np.isin(kinds, mine[mine >= 0]))
    of_kind = of_kind[np.argsort(kinds[of_kind], kind="stable")]
    place = np.full(len(roster), -1, dtype=np.int64)
    place[early.series] = np.arange(early.series.size)
    bins = max(1, round(_HALF_HOUR / bin_seconds))
    for series in np.split(of_kind, np.flatnonzero(np.diff(kinds[of_kind])) + 1):
        if series.size > 1:
            _tell(found, place[series], means(series), bins)
    return found


def _tell(found: Peers, places: IntArray, means: FloatArray, bins: int) -> None:
    """Note what those of one kind have had for those of them that are young; places are -1 for the others."""
    there = np.isfinite(means)
    long = np.lib.stride_tricks.sliding_window_view(means, bins, axis=0).mean(axis=2)
    known = np.isfinite(long).any(axis=0)
    born = np.where(known, there.argmax(axis=0), len(means))
    with np.errstate(over="ignore", invalid="ignore"):
        usual = np.nanmean(np.where(known, means, 0.0), axis=0)
    order = np.argsort(born, kind="stable")[: known.sum()]
    least, most = np.fmin.reduce(long[:, order]), np.fmax.reduce(long[:, order])
    before = np.searchsorted(born[order], born - bins, side="right")  # how many were there half an hour before it
    for one, count in zip(places.tolist(), before.tolist(), strict=True):
        if one >= 0 and count:
            low, high = least[:count], most[:count]
            found.count[one], found.usual[one] = count, usual[order[:count]].mean()
            found.lower[one], found.lowest[one], found.below[one] = low.min(), low.mean(), count * low.var()
            found.upper[one], found.highest[one], found.above[one] = high.max(), high.mean(), count * high.var()
