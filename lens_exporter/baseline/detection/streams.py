"""From residuals to scores: three views of one departure, added for each metric and averaged over the worst of a group."""

from dataclasses import dataclass

import numpy as np

from lens_exporter.baseline.detection.spread import Scale
from lens_exporter.baseline.detection.structure import BoolArray, Slots, Structure
from lens_exporter.model.window import FloatArray

CAP = 40.0  # of each z: one metric gone mad does not drown the others
EWMA = 0.3  # weight of the newest row in the mean that a jump is measured from
WORST = 5  # metrics whose mean is the group's score
_UNEXPLAINED = 0.5  # weight of the cross-metric stream


@dataclass(frozen=True, slots=True, eq=False)
class Departures:
    """z of the residual and of its jump, [time, series]; 0 where nothing is known, NaN at gaps."""

    residual: FloatArray  # signed, in spreads, not capped
    jump: FloatArray
    standard: FloatArray  # D = (r - mean) / sd, what the cross-metric stream works on; 0 at gaps


def jumps(r: FloatArray, before: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Give e_t = r_t - EWMA of the rows before t, [time, series], and the EWMA [series] afterwards. A gap changes nothing."""
    e = np.empty_like(r)
    mean = before
    for row in range(r.shape[0]):
        e[row] = r[row] - mean
        mean = np.where(np.isfinite(r[row]), mean + EWMA * (r[row] - mean), mean)
    return e, mean


def departures(r: FloatArray, e: FloatArray, scale: Scale) -> Departures:
    """Measure residuals and jumps [time, series] in the usual spreads of their series."""
    known = scale.known
    residual = np.where(known, (r - scale.r_mean) / scale.r_spread, 0.0)
    jump = np.where(known, (e - scale.e_mean) / scale.e_spread, 0.0)
    standard = np.where(known, np.nan_to_num((r - scale.r_mean) / scale.r_sd), 0.0)
    gap = np.isnan(r)
    return Departures(np.where(gap, np.nan, residual), np.where(gap, np.nan, jump), standard)


def with_missing(found: Departures, steady: BoolArray) -> Departures:
    """Score a missing value of a steady series [series], one that is seldom missing, as the largest departure there is."""
    gone = np.isnan(found.residual) & steady
    return Departures(np.where(gone, CAP, found.residual), np.where(gone, CAP, found.jump), found.standard)


def metric_scores(found: Departures, structures: tuple[Structure, ...]) -> FloatArray:
    """Give s = min(z_r, 40) + min(z_e, 40) + 0.5 min(z_p, 40) of each metric, [time, series]; NaN at gaps."""
    scores: FloatArray = np.minimum(np.abs(found.residual), CAP) + np.minimum(np.abs(found.jump), CAP)
    for structure in structures:
        members, filled = structure.slots.members, structure.slots.filled
        unexplained = np.minimum(structure.unexplained(np.where(filled, found.standard[:, members], 0.0)), CAP)
        scores[:, members[filled]] += _UNEXPLAINED * unexplained[:, filled]
    return scores


def group_scores(scores: FloatArray, slots: tuple[Slots, ...], groups: int) -> FloatArray:
    """Give h, the mean of the five highest metric scores (of all, if fewer) of each group, [time, groups]; NaN if all are gaps."""
    found = np.full((scores.shape[0], groups), np.nan)
    for one in slots:
        member = np.where(one.filled, scores[:, one.members], np.nan)
        count = np.minimum(np.isfinite(member).sum(axis=2), WORST)
        present = np.where(np.isfinite(member), member, -1.0)
        worst = min(WORST, present.shape[2])
        highest = np.partition(present, present.shape[2] - worst, axis=2)[:, :, present.shape[2] - worst :]
        total = np.where(highest >= 0.0, highest, 0.0).sum(axis=2)
        found[:, one.groups] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return found


def lasting(scores: FloatArray, recent: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Give G = h + mean of min(h, 40) over the rows of the last half hour, [time, groups], and those rows afterwards.

    recent [rows, groups] are the scores h just before; NaN rows count for nothing.
    """
    length = recent.shape[0]
    both = np.concatenate([recent, scores], axis=0)
    capped = np.where(np.isfinite(both), np.minimum(both, CAP), 0.0)
    present = np.isfinite(both).astype(np.float64)
    means = np.empty_like(scores)
    for row in range(scores.shape[0]):  # row by row, so that a row's mean does not depend on the block it came in
        window = slice(row + 1, row + 1 + length)
        means[row] = capped[window].sum(axis=0) / np.maximum(present[window].sum(axis=0), 1.0)
    return scores + means, both[scores.shape[0] :]


def masked_members(masked: BoolArray, membership: np.ndarray) -> BoolArray:
    """Spread the masks of groups [time, groups] to their series [time, series]; a lone series is never masked."""
    if masked.shape[1] == 0:
        return np.zeros((masked.shape[0], membership.size), dtype=np.bool_)
    return masked[:, np.maximum(membership, 0)] & (membership >= 0)
