"""The nearest of many remembered values, for many series at once, in four bytes a value."""

import numpy as np
from numpy.typing import NDArray

from lens_exporter.model.window import FloatArray

Float32Array = NDArray[np.float32]
IntArray = NDArray[np.intp]

_LARGEST = 3e38  # of single precision; what lies beyond is taken for it
_CELLS = 1 << 17  # array cells at a time: what one step reads and writes stays in the processor's cache


class SortedRows:
    """The values of the last `blocks` blocks of `rows` rows per series, sorted: [series, rank], absent ones last as infinity.

    A value is kept in single precision relative to its series' origin, so that a large offset costs nothing. The lowest bits of
    the mantissa say which block it came from, so that a block can leave. A value is thus known to within 2^(bits - 23) of its
    distance from the origin: 1e-6 for up to 8 blocks, 4e-6 for up to 32. Equal values stay equal.
    """

    def __init__(self, series: int, blocks: int, rows: int) -> None:
        self._blocks = blocks
        self._tags = np.uint32((1 << (blocks - 1).bit_length()) - 1)  # the bits that hold the block
        self._ranked = np.full((series, blocks * rows), np.inf, dtype=np.float32)
        self._sealed = 0

    def coarse(self, values: FloatArray, origins: FloatArray) -> Float32Array:
        """Give values [series, time] relative to origins [series] as they will be remembered; a gap (NaN) becomes infinite."""
        single = np.clip(values - origins[:, None], -_LARGEST, _LARGEST).astype(np.float32)
        single[np.isnan(single)] = np.inf
        return self._cleared(single)

    def nearest(self, wanted: Float32Array) -> Float32Array:
        """Give the distance of each coarse value [series, time] to the nearest one remembered; infinite where there is none."""
        series, time = wanted.shape
        distances = np.full((series, time), np.inf, dtype=np.float32)
        if self._sealed and time:
            at_once = max(1, _CELLS // time)
            for first in range(0, series, at_once):
                part = slice(first, first + at_once)
                distances[part] = self._search(self._ranked[part], wanted[part])
        return distances

    def seal(self, block: Float32Array, noise: FloatArray) -> FloatArray:
        """Remember a block of coarse values [series, row]; the oldest block leaves.

        Gives the smallest step between remembered values that is larger than noise [series]; infinite where there is none.
        """
        tag = np.uint32(self._sealed % self._blocks)
        self._sealed += 1
        steps = np.empty(len(block))
        length = self._ranked.shape[1]
        at_once = max(1, _CELLS // length)
        for first in range(0, len(block), at_once):
            part = slice(first, first + at_once)
            new = block[part].copy()
            new.view(np.uint32)[np.isfinite(new)] |= tag
            kept = self._ranked[part]
            kept[kept.view(np.uint32) & self._tags == tag] = np.inf  # an infinite one has no bits set and stays what it is
            kept[:] = np.sort(np.concatenate((kept, new), axis=1), axis=1)[:, :length]
            with np.errstate(invalid="ignore"):
                apart = np.diff(self._cleared(kept), axis=1)  # NaN between absent ones
            steps[part] = np.where(apart > noise[part, None], apart, np.inf).min(axis=1, initial=np.inf)
        return steps

    def take(self, indices: IntArray) -> "SortedRows":
        """Give these series; -1 is one that has seen nothing."""
        taken = SortedRows(0, self._blocks, 0)
        taken._ranked = np.full((len(indices), self._ranked.shape[1]), np.inf, dtype=np.float32)
        taken._ranked[indices >= 0] = self._ranked[indices[indices >= 0]]
        taken._sealed = self._sealed
        return taken

    def _search(self, ranked: Float32Array, wanted: Float32Array) -> Float32Array:
        """Bisect without branches: all searches halve their range in step, so each halving is one gather over all of them."""
        flat, length = ranked.reshape(-1), ranked.shape[1]
        start = np.arange(0, flat.size, length)[:, None]
        below = np.repeat(start, wanted.shape[1], axis=1)
        while length > 1:
            half = length // 2
            below += half * (flat.take(below + half) < wanted)
            length -= half
        # `below` is the last value under the wanted one, or the first of all where none is under it.
        above = np.minimum(below + 1, start + ranked.shape[1] - 1)
        under, over = (np.abs(self._cleared(flat.take(index)) - wanted) for index in (below, above))
        nearest: Float32Array = np.fmin(under, over)
        return nearest

    def _cleared(self, values: Float32Array) -> Float32Array:
        """Without the block: what is left compares equal where the values were equal."""
        return (values.view(np.uint32) & ~self._tags).view(np.float32)
