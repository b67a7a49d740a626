"""How new a value is: its distance to the nearest value seen before, as the number of such distances one would expect."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lens_exporter.baseline.detection.decades import decades
from lens_exporter.baseline.detection.sortedrows import LARGEST, Float32Array, IntArray, SortedRows, rows_of
from lens_exporter.baseline.detection.tail import Largest, Tail, fit, unknown
from lens_exporter.model.window import FloatArray

_NOISE = 1e-7  # of the level: a smaller distance is the noise of single precision somewhere on the way
_PART_OF_A_STEP = 0.25  # of a quantised series: one step beyond all that was seen is little, many steps are much
_GRAIN = 1 / 8  # of the tail's scale: values nearer to each other than that are one to a distance that matters
SLOTS = 480  # remembered values; nearly as good as all of 8,000 rows on NAB, where the median series fills 91
_YOUNGEST = 32  # rows; of a series younger than a block the tail is fitted at 32, 64, 128, ... rows
_COPIED = 1024  # series at a time
_FEW = 6  # rows
_FEW_SERIES = 24  # are gone through series by series: more of them sooner row by row
_CELLS = 1 << 15  # array cells at a time: what one step reads and writes stays in the processor's cache
_COMPARED = 1 << 16  # likewise, where there are many rows
_NO_SIGN, _INFINITE = np.uint32(0x7FFFFFFF), np.uint32(0x7F800000)  # bits of single precision

BoolArray = NDArray[np.bool_]


class Novelty:
    """Scores each value of many series by its distance to what the series has shown before, and remembers it at once.

    The surprise of a value is -log10 p - log10 n: p the chance of a distance as large (see Tail), n the number of values the
    series has shown. It is minus the log10 of how many such distances were to be expected in its whole history: 0 is one, 2 is
    a hundredth. It is NaN for a gap and for a series with too little history.

    Memory. Rows come in blocks of `refit` rows, counted from the first row ever given. Remembered are the running block as it is
    and the memory/refit - 1 blocks before it, in `slots` values: at most `memory` rows, at least `memory - refit`; the oldest block
    leaves as a whole. Of remembered values nearer to each other than an eighth of the tail's scale (more, where the slots do not
    suffice) only the newest is kept, so a distance is off by at most that; see SortedRows. A gap counts as a row, for memory is a
    stretch of time. The tail is fitted to the largest distances of the last `memory` rows when a block ends, for the next block.

    Scale. The tail's scale is never below
        1e-7 of the level: float noise on a constant series is nothing, a jump of it is much;
        a quarter of the smallest step between remembered values: for whole or rounded numbers the next one is little.

    4.1 kB a series with memory=8000, refit=250.
    """

    def __init__(self, series: int, *, memory: int, refit: int, slots: int = SLOTS) -> None:
        if refit < 1 or memory < 2 * refit:
            raise ValueError("memory must hold at least two blocks of refit rows")
        self._memory, self._refit, self._slots = memory, refit, slots
        blocks = memory // refit
        self._past = SortedRows(series, blocks=blocks - 1, slots=slots)
        self._tail = unknown(series)
        self._seen = np.zeros(series, dtype=np.int64)  # values ever
        self._origin = np.full(series, np.nan)  # the first value ever
        # What the blocks leave for the fit: their largest distances, and in a ring [block, series] their counts and highest levels.
        self._largest = Largest(series, blocks=blocks, rows=memory)
        self._count = np.zeros((blocks, series), dtype=np.int32)
        self._level = np.zeros((blocks, series), dtype=np.float32)
        self._step = np.zeros(series)  # the smallest between remembered values
        self._block = 0
        # The running block in order of time, [row, series]: a new row is compared with each of them, and is written at once.
        self._row = 0
        self._running = np.full((refit, series), np.inf, dtype=np.float32)
        # Rows that were peeked at: they mostly come again, to be peeked at once more or to be learnt.
        self._ahead = _nothing_ahead(series)

    def advance(self, values: FloatArray, levels: FloatArray | None = None) -> FloatArray:
        """Score values [series, time] and learn them. Gives the surprise [series, time]; row t comes from rows before t only.

        Any partition of the rows into calls gives the same, bit by bit. NaN and infinity are gaps: they have no surprise and teach
        nothing. levels [series, time]: the readings themselves, where the values are residuals, for the scale of float noise.
        """
        surprise = np.empty(values.shape)
        first = 0
        while first < values.shape[1]:
            part = slice(first, min(values.shape[1], first + self._next_fit(self._row + 1) - self._row))
            rows = part.stop - part.start
            ahead = self._ahead.known(values[:, part])
            if ahead.measured is None or ahead.measured.time < rows:
                measured = self._measure(values[:, part])
                surprise[:, part] = self._surprise(measured)
                self._ahead = _nothing_ahead(len(values))
            else:
                # No tail was fitted since: `peek` keeps nothing from behind the next fit.
                measured, surprise[:, part] = ahead.measured, ahead.surprise
                self._ahead = self._ahead.after(rows)
            self._learn(measured, values[:, part] if levels is None else levels[:, part])
            first = part.stop
        return surprise

    def peek(self, values: FloatArray, levels: FloatArray | None = None) -> FloatArray:
        """Score values [series, time] as `advance` would, and learn nothing. Meant for a few rows."""
        if self._row + values.shape[1] <= self._next_fit(self._row + 1):
            known = self._ahead.known(values).measured
            measured = self._measure(values) if known is None else known.followed_by(self._measure(values[:, known.time :], known))
            surprise = self._surprise(measured)
            if not np.isnan(self._origin).any():  # else a row that is not learnt yet would have set it
                self._ahead = _Ahead(values.copy(), measured, surprise.copy())
            return surprise
        # Tails are fitted on the way, which only a copy can go through: of some series at a time.
        surprise = np.empty(values.shape)
        for first in range(0, len(values), _COPIED):
            part = slice(first, first + _COPIED)
            copied = self.take(np.arange(len(values))[part])
            surprise[part] = copied.advance(values[part], None if levels is None else levels[part])
        return surprise

    def take(self, indices: IntArray) -> "Novelty":
        """Give the state of these series, in this order; -1 is a new one that has seen nothing. Shares nothing with this one."""
        taken = Novelty(0, memory=self._memory, refit=self._refit, slots=self._slots)
        taken._block, taken._row = self._block, self._row
        taken._past, taken._tail = self._past.take(indices), self._tail.take(indices)
        taken._seen, taken._origin = rows_of(self._seen, indices, 0), rows_of(self._origin, indices, np.nan)
        taken._running, taken._step = _rows_first(rows_of(self._running.T, indices, np.inf)), rows_of(self._step, indices, 0.0)
        taken._largest = self._largest.take(indices)
        taken._count = np.ascontiguousarray(rows_of(self._count.T, indices, 0).T)
        taken._level = _rows_first(rows_of(self._level.T, indices, 0.0))
        return taken

    def forget(self, which: BoolArray) -> None:
        """Forget what the series `which` [series] have shown, but not how many values it were."""
        kept = np.where(which, -1, np.arange(which.size))
        self._past, self._tail, self._largest = self._past.take(kept), self._tail.take(kept), self._largest.take(kept)
        self._running[:, which] = np.inf
        self._step[which], self._count[:, which], self._level[:, which] = 0.0, 0, 0.0
        self._ahead = _nothing_ahead(which.size)

    @np.errstate(invalid="ignore", over="ignore")  # gaps are infinite: their distances to each other are dropped below
    def _measure(self, values: FloatArray, after: "_Measured | None" = None) -> "_Measured":
        """Find the distances of rows [series, time] of the running block, or of those that come after others of it."""
        present = np.isfinite(values)
        origin = self._origin if after is None else after.origin
        if np.isnan(origin).any() and values.size:
            first = np.take_along_axis(values, present.argmax(axis=1)[:, None], axis=1)[:, 0]
            origin = np.where(np.isnan(origin) & present.any(axis=1), first, origin)
        coarse = self._past.coarse(np.where(present, values, np.nan), origin)
        running = self._running[: self._row].T
        within = _nearest_before(running if after is None else np.concatenate((running, after.coarse), axis=1), coarse)
        distances = np.minimum(self._past.nearest(coarse), within)
        distances[~present | np.isinf(distances)] = np.nan
        return _Measured(present, origin, coarse, distances)

    def _surprise(self, measured: "_Measured") -> FloatArray:
        present = measured.present
        earlier = np.arange(measured.time) if present.all() else np.cumsum(present, axis=1) - present
        return self._tail.rarity(measured.distances.astype(np.float64)) - decades(self._seen[:, None] + earlier)

    def _learn(self, measured: "_Measured", levels: FloatArray) -> None:
        rows = slice(self._row, self._row + measured.coarse.shape[1])
        self._running[rows] = measured.coarse.T
        self._origin = measured.origin
        self._seen += measured.present.sum(axis=1)
        known = np.isfinite(measured.distances)
        self._count[self._block] += known.sum(axis=1)
        level = np.abs(levels).max(axis=1)
        if not (np.isfinite(level).all() and measured.present.all()):
            level = np.abs(np.where(measured.present & np.isfinite(levels), levels, 0.0)).max(axis=1)
        self._level[self._block] = np.maximum(self._level[self._block], np.minimum(level, LARGEST))
        self._largest.offer(np.where(known, measured.distances, np.float32(0.0)), self._block)
        self._row = rows.stop
        if self._row == self._refit:
            self._end_block()
        elif self._row == self._next_fit(self._row):
            young = np.flatnonzero(self._seen < self._refit)
            self._tail = self._tail.with_rows(young, self._fitted(young))

    def _next_fit(self, row: int) -> int:
        """Give the first row of the running block, this one or a later one, after which tails are fitted."""
        if self._seen.min(initial=self._refit) >= self._refit:
            return self._refit
        return min(self._refit, max(_YOUNGEST, 1 << (row - 1).bit_length()))

    def _end_block(self) -> None:
        """Move the running block into the sorted rows, fit the tail and forget the oldest block."""
        step = self._past.seal(np.ascontiguousarray(self._running.T), _GRAIN * self._tail.scale, _NOISE * _typical(self._level))
        self._step = np.where(np.isfinite(step), step, 0.0)
        self._tail = self._fitted(np.arange(len(self._seen)))
        self._running.fill(np.inf)
        self._row = 0
        self._block = (self._block + 1) % len(self._count)
        self._largest.drop(self._block)
        self._count[self._block], self._level[self._block] = 0, 0.0

    def _fitted(self, series: IntArray) -> Tail:
        """Fit the tails of these series to what their remembered blocks have left for it."""
        floor = np.maximum(_NOISE * _typical(self._level[:, series]), _PART_OF_A_STEP * self._step[series])
        return fit(self._largest.falling(series), self._count[:, series].sum(axis=0), floor)


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    """Rows of the running block: arrays [series, time], origin [series]."""

    present: BoolArray
    origin: FloatArray
    coarse: Float32Array  # infinite in a gap
    distances: Float32Array  # NaN in a gap and where nothing came before

    @property
    def time(self) -> int:
        return len(self.coarse.T)

    def part(self, rows: slice) -> "_Measured":
        return _Measured(self.present[:, rows], self.origin, self.coarse[:, rows], self.distances[:, rows])

    def followed_by(self, later: "_Measured") -> "_Measured":
        return _Measured(
            np.concatenate((self.present, later.present), axis=1),
            later.origin,
            np.concatenate((self.coarse, later.coarse), axis=1),
            np.concatenate((self.distances, later.distances), axis=1),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Ahead:
    """Values [series, time] of the running block that are not learnt yet, what was found about them, and their surprise."""

    values: FloatArray
    measured: _Measured | None
    surprise: FloatArray

    def known(self, values: FloatArray) -> "_Ahead":
        """Give the first of these values, as many rows as are what they were."""
        most = min(values.shape[1], self.values.shape[1])
        same = next((row for row in range(most) if not _equal(values[:, row], self.values[:, row])), most)
        return self._part(slice(0, same))

    def after(self, rows: int) -> "_Ahead":
        """Give what lies ahead when so many of these rows are learnt."""
        return self._part(slice(rows, None))

    def _part(self, rows: slice) -> "_Ahead":
        values = self.values[:, rows]
        measured = self.measured.part(rows) if self.measured is not None and values.shape[1] else None
        return _Ahead(values, measured, self.surprise[:, rows])


def _nothing_ahead(series: int) -> _Ahead:
    return _Ahead(np.zeros((series, 0)), None, np.zeros((series, 0)))


def _equal(values: FloatArray, others: FloatArray) -> bool:
    return bool(((values == others) | (np.isnan(values) & np.isnan(others))).all())


def _nearest_before(earlier: Float32Array, rows: Float32Array) -> Float32Array:
    """Give the distance of each of rows [series, time] to the nearest of `earlier` [series, row] and of the rows before itself.

    What stands at an infinite row means nothing.
    """
    nearest = np.full(rows.shape, np.inf, dtype=np.float32)
    time = rows.shape[1]
    if time <= _FEW:
        before = np.concatenate((earlier, rows[:, :-1]), axis=1) if time > 1 else earlier
        for row in range(time):
            _nearest_of(before[:, : earlier.shape[1] + row].T, rows[:, row], nearest[:, row])
        return nearest
    if len(rows) <= _FEW_SERIES:
        return _nearest_of_all(np.concatenate((earlier, rows), axis=1), earlier.shape[1])
    at_once = max(1, _COMPARED // (earlier.shape[1] + time))
    for first in range(0, len(rows), at_once):
        part = slice(first, first + at_once)
        nearest[part] = _nearest_in_turn(np.concatenate((earlier[part], rows[part]), axis=1), earlier.shape[1]).T
    return nearest


def _nearest_of_all(values: Float32Array, known: int) -> Float32Array:
    """Give the distance [series, time] of each value [series, row] behind the first `known` ones to the nearest before it."""
    rows = values.shape[1]
    before = np.arange(rows) < np.arange(known, rows)[:, None]
    nearest = np.empty((len(values), rows - known), dtype=np.float32)
    for one, found in zip(values, nearest, strict=True):
        apart = one - one[known:, None]
        np.abs(apart, out=apart)
        np.min(apart, axis=1, initial=np.inf, where=before, out=found)
    return nearest


def _nearest_in_turn(values: Float32Array, known: int) -> Float32Array:
    """Give the distance [time, series] of each value [series, row] behind the first `known` ones to the nearest before it.

    Distances are compared as integers: of numbers that are not negative the bits are in the order of the numbers, NaN behind
    infinity, and the processor takes the lower of two of them several times as fast.
    """
    rows = np.ascontiguousarray(values.T)
    nearest = np.empty((len(rows) - known, len(values)), dtype=np.float32)
    room = np.empty(rows.shape, dtype=np.float32)
    bits = room.view(np.uint32)
    for row, lowest in zip(range(known, len(rows)), nearest.view(np.uint32), strict=True):
        np.subtract(rows[:row], rows[row], out=room[:row])
        np.bitwise_and(bits[:row], _NO_SIGN, out=bits[:row])
        np.minimum.reduce(bits[:row], axis=0, out=lowest, initial=_INFINITE)
    return nearest


def _nearest_of(before: Float32Array, row: Float32Array, nearest: Float32Array) -> None:
    """Write the distance of a row [series] to the nearest of those before it [row, series], if there are any."""
    if not len(before):
        return
    at_once = max(1, _CELLS // len(before))
    for first in range(0, row.size, at_once):
        part = slice(first, first + at_once)
        apart = before[:, part] - row[part]
        np.abs(apart, out=apart)
        nearest[part] = apart.min(axis=0)


def _rows_first(rows: Float32Array) -> Float32Array:
    """Give [series, row] as [row, series], one series beside the other in memory."""
    return np.ascontiguousarray(rows.T)


def _typical(levels: Float32Array) -> FloatArray:
    """Give the median over blocks [block, series] of their highest level; blocks at zero, the empty ones, do not count."""
    count = (levels > 0.0).sum(axis=0)
    ranked = np.sort(levels.T, axis=1)[:, ::-1]
    typical: FloatArray = np.take_along_axis(ranked, count[:, None] // 2, axis=1)[:, 0].astype(np.float64)
    return typical
