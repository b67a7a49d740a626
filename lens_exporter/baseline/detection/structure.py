"""The metrics of a group that move together: what of a departure the others do not explain."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lens_exporter.baseline.detection.pairs import Pairs
from lens_exporter.model.window import FloatArray

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
_KEPT_TRACE = 0.9  # components are taken until they hold this part of the variance
_LEAST_LEFT = 0.1  # floor of what a metric usually leaves unexplained, in its standard deviations
_FORGETS = 168.0  # hours
_FEWEST = 3  # members: two explain one another completely
_AT_ONCE = 16  # rows that are added together
_UNSEEN = 0.01  # of a variance: how far what the gaps may hide is held back where the values that are there hardly tell it
MOST = 64  # members: more cost the cube of their number, and are judged without this stream


@dataclass(frozen=True, slots=True, eq=False)
class Slots:
    """Groups of about one size. members [groups, size] are indices of series, -1 where a group is smaller."""

    groups: IntArray  # which group each row is
    members: IntArray

    @property
    def filled(self) -> BoolArray:
        return self.members >= 0


class Structure:
    """Principal components of the residuals of each group in one Slots, with exponential forgetting of a week.

    C_ij = E(r_i r_j) - E r_i E r_j over rows counted for both, by sd_i sd_j; D = (r - mean) / sd; the q leading eigenvectors U_q
    hold 90 % of the trace; p = D - U_q U_q' D; z_i = |p_i| / max(0.1, sqrt(sum over j > q of U_ij^2 w_j)).
    The stream of Jackson and Mudholkar's residual analysis (Technometrics 21, 1979), kept per metric.

    A gap is no reading at 0. In C each pair has the rows that both were there in, and weighs less where those are a few of many. In
    D a gap is what U_q makes of the values that are there (least squares: P D = D in the gaps, P = U_q U_q'); its own z is 0.
    """

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        groups, size = slots.members.shape
        self.active = _FEWEST <= size <= MOST
        kept = (groups, size) if self.active else (0, 0)
        self.count = np.zeros(kept)
        self.first = np.zeros(kept)
        self.second = np.zeros((*kept, kept[1]))
        self.pairs = Pairs()
        self.projector = np.zeros((*kept, kept[1]))
        self.left = np.ones(kept)
        self.fitted = False
        self.waiting: list[FloatArray] = []  # rows [time, groups, size] that the sums do not hold yet

    def learn(self, r: FloatArray, learnt: BoolArray) -> None:
        """Add rows [time, series] of the running hour; learnt marks values that are neither gaps nor kept out."""
        if self.active:
            members, filled = self.slots.members, self.slots.filled
            known = np.take(learnt, members, axis=1) & filled
            self.waiting.append(np.where(known, np.take(r, members, axis=1), np.nan))
            if sum(map(len, self.waiting)) >= _AT_ONCE:
                self.fold()

    def forget(self, hours: int) -> None:
        """Let so many hours go by, before the rows that follow them."""
        self.fold()
        keep = np.exp(-hours / _FORGETS)
        self.count *= keep
        self.first *= keep
        self.second *= keep
        self.pairs.forget(keep)

    def fold(self) -> None:
        """Add the rows that wait to the sums."""
        if self.waiting:
            rows = np.concatenate(self.waiting).transpose(1, 0, 2)  # [groups, time, size]
            self.waiting = []
            known = np.isfinite(rows)
            rows = np.where(known, rows, 0.0)
            self.pairs.learn(rows, known, self.slots.filled, self.count, self.first)
            self.count += known.sum(axis=1)
            self.first += rows.sum(axis=1)
            self.second += rows.transpose(0, 2, 1) @ rows

    def inherit(self, row: int, old: "Structure", there: int, source: IntArray) -> None:
        """Take over what another structure knows of the group in its row `there`; source [size] are its columns, -1 for none."""
        if not (self.active and old.active):
            return
        old.fold()
        known = np.flatnonzero(source >= 0)
        columns = source[known]
        self.count[row, known] = old.count[there, columns]
        self.first[row, known] = old.first[there, columns]
        self.left[row, known] = old.left[there, columns]
        if old.pairs.kept is not None or known.size < self.slots.filled[row].sum():
            self.pairs.keep(self.count, self.first)
        sums = [(self.second, old.second[there]), (self.projector, old.projector[there])]
        if self.pairs.kept is not None:
            sums += zip(self.pairs.kept, old.pairs.of(there, old.count, old.first), strict=True)
        for mine, theirs in sums:
            mine[row][np.ix_(known, known)] = theirs[np.ix_(columns, columns)]
        self.fitted |= old.fitted

    def fit(self, sd: FloatArray) -> None:
        """Find the components. sd [series] is the standard deviation of each series' residual."""
        self.fold()
        if not self.count.any():
            return
        scale = np.where(self.slots.filled, sd[self.slots.members], 1.0)
        correlation = self.pairs.covariance(self.second, self.count, self.first)
        correlation /= scale[:, :, None] * scale[:, None, :]
        weights, vectors = np.linalg.eigh(np.nan_to_num(correlation))
        weights = np.maximum(weights, 0.0)
        total = weights.sum(axis=1, keepdims=True)
        # Ascending order: what is left out comes first, the components that hold 90 % of the trace last.
        beyond = np.cumsum(weights[:, ::-1], axis=1)[:, ::-1] - weights
        leading = beyond < _KEPT_TRACE * total
        kept = vectors * leading[:, None, :]
        self.projector = kept @ kept.transpose(0, 2, 1)
        left = np.sqrt((vectors * vectors @ (weights * ~leading)[:, :, None])[:, :, 0])
        self.left = np.maximum(left, _LEAST_LEFT)
        self.fitted = True

    def unexplained(self, departures: FloatArray) -> FloatArray:
        """Give z of what the other metrics do not explain, [time, groups, size]; 0 at gaps.

        departures D [time, groups, size] are NaN at gaps, and 0 where nothing is known.
        """
        gaps = np.isnan(departures)
        some = bool(gaps.any())
        present = np.where(gaps, 0.0, departures) if some else departures
        explained = (present.transpose(1, 0, 2) @ self.projector).transpose(1, 0, 2)
        if some:
            self._see_through(gaps, explained)
        z: FloatArray = np.abs(present - explained) / self.left
        return np.where(gaps, 0.0, z) if some else z

    def _see_through(self, gaps: BoolArray, explained: FloatArray) -> None:
        """Add to what is explained, in place, the part of what the gaps [time, groups, size] hide."""
        lacking = gaps.sum(axis=2)
        partly = (lacking > 0) & (lacking < self.slots.filled.sum(axis=1))
        for many in np.unique(lacking[partly]):  # each by itself: how a row is solved does not depend on those it came with
            rows, groups = np.nonzero(partly & (lacking == many))
            members = np.nonzero(gaps[rows, groups])[1].reshape(-1, many)
            across = self.projector[groups[:, None], members]  # [row, gap, size]
            among = np.take_along_axis(across, members[:, None, :], axis=2)
            seen = explained[rows[:, None], groups[:, None], members]
            hidden = np.linalg.solve((1.0 + _UNSEEN) * np.eye(many) - among, seen[:, :, None])
            explained[rows, groups] += (hidden.transpose(0, 2, 1) @ across)[:, 0]
