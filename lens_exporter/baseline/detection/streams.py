"""From residuals to scores: three views of one departure, added for each metric and averaged over the worst of a group."""

import math
from dataclasses import dataclass
from functools import partial
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from lens_exporter.baseline.detection.spread import Scale
from lens_exporter.baseline.detection.structure import BoolArray, IntArray, Structure
from lens_exporter.model.window import FloatArray

CAP = 40.0  # of each z: one metric gone mad does not drown the others
EWMA = 0.3  # weight of the newest row in the mean that a jump is measured from
WORST = 5  # metrics whose mean is the group's score
_UNEXPLAINED = 0.5  # weight of the cross-metric stream
_FEW = 8  # series: so many are sooner averaged number by number than row by row
_LASTING = 1.5  # weight of what lasts
_CLIPPED = 5.0  # spreads: one wild reading is not half an hour
_SLACK = 2.0  # spreads: bins that differ by less on a side of what is expected are no edge


@dataclass(frozen=True, slots=True, eq=False)
class Departures:
    """How many of its usual spreads each value departs, [time, series]; 0 where nothing is known, NaN at gaps."""

    residual: FloatArray  # |z| of the residual, not capped
    jump: FloatArray  # |z| of the jump
    standard: FloatArray  # D = (r - mean) / sd, what the cross-metric stream works on


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """What a season says, arrays [series] or [time, series]: base is expected; what lies from low to high is found close by."""

    base: FloatArray
    low: FloatArray
    high: FloatArray

    def at(self, rows: IntArray) -> "Expected":
        """Give it for each of these rows."""
        return Expected(self.base[rows], self.low[rows], self.high[rows])

    def same_as(self, other: "Expected") -> bool:
        """Tell whether both say the same of everything."""
        pairs = ((self.base, other.base), (self.low, other.low), (self.high, other.high))
        return all(np.array_equal(mine, theirs, equal_nan=True) for mine, theirs in pairs)

    def beside_edges(self, scale: Scale) -> "Expected":
        """Keep of what is found close by only what lies more than two spreads inside of it: the rest is noise of the bins.

        A job that ends at 3:20 has left a bin that is neither busy nor idle. In it, and in those beside it, the mean of three bins
        is what nobody ever sees; either side of it is normal.
        """
        slack = np.where(scale.known, _SLACK * scale.r_spread, np.inf)
        return Expected(self.base, np.fmin(self.base, self.low + slack), np.fmax(self.base, self.high - slack))


@dataclass(frozen=True, slots=True, eq=False)
class Unexpected:
    """Residuals r of rows, arrays [time, series]: what of them is learnt (tame) and what is too wild for it (r = tame + wild).

    expected is what they were held against, [time, series], or [series] where it is the same for all rows. found: before which of
    the rows a season was found that explains far more than was known before, and which one of each series [series]; 0: none.
    """

    expected: Expected
    r: FloatArray
    tame: FloatArray
    wild: FloatArray
    found: tuple[tuple[int, NDArray[np.int8]], ...] = ()


def unexpected(values: FloatArray, expected: Expected, scale: Scale) -> Unexpected:
    """Set values [time, series] beside what was expected of them: r is how far they are from the nearest of it."""
    expected = expected.beside_edges(scale)
    r = residuals(values, np.clip(values, expected.low, expected.high))
    tame = scale.tamed(r)
    return Unexpected(expected, r, tame, r - tame)


def residuals(values: FloatArray, base: FloatArray) -> FloatArray:
    """Give r, values [time, series] without what was expected of them; 0 where that is not known, NaN at gaps."""
    r = values - base
    unknown: BoolArray = ~np.isfinite(base)
    if unknown.any():
        r[np.isfinite(values) & unknown] = 0.0
    return r


