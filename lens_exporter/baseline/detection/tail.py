"""How rare a distance is: a Pareto tail over the largest distances of the past."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lens_exporter.model.window import FloatArray

_ONE_IN = 200  # the tail begins where one distance in so many is larger: the 99.5 % quantile
_FEWEST = 5  # exceedances that a tail is fitted to at least
_PRIOR_COUNT = 5.0  # pseudo-exceedances that pull the exponent towards the prior
_PRIOR_EXPONENT = 3.0
_STEEPEST = 20.0  # no exponent beyond: a few nearly equal exceedances prove no steeper tail
_TINY = 1e-300  # the least scale: of a series that rests at zero
_RAREST = 30.0  # decimal orders of magnitude; a rarer distance counts as this rare


def exceedances(rows: int) -> int:
    """How many of the largest distances among so many the tail is fitted to."""
    return max(_FEWEST, rows // _ONE_IN)


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
        scale, exponent, share = self.scale[:, None], self.exponent[:, None], self.share[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            decades = np.log10(np.ascontiguousarray(distances)) - np.log10(scale)
            body = np.log10(1.0 + (1.0 / share - 1.0) * 10.0 ** (exponent / (1.0 - share) * np.minimum(decades, 0.0)))
        rarity: FloatArray = np.minimum(body + exponent * np.maximum(decades, 0.0), _RAREST)
        return rarity

    def take(self, indices: NDArray[np.intp]) -> "Tail":
        """Give these series; -1 is one whose tail is not known."""
        known = indices >= 0
        return Tail(*(np.where(known, each[indices], np.nan) for each in (self.scale, self.exponent, self.share)))


def unknown(series: int) -> Tail:
    """Give the tail of series that have shown too little."""
    nothing = np.full(series, np.nan)
    return Tail(nothing, nothing, nothing)


def fit(largest: FloatArray, count: NDArray[np.int64], floor: FloatArray) -> Tail:
    """Fit a tail per series by Hill's estimator (1975), shrunk towards a prior exponent.

    largest [series, rank]: the largest distances, falling, at least exceedances(count) of them (0 where there are fewer);
    count [series]: how many distances they are the largest of; floor [series]: the least scale.
        k = max(5, count / 200), scale = k-th largest,
        exponent = (k + 5) / (sum of ln(x_j / scale) over the k largest + 5 / 3), at most 20.
    With fewer than 2 x 5 distances the tail stays unknown.
    """
    wanted = np.maximum(_FEWEST, count // _ONE_IN)
    kth = np.take_along_axis(largest, np.minimum(wanted, largest.shape[1])[:, None] - 1, axis=1)[:, 0]
    scale = np.maximum(np.maximum(kth, floor), _TINY)
    inside = np.arange(largest.shape[1]) < wanted[:, None]
    excess = np.log(np.where(inside, np.maximum(largest / scale[:, None], 1.0), 1.0)).sum(axis=1)
    exponent = np.minimum((wanted + _PRIOR_COUNT) / (excess + _PRIOR_COUNT / _PRIOR_EXPONENT), _STEEPEST)
    share = wanted / np.maximum(count, 1)
    known = count >= 2 * _FEWEST
    return Tail(*(np.where(known, each, np.nan) for each in (scale, exponent, share)))
