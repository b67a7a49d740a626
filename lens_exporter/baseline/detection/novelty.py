"""How new a value is: its distance to the nearest value seen before, as the number of such distances one would expect."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lens_exporter.baseline.detection.sortedrows import Float32Array, IntArray, SortedRows
from lens_exporter.baseline.detection.tail import exceedances, fit, unknown
from lens_exporter.model.window import FloatArray

_NOISE = 1e-7  # of the level: a smaller distance is the noise of single precision somewhere on the way
_PART_OF_A_STEP = 0.5  # of a quantised series: one step beyond all that was seen is little, many steps are much
_COPIED = 1024  # series at a time
_CELLS = 1 << 17  # array cells at a time: what one step reads and writes stays in the processor's cache

BoolArray = NDArray[np.bool_]


class Novelty:
    """Scores each value of many series by its distance to what the series has shown before, and remembers it at once.

    The surprise of a value is -log10 p - log10 n: p the chance of a distance as large (see Tail), n the number of values the
    series has shown. It is minus the log10 of how many such distances were to be expected in its whole history: 0 is one, 2 is
    a hundredth. It is NaN for a gap and for a series with too little history.

    Memory. Rows come in blocks of `refit` rows, counted from the first row ever given. Remembered are the running block and the
    memory/refit - 1 blocks before it: at most `memory` rows, at least `memory - refit`; the oldest block leaves as a whole. Among
    these the nearest value is found exactly, up to the resolution of SortedRows. A gap counts as a row, for memory is a stretch of
    time. The tail is fitted to the largest distances of the last `memory` rows when a block ends, and stands for the next block.

    Scale. The tail's scale is never below
        1e-7 of the level: float noise on a constant series is nothing, a jump of it is much;
        half of the smallest step between remembered values: for whole or rounded numbers the next one is little.

    8.6 kB a series with memory=2016 and refit=252.
    """

    def __init__(self, series: int, *, memory: int, refit: int) -> None:
        if refit < 1 or memory < 2 * refit:
            raise ValueError("memory must hold at least two blocks of refit rows")
        self._memory, self._refit = memory, refit
        blocks = memory // refit
        self._past = SortedRows(series, blocks - 1, refit)
        self._tail = unknown(series)
        self._seen = np.zeros(series, dtype=np.int64)  # values ever
        self._origin = np.full(series, np.nan)  # the first value ever
        # What each block leaves for the fit, in a ring: [series, block] and [series, block, rank].
        self._largest = np.zeros((series, blocks, exceedances(memory)), dtype=np.float32)
        self._count = np.zeros((series, blocks), dtype=np.int32)
        self._level = np.zeros((series, blocks), dtype=np.float32)
        self._block = 0
        # The running block in order of time.
        self._row = 0
        self._running = np.full((series, refit), np.inf, dtype=np.float32)

    def advance(self, values: FloatArray, levels: FloatArray | None = None) -> FloatArray:
        """Score values [series, time] and learn them. Gives the surprise [series, time]; row t comes from rows before t only.

        Any partition of the rows into calls gives the same, bit by bit. NaN and infinity are gaps: they have no surprise and teach
        nothing. levels [series, time]: the readings themselves, where the values are residuals, for the scale of float noise.
        """
        surprise = np.empty(values.shape)
        first = 0
        while first < values.shape[1]:
            part = slice(first, min(values.shape[1], first + self._refit - self._row))
            measured = self._measure(values[:, part])
            surprise[:, part] = self._surprise(measured)
            self._learn(measured, values[:, part] if levels is None else levels[:, part])
            first = part.stop
        return surprise

    def peek(self, values: FloatArray) -> FloatArray:
        """Score values [series, time] as `advance` would, and learn nothing. Meant for a few rows."""
        if self._row + values.shape[1] <= self._refit:
            return self._surprise(self._measure(values))
        # A block ends on the way, which only a copy can go through: of some series at a time.
        surprise = np.empty(values.shape)
        for first in range(0, len(values), _COPIED):
            part = slice(first, first + _COPIED)
            surprise[part] = self.take(np.arange(len(values))[part]).advance(values[part])
        return surprise

    def take(self, indices: IntArray) -> "Novelty":
        """Give the state of these series, in this order; -1 is a new one that has seen nothing. Shares nothing with this one."""
        taken = Novelty(0, memory=self._memory, refit=self._refit)
        taken._block, taken._row = self._block, self._row
        taken._past, taken._tail = self._past.take(indices), self._tail.take(indices)
        taken._seen, taken._origin = _rows(self._seen, indices, 0), _rows(self._origin, indices, np.nan)
        taken._running = _rows(self._running, indices, np.inf)
        taken._largest, taken._level = _rows(self._largest, indices, 0.0), _rows(self._level, indices, 0.0)
        taken._count = _rows(self._count, indices, 0)
        return taken

    @np.errstate(invalid="ignore", over="ignore")  # gaps are infinite: their distances to each other are dropped below
    def _measure(self, values: FloatArray) -> "_Measured":
        """Find the distances of rows [series, time] of the running block."""
        present = np.isfinite(values)
        origin = self._origin
        if np.isnan(origin).any():
            first = np.take_along_axis(values, present.argmax(axis=1)[:, None], axis=1)[:, 0]
            origin = np.where(np.isnan(origin) & present.any(axis=1), first, origin)
        coarse = self._past.coarse(np.where(present, values, np.nan), origin)
        within = _nearest_before(self._running[:, : self._row], coarse)
        distances = np.minimum(self._past.nearest(coarse), within)
        distances[~present | np.isinf(distances)] = np.nan
        return _Measured(present, origin, coarse, distances)

    def _surprise(self, measured: "_Measured") -> FloatArray:
        before = self._seen[:, None] + np.cumsum(measured.present, axis=1) - measured.present
        return self._tail.rarity(measured.distances.astype(np.float64)) - np.log10(np.maximum(before, 1))

    def _learn(self, measured: "_Measured", levels: FloatArray) -> None:
        rows = slice(self._row, self._row + measured.coarse.shape[1])
        self._running[:, rows] = measured.coarse
        self._origin = measured.origin
        self._seen += measured.present.sum(axis=1)
        known = np.isfinite(measured.distances)
        self._count[:, self._block] += known.sum(axis=1)
        level = np.abs(np.where(measured.present & np.isfinite(levels), levels, 0.0)).max(axis=1)
        self._level[:, self._block] = np.maximum(self._level[:, self._block], level)
        _keep_largest(self._largest[:, self._block], np.where(known, measured.distances, np.float32(0.0)))
        self._row = rows.stop
        if self._row == self._refit:
            self._end_block()

    def _end_block(self) -> None:
        """Move the running block into the sorted rows and fit the tail to what the remembered blocks left for it."""
        noise = _NOISE * _typical(self._level)
        step = self._past.seal(self._running, noise)
        floor = np.maximum(noise, np.where(np.isfinite(step), _PART_OF_A_STEP * step, 0.0))
        series, _, rank = self._largest.shape
        largest = np.sort(self._largest.reshape(series, -1), axis=1)[:, : -rank - 1 : -1]
        self._tail = fit(largest.astype(np.float64), self._count.sum(axis=1), floor)
        self._running.fill(np.inf)
        self._row = 0
        self._block = (self._block + 1) % self._count.shape[1]
        for each in (self._largest, self._count, self._level):
            each[:, self._block] = 0


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    """Rows of the running block: arrays [series, time], origin [series]."""

    present: BoolArray
    origin: FloatArray
    coarse: Float32Array  # infinite in a gap
    distances: Float32Array  # NaN in a gap and where nothing came before


def _nearest_before(earlier: Float32Array, rows: Float32Array) -> Float32Array:
    """Give the distance of each of rows [series, time] to the nearest of `earlier` [series, row] and of the rows before itself."""
    series, time = rows.shape
    before = np.concatenate((earlier, rows[:, :-1]), axis=1)
    nearest = np.full((series, time), np.inf, dtype=np.float32)
    if not before.shape[1]:
        return nearest
    later = np.arange(before.shape[1]) >= earlier.shape[1] + np.arange(time)[:, None]
    barred = np.where(later, np.inf, 0.0).astype(np.float32)
    at_once = max(1, _CELLS // (before.shape[1] * time))
    for first in range(0, series, at_once):
        part = slice(first, first + at_once)
        apart = before[part, None, :] - rows[part, :, None]
        np.abs(apart, out=apart)
        if time > 1:
            apart += barred
        apart.min(axis=2, out=nearest[part])
    return nearest


def _keep_largest(largest: Float32Array, distances: Float32Array) -> None:
    """Let distances [series, time] into the largest [series, rank], in place; the order of ranks means nothing."""
    better = np.flatnonzero(distances.max(axis=1) > largest.min(axis=1))
    if not better.size:
        return
    time = distances.shape[1]
    both = np.concatenate((largest[better], distances[better]), axis=1)
    largest[better] = np.partition(both, time, axis=1)[:, time:]


def _typical(levels: Float32Array) -> FloatArray:
    """Give the median over blocks [series, block] of their highest level; blocks at zero, the empty ones, do not count."""
    count = (levels > 0.0).sum(axis=1)
    ranked = np.sort(levels, axis=1)[:, ::-1]
    typical: FloatArray = np.take_along_axis(ranked, count[:, None] // 2, axis=1)[:, 0].astype(np.float64)
    return typical


def _rows(state: NDArray[Any], indices: IntArray, new: float) -> NDArray[Any]:
    taken = np.full((len(indices), *state.shape[1:]), new, dtype=state.dtype)
    taken[indices >= 0] = state[indices[indices >= 0]]
    return taken
