"""The nearest of many remembered values, for many series at once, in four bytes a value and few values."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from lens_exporter.model.window import FloatArray

Float32Array = NDArray[np.float32]
IntArray = NDArray[np.int64]
Kind = TypeVar("Kind", bound=np.generic)

LARGEST = 3e38  # of single precision; what lies beyond is taken for it
_FINEST = 2.0**-22  # of the largest value: a finer grain is beyond single precision
_TINIEST = 2.0**-126  # single precision's smallest full-precision number
_STRIDE = 16  # slots: as many as the processor fetches at once
_CELLS = 1 << 16  # array cells at a time: what one step reads and writes stays in the processor's cache
_SOUGHT = 1 << 14  # values at a time, for the same reason: of each series that is searched, its slots come with them


class SortedRows:
    """What each series has shown in its last `blocks` blocks of rows, as sorted values [series, slot]; empty slots last, infinite.

    A value is kept in single precision relative to its series' origin, so that a large offset costs nothing. The lowest bits of
    the mantissa hold the block that showed it last, so that a block can leave: a value is known to within 2^(bits - 23) of its
    distance from the origin, 4e-6 for 32 blocks. Equal values stay equal.

    Of values that share a cell of a grid only the newest is kept: where values are dense, few of them say where the series has
    been. Cells are the grain asked for wide, or wider where the slots would not suffice. All widths of a series are the first one
    times powers of two, so cells lie in each other, and a value forgotten for another stays within the widest cell of it. Wider
    cells than asked for make a distance uncertain by their width until the blocks that were thinned by it have left; it is then
    given at its least.
    """

    def __init__(self, series: int, *, blocks: int, slots: int) -> None:
        """Begin with nothing remembered. blocks: at most 256, a byte's worth."""
        self._blocks = blocks
        self._tags = np.uint32((1 << (blocks - 1).bit_length()) - 1)  # the bits that hold the block
        self._slots = np.full((series, slots), np.inf, dtype=np.float32)
        self._strides = _strides(self._slots)
        self._unit = np.full(series, np.nan)  # the first grain
        self._wider = np.zeros((series, blocks), dtype=np.float32)  # the width of cells wider than asked for, at each seal
        self._widest = np.zeros(series, dtype=np.float32)  # of these
        self._sealed = 0

    def coarse(self, values: FloatArray, origins: FloatArray) -> Float32Array:
        """Give values [series, time] relative to origins [series] as they will be remembered; a gap (NaN) becomes infinite."""
        single = np.clip(values - origins[:, None], -LARGEST, LARGEST).astype(np.float32)
        single[np.isnan(single)] = np.inf
        return self._cleared(single)

    def nearest(self, wanted: Float32Array) -> Float32Array:
        """Give the distance of each coarse value [series, time] to the nearest one remembered; infinite where there is none."""
        series, time = wanted.shape
        distances = np.full((series, time), np.inf, dtype=np.float32)
        if self._sealed and time:
            at_once = max(1, _SOUGHT // time)
            for first in range(0, series, at_once):
                part = slice(first, first + at_once)
                distances[part] = self._search(part, wanted[part])
            distances = np.maximum(distances - self._widest[:, None], 0.0)
        return distances

    def seal(self, block: Float32Array, grain: FloatArray, noise: FloatArray) -> FloatArray:
        """Remember a block of coarse values [series, row]; the oldest block leaves. grain [series]: how near is as good as equal.

        Gives the smallest step between remembered values that is larger than noise [series]; infinite where there is none.
        """
        steps = np.empty(len(block))
        self._unit = np.where(np.isnan(self._unit), grain, self._unit)
        with np.errstate(divide="ignore", invalid="ignore"):
            width = np.fmax(_TINIEST, self._unit * np.exp2(np.floor(np.log2(grain / self._unit))))  # the least where unknown
        tag = np.uint32(self._sealed % self._blocks)  # of this block, and until now of the one that leaves
        at_once = max(1, _CELLS // (self._slots.shape[1] + block.shape[1]))
        for first in range(0, len(block), at_once):
            part = slice(first, first + at_once)
            both = np.concatenate((self._slots[part], block[part]), axis=1)
            bits, slots = both.view(np.uint32), self._slots.shape[1]
            _drop(both[:, :slots], bits[:, :slots] & self._tags == tag)  # and infinite ones, which have no tag: empty they are
            bits[:, slots:] |= tag * np.isfinite(both[:, slots:])
            kept = self._slots[part]
            kept[:], self._wider[part, self._sealed % self._blocks] = self._thinned(both, width[part])
            steps[part] = _smallest_step(self._cleared(kept), noise[part])
        self._strides = _strides(self._slots)
        self._widest = self._wider.max(axis=1)
        self._sealed += 1
        return steps

    def take(self, indices: IntArray) -> "SortedRows":
        """Give these series; -1 is one that has seen nothing."""
        taken = SortedRows(0, blocks=self._blocks, slots=0)
        taken._slots = rows_of(self._slots, indices, np.inf)
        taken._strides = _strides(taken._slots)
        taken._unit, taken._wider = rows_of(self._unit, indices, np.nan), rows_of(self._wider, indices, 0.0)
        taken._widest = rows_of(self._widest, indices, 0.0)
        taken._sealed = self._sealed
        return taken

    def _search(self, part: slice, wanted: Float32Array) -> Float32Array:
        """Find the stride of slots a value belongs to, then the slot: two fetches from memory, where bisecting all took nine."""
        ranked, strides = self._slots[part], self._strides[part]
        flat, slots = ranked.reshape(-1), ranked.shape[1]
        first = np.arange(0, strides.size, strides.shape[1])[:, None]
        stride = _last_below(strides.reshape(-1), np.repeat(first, wanted.shape[1], axis=1), strides.shape[1], wanted) - first
        length = min(_STRIDE, slots)
        start = np.arange(0, flat.size, slots)[:, None]
        below = _last_below(flat, start + np.minimum(stride * _STRIDE, slots - length), length, wanted)
        above = np.minimum(below + 1, start + slots - 1)
        under, over = (np.abs(self._cleared(flat.take(index)) - wanted) for index in (below, above))
        nearest: Float32Array = np.fmin(under, over)
        return nearest

    def _thinned(self, values: Float32Array, width: FloatArray) -> tuple[Float32Array, FloatArray]:
        """Keep the newest of each cell, in cells so wide that the slots suffice.

        values [series, any]. Gives [series, slot], and the width [series] of cells that had to be wider, else 0.
        """
        slots = self._slots.shape[1]
        values.sort(axis=1)
        asked = width * np.exp2(np.ceil(np.log2(np.maximum(_widest(values) * _FINEST, _TINIEST) / width)).clip(0.0))
        width = asked.copy()
        self._keep_newest(values, width)
        crowded = np.flatnonzero(values[:, slots] < np.inf)
        while crowded.size:
            width[crowded] *= 2.0
            some = values[crowded]
            self._keep_newest(some, width[crowded])
            values[crowded] = some
            crowded = crowded[some[:, slots] < np.inf]
        return np.fmin(values[:, :slots], np.float32(np.inf)), np.where(width > asked, width, 0.0)

    def _keep_newest(self, values: Float32Array, width: FloatArray) -> None:
        """Of sorted neighbours in one cell keep the newer; what is left is sorted again, in place, with NaN for the others last."""
        cell = np.floor(self._cleared(values) / width[:, None].astype(np.float32))
        # The blocks since: a single byte is compared faster, and one that overflows is as much more as an older block should be.
        age = np.uint8(self._sealed % self._blocks) - (values.view(np.uint32) & self._tags).astype(np.uint8)
        same = cell[:, :-1] == cell[:, 1:]
        newer = same & (age[:, :-1] < age[:, 1:])
        dropped = np.zeros(values.shape, dtype=np.bool_)
        np.not_equal(same, newer, out=dropped[:, :-1])
        dropped[:, 1:] |= newer
        _drop(values, dropped)
        values.sort(axis=1)

    def _cleared(self, values: Float32Array) -> Float32Array:
        """Without the block: what is left compares equal where the values were equal."""
        return (values.view(np.uint32) & ~self._tags).view(np.float32)


def _strides(slots: Float32Array) -> Float32Array:
    """Give the first of every sixteen slots [series, stride], next to each other."""
    return np.ascontiguousarray(slots[:, ::_STRIDE])


def _drop(values: Float32Array, which: NDArray[np.bool_]) -> None:
    """Make these values NaN, all of their bits at once: choosing number by number costs five times as much."""
    bits = values.view(np.int32)
    bits |= np.negative(which.view(np.int8))


def _widest(values: Float32Array) -> Float32Array:
    """Give the largest finite magnitude [series] of sorted values [series, any]; 0 where there is none."""
    behind = (values < np.inf).argmin(axis=1)  # the last finite one; 0 where all are, or none
    ends = np.stack((values[:, 0], values[np.arange(len(values)), behind - 1]))
    widest: Float32Array = np.abs(np.where(np.isfinite(ends), ends, np.float32(0.0))).max(axis=0)
    return widest


def _smallest_step(values: Float32Array, noise: FloatArray) -> FloatArray:
    """Give the smallest step larger than noise [series] between sorted values [series, slot]; infinite where there is none."""
    least = noise.astype(np.float32)
    least = np.where(least > noise, np.nextafter(least, np.float32(0.0)), least)  # single precision compares as double would
    with np.errstate(invalid="ignore"):
        apart = values[:, 1:] - values[:, :-1]  # NaN between empty ones
    _drop(apart, ~(apart > least[:, None]))
    steps: FloatArray = np.fmin.reduce(apart, axis=1, initial=np.inf).astype(np.float64)
    return steps


def _last_below(flat: Float32Array, start: IntArray, length: int, wanted: Float32Array) -> IntArray:
    """Find the last of `length` sorted values from `start` on that is under the wanted one, or the first where none is.

    It bisects without branches: all searches [series, time] halve their range in step, so each halving is one gather over all.
    """
    below = start.copy()
    while length > 1:
        half = length // 2
        # Places are right as they are; a mode that does not refuse wrong ones needs no second look at them.
        below += np.multiply(flat[half:].take(below, mode="clip") < wanted, half)
        length -= half
    return below


def rows_of(state: NDArray[Kind], indices: IntArray, new: float) -> NDArray[Kind]:
    """Give these rows of an array [series, ...], copied; -1 is a new one filled with one value."""
    taken = np.full((len(indices), *state.shape[1:]), new, dtype=state.dtype)
    taken[indices >= 0] = state[indices[indices >= 0]]
    return taken
