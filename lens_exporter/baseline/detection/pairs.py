"""The rows that two members of a group had in common, where gaps of one are not those of all."""

import numpy as np

from lens_exporter.model.window import BoolArray, FloatArray

_ENOUGH = 60.0  # rows in common after which what they say about two members is taken for what it is


class Pairs:
    """Sums of each pair of members, of groups [groups, size, size]: rows in common, and of those the sum of r_i.

    As long as all members have had the same gaps both are known from the members' own sums, and nothing is kept. Those sums are
    given to every method: count, the number of rows, and first, the sum of r, both [groups, size].
    """

    def __init__(self) -> None:
        self.kept: tuple[FloatArray, FloatArray] | None = None

    def learn(self, rows: FloatArray, known: BoolArray, filled: BoolArray, count: FloatArray, first: FloatArray) -> None:
        """Add rows [groups, time, size], which count and first do not hold yet."""
        some: BoolArray = np.logical_or.reduce(known, axis=2)
        every = np.logical_and.reduce(known | ~filled[:, None, :], axis=2)
        uneven: BoolArray = np.logical_or.reduce(some & ~every, axis=1)
        if self.kept is None:
            if not uneven.any():
                return
            self.keep(count, first)
        both, beside = self.of(slice(None), count, first)
        even = np.flatnonzero(~uneven)
        both[even] += some[even].sum(axis=1)[:, None, None]
        beside[even] += rows[even].sum(axis=1)[:, :, None]
        apart = known[uneven].astype(np.float64)
        both[uneven] += apart.transpose(0, 2, 1) @ apart
        beside[uneven] += rows[uneven].transpose(0, 2, 1) @ apart

    def forget(self, share: float) -> None:
        """Let all sums count for so much of what they did."""
        if self.kept is not None:
            self.kept = self.kept[0] * share, self.kept[1] * share

    def keep(self, count: FloatArray, first: FloatArray) -> None:
        """Keep the sums from now on."""
        if self.kept is None:
            self.kept = self.of(slice(None), count, first)

    def of(self, groups: slice | int, count: FloatArray, first: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Give both sums of some groups: what is kept, or where nothing is, what follows from the members' own."""
        if self.kept is not None:
            return self.kept[0][groups], self.kept[1][groups]
        rows = count[groups]
        both = np.minimum(rows[..., :, None], rows[..., None, :])  # some may have had no row at all
        return both, np.where(both > 0.0, first[groups][..., :, None], 0.0)

    def covariance(self, second: FloatArray, count: FloatArray, first: FloatArray) -> FloatArray:
        """Give E(r_i r_j) - E r_i E r_j over rows in common [groups, size, size]; second is the sum of r_i r_j.

        Where a pair has few of the rows that both of them have, what those say weighs in proportion.
        """
        if self.kept is None:
            rows = np.maximum(count, 1.0)
            mean = first / rows
            together: FloatArray = second / np.sqrt(rows[:, :, None] * rows[:, None, :])
            return together - mean[:, :, None] * mean[:, None, :]
        both, beside = self.kept
        rows = np.maximum(both, 1.0)
        mean = beside / rows
        enough = np.minimum(np.minimum(count[:, :, None], count[:, None, :]), _ENOUGH)
        covariance: FloatArray = second / rows - mean * mean.transpose(0, 2, 1)
        return covariance * np.minimum(both / np.maximum(enough, 1.0), 1.0)
