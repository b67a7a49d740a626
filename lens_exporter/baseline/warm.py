"""Series that are not known for a day yet: their rows, and the bands that their first judge gives them."""

import numpy as np

from lens_exporter.baseline.detector import TAIL, Bands, FirstJudge
from lens_exporter.baseline.early import Early
from lens_exporter.baseline.roster import run_of
from lens_exporter.model.window import BoolArray, FloatArray, IntArray

_AT_ONCE = 512  # series
_ROOM = 64  # columns behind those that are kept: they are moved only now and then
_SETTLED = 20  # times as many settled rows as rows that may still change: then those need not be learnt from


class Warm:
    """Rows of the last day, of series that are not known for a day yet, and the bands of the newest of them.

    A row's band comes from the day before it and is found once: a tick costs one sort of the day where one row has settled since.
    Rows that may still change are judged by all before them, or, where twenty times as many have settled, by those alone.
    """

    def __init__(self, rows: int) -> None:
        """Begin with nobody. rows: of a day."""
        self._rows = max(TAIL, rows)
        self.series: IntArray = np.zeros(0, dtype=np.int64)
        self._size = 0  # settled columns; behind them is room for those that are only judged
        self._times = np.zeros(0)
        self._values = np.zeros((0, 0))  # [series, column]
        # Of the last settled columns, of which the newest have no band yet and so many before them have, and of one that follows.
        self._bands = _no_bands(0, TAIL)
        self._unjudged = self._judged = 0
        self._next: Bands | None = None

    def learn(self, times: FloatArray, values: FloatArray, new: BoolArray) -> None:
        """Keep rows [all series, time] of the series that `new` marks, and let go of all others."""
        wanted = np.flatnonzero(new)
        if not np.array_equal(wanted, self.series):
            place = np.full(new.size, -1, dtype=np.int64)
            place[self.series] = np.arange(self.series.size)
            self._keep(wanted, place[wanted])
        added = times.size
        self._write(times, values[wanted])
        self._size += added
        bands = _no_bands(wanted.size, TAIL)
        for mine, theirs in ((bands.expected, self._bands.expected), (bands.half_width, self._bands.half_width)):
            mine[:, : max(0, TAIL - added)] = theirs[:, added:]
        if added == 1 and self._next is not None:
            bands.expected[:, -1:], bands.half_width[:, -1:] = self._next.expected, self._next.half_width
            self._judged = min(TAIL, self._judged + 1)
        else:
            self._unjudged = min(TAIL, self._size, self._unjudged + added)
            self._judged = min(self._judged, TAIL - self._unjudged)
        self._bands, self._next = bands, None

    def followed_by(self, times: FloatArray, values: FloatArray, judge: FirstJudge) -> Early:
        """Judge rows [all series, time] that follow and may still change; what is given is good until the next call."""
        if not self._size and not self.series.size:  # nobody is known yet, so all are young
            everybody = np.arange(values.shape[0])
            return Early(everybody, times, values, *_judged(judge, values, min(TAIL, times.size), self._rows), _observed(values))
        values = values[self.series]
        self._write(times, values)
        ahead = times.size
        day = self._values[:, max(0, self._size - self._rows) : self._size]
        settled = np.isfinite(day).sum(axis=1)
        enough = settled >= _SETTLED * ahead
        shown, own = min(TAIL, self._size + ahead), min(TAIL, ahead)
        bands = _no_bands(self.series.size, shown)
        if shown > own or enough.any():
            following = self._judge_settled(judge, shown - own)
            first = TAIL - (shown - own)
            for mine, theirs, last in (
                (bands.expected, self._bands.expected, following.expected),
                (bands.half_width, self._bands.half_width, following.half_width),
            ):
                mine[:, : shown - own] = theirs[:, first:]
                mine[:, shown - own :] = last
        end = self._size + ahead
        few = np.flatnonzero(~enough)
        if few.size:
            joined = self._values[:, max(0, end - self._rows - own) : end]
            bands.expected[few, shown - own :], bands.half_width[few, shown - own :] = _judged(
                judge, joined[run_of(few)], own, self._rows
            )
        span = slice(max(0, end - self._rows), end)
        return Early(
            self.series, self._times[span], self._values[:, span], bands.expected, bands.half_width, settled + _observed(values)
        )

    def take(self, kept: IntArray) -> None:
        """Go on with other series; -1 is a new one, which begins here."""
        place = np.full(max(int(kept.max(initial=-1)), int(self.series.max(initial=-1))) + 1, -1, dtype=np.int64)
        place[self.series] = np.arange(self.series.size)
        rows = np.where(kept >= 0, place[np.maximum(kept, 0)] if place.size else -1, -1)
        wanted = np.flatnonzero((rows >= 0) | (kept < 0))
        self._keep(wanted, rows[wanted])

    def _keep(self, series: IntArray, places: IntArray) -> None:
        """Go on with these series, from these places; -1 is one that has no rows yet."""
        self.series = series
        self._values = _placed(self._values, places)
        self._bands = _placed_bands(self._bands, places)
        self._next = None if self._next is None else _placed_bands(self._next, places)

    def _write(self, times: FloatArray, values: FloatArray) -> None:
        """Put columns [series, time] behind the settled ones, and make room for them first."""
        end, room = self._size + times.size, self._values.shape[1]
        if end > room:
            kept = min(self._size, self._rows + TAIL)
            old = slice(self._size - kept, self._size)
            room = min(self._rows + TAIL, kept) + times.size + _ROOM
            moved = np.full((self.series.size, room), np.nan)
            moved[:, :kept] = self._values[:, old]
            self._values, self._times, self._size = moved, np.append(self._times[old], np.zeros(room - kept)), kept
            end = kept + times.size
        self._values[:, self._size : end], self._times[self._size : end] = values, times

    def _judge_settled(self, judge: FirstJudge, shown: int) -> Bands:
        """See to it that every settled column that is shown has its band; give that of a column that would follow."""
        # Others came meanwhile, or a tick shows more of them than the ones before did.
        last = min(self._unjudged, shown) if shown <= self._unjudged + self._judged else shown
        if self._next is None or last:
            rows = self._values[:, max(0, self._size - self._rows - last) : self._size]
            expected, half_width = _judged(judge, rows, last, self._rows, following=True)
            self._bands.expected[:, TAIL - last :], self._bands.half_width[:, TAIL - last :] = (
                expected[:, :last],
                half_width[:, :last],
            )
            self._judged = last if last < self._unjudged else max(last, self._unjudged + self._judged)
            self._next, self._unjudged = Bands(expected[:, last:], half_width[:, last:]), 0
        return self._next


def _judged(
    judge: FirstJudge, values: FloatArray, last: int, most: int, *, following: bool = False
) -> tuple[FloatArray, FloatArray]:
    """Give what is expected and how far is normal in the last columns [series, last], and in one that would follow if asked for."""
    expected, half_width = np.full((2, values.shape[0], last + following), np.nan)
    for first in range(0, values.shape[0], _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        bands = judge.bands(values[part], last, most)
        expected[part], half_width[part] = bands.expected[:, : last + following], bands.half_width[:, : last + following]
    return expected, half_width


def _observed(values: FloatArray) -> IntArray:
    """Count the values of each series before the newest column."""
    counted: IntArray = np.isfinite(values[:, :-1]).sum(axis=1)
    return counted


def _no_bands(series: int, columns: int) -> Bands:
    return Bands(np.full((series, columns), np.nan), np.full((series, columns), np.nan))


def _placed(rows: FloatArray, places: IntArray) -> FloatArray:
    placed = np.full((places.size, rows.shape[1]), np.nan)
    old = places >= 0
    placed[old] = rows[places[old]]
    return placed


def _placed_bands(bands: Bands, places: IntArray) -> Bands:
    return Bands(_placed(bands.expected, places), _placed(bands.half_width, places))
