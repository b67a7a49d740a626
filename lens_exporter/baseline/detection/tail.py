"""How rare a distance is: a Pareto tail over the largest distances of the past."""

import math
from dataclasses import dataclass

import numpy as np

from lens_exporter.baseline.detection.sortedrows import Float32Array, IntArray, rows_of
from lens_exporter.model.window import FloatArray

_KEPT = 5  # times as many of the largest distances as the fit takes, so that it has enough when the block of many of them leaves
_ONE_IN = 200  # the tail begins where one distance in so many is larger: the 99.5 % quantile
_FEWEST = 5  # exceedances that a tail is fitted to at least
_ENOUGH = 25  # distances to fit a tail to
_PRIOR_COUNT = 5.0  # pseudo-exceedances that pull the exponent towards the prior
_PRIOR_EXPONENT = 3.0
_STEEPEST = 20.0  # no exponent beyond: a few nearly equal exceedances prove no steeper tail
_TINY = 1e-38  # the least scale: of a series that rests at zero
_DECADES = math.log10(2.0)  # of an octave
_RAREST = 30.0  # decimal orders of magnitude; a rarer distance counts as this rare


def exceedances(rows: int) -> int:
    """How many of the largest distances among so many the tail is fitted to."""
    return max(_FEWEST, rows // _ONE_IN)


class Largest:
    """The largest distances of the last `blocks` blocks per series [series, rank], in no order; 0 where there are fewer.

    As in SortedRows the lowest bits of a distance say which block it is from. What was crowded out does not come back when a
    block leaves. So the largest k are exact unless more than four in five of those kept leave within one memory.
    """

    def __init__(self, series: int, *, blocks: int, rows: int) -> None:
        self._blocks = blocks
        self._tags = np.uint32((1 << (blocks - 1).bit_length()) - 1)
        self._kept = np.zeros((series, _KEPT * exceedances(rows)), dtype=np.float32)
        self._least = np.zeros(series, dtype=np.float32)  # of those kept

    def offer(self, distances: Float32Array, block: int) -> None:
        """Let distances [series, time] of a block in, 0 for none."""
        tagged = (distances.view(np.uint32) & ~self._tags | np.uint32(block % self._blocks)).view(np.float32)
        better = np.flatnonzero(tagged.max(axis=1) > self._least)
        if better.size:
            both = np.concatenate((self._kept[better], tagged[better]), axis=1)
            time = distances.shape[1]
            kept = np.partition(both, time, axis=1)[:, time:]
            self._kept[better], self._least[better] = kept, kept[:, 0]

    def falling(self, series: IntArray) -> FloatArray:
        """Give the distances [series, rank] of these series, largest first."""
        cleared = (self._kept[series].view(np.uint32) & ~self._tags).view(np.float32)
        return np.sort(cleared, axis=1)[:, ::-1].astype(np.float64)

    def drop(self, block: int) -> None:
        """Forget the distances of this block."""
        self._kept[self._kept.view(np.uint32) & self._tags == np.uint32(block % self._blocks)] = 0.0
        self._least = self._kept.min(axis=1)

    def take(self, indices: IntArray) -> "Largest":
        """Give these series; -1 is one that has shown nothing."""
        taken = Largest(0, blocks=self._blocks, rows=0)
        taken._kept, taken._least = rows_of(self._kept, indices, 0.0), rows_of(self._least, indices, 0.0)
        return taken


@dataclass(frozen=True, slots=True, eq=False)
class Tail:
    """P(distance > x) per series: share (x / scale)^-exponent above the scale; all arrays [series], NaN where not known yet.

    Below the scale the log-logistic curve that meets the Pareto tail there in value and slope and reaches 1 at zero stands for
    the empirical distribution: alarms live in the tail, and this way no other distance has to be kept.
    """

    scale: FloatArray
    exponent: FloatArray
    share: FloatArray

    def rarity(self, distances: FloatArray) -> FloatArray:
        """Give -log10 P(distance > x) for x [series, time]; NaN where x or the tail is not known."""
        # In octaves: powers and logarithms of two take the processor half as long as those of ten.
        exponent, share = self.exponent[:, None], self.share[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            octaves = np.log2(np.ascontiguousarray(distances)) - np.log2(self.scale[:, None])
            body = np.log2(1.0 + (1.0 / share - 1.0) * np.exp2(exponent / (1.0 - share) * np.minimum(octaves, 0.0)))
        rarity: FloatArray = np.minimum(_DECADES * (body + exponent * np.maximum(octaves, 0.0)), _RAREST)
        return rarity

    def with_rows(self, indices: IntArray, other: "Tail") -> "Tail":
        """Give this with the series at indices as in the other, which has only those."""
        changed = self.take(np.arange(len(self.scale)))
        for mine, theirs in ((changed.scale, other.scale), (changed.exponent, other.exponent), (changed.share, other.share)):
            mine[indices] = theirs
        return changed

    def take(self, indices: IntArray) -> "Tail":
        """Give these series; -1 is one whose tail is not known."""
        return Tail(*(rows_of(each, indices, np.nan) for each in (self.scale, self.exponent, self.share)))


def unknown(series: int) -> Tail:
    """Give the tail of series that have shown too little."""
    nothing = np.full(series, np.nan)
    return Tail(nothing, nothing, nothing)


def fit(largest: FloatArray, count: IntArray, floor: FloatArray) -> Tail:
    """Fit a tail per series by Hill's estimator (1975), shrunk towards a prior exponent.

    largest [series, rank]: the largest distances, falling, at least exceedances(count) of them (0 where there are fewer);
    count [series]: how many distances they are the largest of; floor [series]: the least scale.
        k = max(5, count / 200), scale = k-th largest (the floor, if that is larger),
        exponent = (k + 5) / (sum of ln(x_j / scale) over the k largest + 5 / 3), at most 20; only those that reach the scale count.
    With fewer than 25 distances the tail stays unknown.
    """
    wanted = np.maximum(_FEWEST, count // _ONE_IN)
    kth = np.take_along_axis(largest, np.minimum(wanted, largest.shape[1])[:, None] - 1, axis=1)[:, 0]
    scale = np.maximum(np.maximum(kth, floor), _TINY)
    inside = (np.arange(largest.shape[1]) < wanted[:, None]) & (largest >= scale[:, None])
    excess = np.log(np.where(inside, largest / scale[:, None], 1.0)).sum(axis=1)
    exponent = np.minimum((inside.sum(axis=1) + _PRIOR_COUNT) / (excess + _PRIOR_COUNT / _PRIOR_EXPONENT), _STEEPEST)
    share = wanted / np.maximum(count, 1)
    known = count >= _ENOUGH
    return Tail(*(np.where(known, each, np.nan) for each in (scale, exponent, share)))