def jumps(r: FloatArray, tame: FloatArray, before: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Give e_t = r_t - EWMA of the rows before t, [time, series], and the EWMA [series] afterwards. A gap changes nothing.

    tame are the residuals that the mean learns: what lies beyond all reach would be a jump back for hours.
    """
    means = averages(tame, before, EWMA)
    return r - means[:-1], means[-1].copy()


def averages(rows: FloatArray, before: FloatArray, weight: float) -> FloatArray:
    """Give the EWMA before each of rows [time, series] and after the last, [time + 1, series]. A gap (NaN) changes nothing."""
    means = np.empty((len(rows) + 1, before.size))
    if before.size <= _FEW:
        for column, mean in enumerate(before.tolist()):
            means[:, column] = list(accumulate(rows[:, column].tolist(), partial(_moved, weight), initial=mean))
        return means
    means[0] = before
    gaps: BoolArray = np.isnan(rows)
    some: BoolArray = np.logical_or.reduce(gaps, axis=1)
    for row, mean, after, gap, any_gap in zip(rows, means[:-1], means[1:], gaps, some, strict=True):  # m + w (x - m), in place
        np.subtract(row, mean, after)
        np.multiply(after, weight, after)
        np.add(after, mean, after)
        if any_gap:
            np.copyto(after, mean, where=gap)
    return means


def _moved(weight: float, mean: float, value: float) -> float:
    return mean if math.isnan(value) else mean + weight * (value - mean)


def departures(r: FloatArray, e: FloatArray, scale: Scale) -> Departures:
    """Measure residuals and jumps [time, series] in the usual spreads of their series."""
    off = r - scale.r_mean
    residual = np.abs(off) * (scale.trust / scale.r_spread)
    jump = np.abs(e - scale.e_mean) * (scale.trust / scale.e_spread)
    standard = off * np.where(scale.known, 1.0 / scale.r_sd, 0.0)
    return Departures(residual, jump, standard)


def with_missing(found: Departures, steady: BoolArray) -> Departures:
    """Score a missing value of a steady series [series], one that is seldom missing, as the largest departure there is."""
    gone = np.isnan(found.residual) & steady
    return Departures(np.where(gone, CAP, found.residual), np.where(gone, CAP, found.jump), found.standard)


def scores(found: Departures, structures: tuple[Structure, ...], groups: int) -> tuple[FloatArray, FloatArray]:
    """Score each metric and each group.

    A metric's is s = min(z_r, 40) + min(z_e, 40) + 0.5 min(z_p, 40), [time, series]; NaN at gaps. A group's is h, the mean of its
    five highest metric scores (of all, if fewer), [time, groups]; NaN if all are gaps.
    """
    own = np.minimum(found.residual, CAP)
    own += np.minimum(found.jump, CAP)
    ours = np.full((own.shape[0], groups), np.nan)
    for structure in structures:
        members, filled = structure.slots.members, structure.slots.filled
        member = np.take(own, members, axis=1)
        if structure.fitted:
            standard = np.where(filled, np.take(found.standard, members, axis=1), 0.0)
            member += _UNEXPLAINED * np.minimum(structure.unexplained(standard), CAP)
            own[:, members[filled]] = member[:, filled]
        ours[:, structure.slots.groups] = _mean_of_worst(np.where(filled, member, np.nan))
    return own, ours


def _mean_of_worst(member: FloatArray) -> FloatArray:
    gaps = np.isnan(member)
    count = np.minimum(member.shape[2] - gaps.sum(axis=2), WORST)
    present = np.where(gaps, 0.0, member)
    highest = np.partition(present, -WORST, axis=2)[:, :, -WORST:] if member.shape[2] > WORST else present
    mean: FloatArray = np.where(count > 0, highest.sum(axis=2) / np.maximum(count, 1), np.nan)
    return mean


def lasting(scores: FloatArray, recent: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Give G = h + 1.5 x root mean square of min(h, 40) over the last half hour, [time, groups], and its rows afterwards.

    recent [rows, groups] are the scores h just before; NaN rows count for nothing. The mean square, not the mean: half an hour
    with one wild row is further from normal than half an hour of slight ones.
    """
    if not scores.shape[1]:
        return scores, recent
    length = recent.shape[0]
    both = np.concatenate([recent, scores], axis=0)
    squares = np.where(np.isfinite(both), np.minimum(both, CAP), 0.0) ** 2
    present = np.isfinite(both).astype(np.float64)
    means = np.empty_like(scores)
    for row in range(scores.shape[0]):  # row by row, so that a row's mean does not depend on the block it came in
        window = slice(row + 1, row + 1 + length)
        means[row] = squares[window].sum(axis=0) / np.maximum(present[window].sum(axis=0), 1.0)
    return scores + _LASTING * np.sqrt(means), both[scores.shape[0] :].copy()


def enduring(departed: FloatArray, square: FloatArray, weight: float) -> tuple[FloatArray, FloatArray]:
    """Give q = s + 1.5 x root mean square of s over about half an hour, [time, series], and the mean square [series] afterwards.

    departed are the scores s, NaN at gaps: those change nothing. weight is the newest row's in the mean.
    """
    squares = averages(departed * departed, square, weight)
    return departed + _LASTING * np.sqrt(squares[1:]), squares[-1].copy()


def slow(z: FloatArray, before: FloatArray, weight: float) -> tuple[FloatArray, FloatArray]:
    """Give the mean departure over about half an hour, with its sign, [time, series], and the last of it [series].

    The EWMA of z, at most 5 to either side, in standard deviations of such a mean of white noise, sqrt(weight / (2 - weight)).
    z are departures in spreads, NaN at gaps: those change nothing. weight is the newest row's.
    """
    means = averages(np.clip(z, -_CLIPPED, _CLIPPED) / of_a_mean(weight), before, weight)
    return means[1:], means[-1].copy()


def of_a_mean(weight: float) -> float:
    """Give the standard deviation of an EWMA of white noise of 1."""
    return math.sqrt(weight / (2.0 - weight))


def unmasked(present: BoolArray, masked: BoolArray, membership: IntArray) -> BoolArray:
    """Tell which values are learnt: those present [time, series] that the mask of their group [time, groups] does not keep out."""
    if not masked.any():
        return present
    learnt: BoolArray = present & ~(masked[:, np.maximum(membership, 0)] & (membership >= 0))
    return learnt
