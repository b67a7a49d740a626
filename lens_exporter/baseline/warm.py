"""Series that are not known for a day yet: their rows, and what their first judge makes of them within the budget."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lens_exporter.baseline.detector import LEAST_RECORD, TAIL, Bands, FirstJudge
from lens_exporter.baseline.moved import had_moved
from lens_exporter.baseline.roster import Grouped, Roster, run_of
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import BoolArray, FloatArray, IntArray, Scores, Window, Young

_AT_ONCE = 512  # series
_ROOM = 64  # columns behind those that are kept: they are moved only now and then
_SETTLED = 20  # times as many settled rows as rows that may still change: then those need not be learnt from
_WEEK = 7 * 86_400.0
_LASTS = 3  # readings in which a series must be far away to count as gone there
_SEVERAL, _PART = 3, 0.15  # of a group: so many at least, and this part of its series


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

    def followed_by(self, times: FloatArray, values: FloatArray, judge: FirstJudge) -> "Early":
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


@dataclass(frozen=True, slots=True, eq=False)
class Early:
    """Young series with the day's rows [series, time], and the bands of the last of these columns."""

    series: IntArray
    times: FloatArray
    values: FloatArray
    expected: FloatArray
    half_width: FloatArray
    observations: IntArray  # values before the newest column

    def window(self, metric: str, roster: Roster, chosen: IntArray, step: float, warnings: tuple[str, ...]) -> Window:
        """Give the rows of some of its series, by their place in `series`."""
        labels = tuple(roster.labels[series] for series in self.series[chosen].tolist())
        return Window(metric, labels, self.times, self.values[run_of(chosen)], step, warnings)

    def scores(
        self, metrics: Sequence[BaselineMetric], roster: Roster, grouped: Grouped, *, per_week: float, step: float
    ) -> Scores:
        """Hold the newest columns to the bands and to the budget.

        per_week: false alarms that each group, or lone series, may have.
        """
        columns = self.expected.shape[1]
        newest = self.values[:, self.values.shape[1] - columns :]
        with np.errstate(over="ignore", invalid="ignore"):  # near the largest float an infinite or no score is the right answer
            score = (np.where(np.isfinite(newest), newest, np.nan) - self.expected) / self.half_width
            lower, upper = self.expected - self.half_width, self.expected + self.half_width
        allowed = per_week * np.maximum(1, self.observations) * step / _WEEK
        side = np.array([metric.side for metric in metrics])[roster.metric_of[self.series]]
        far = _stayed(score[:, -_LASTS:], side) > LEAST_RECORD / np.sqrt(allowed)
        moved = np.zeros_like(far)
        for place in np.flatnonzero(far):
            moved[place] = had_moved(self.values[place], self.expected[place, -1], self.half_width[place, -1])
        together = self._together(grouped, far, moved)
        shares = np.where(together, 1.0, grouped.shares[self.series])
        return Scores(self.expected, lower, upper, score, self.observations, young=Young(1.0 / np.sqrt(allowed * shares), together))

    def _together(self, grouped: Grouped, far: BoolArray, moved: BoolArray) -> BoolArray:
        """Mark young series of groups of which several are far away: one thing happens to them then, not one of many.

        One at least must have moved before: what rested may begin together, as the figures of a disk do that is used at last.
        """
        of, groups = grouped.of[self.series], len(grouped.groups)
        members = np.bincount(grouped.of[grouped.of >= 0], minlength=groups)
        counted, lively = (np.bincount(of[mine & (of >= 0)], minlength=groups) for mine in (far, far & moved))
        mark: BoolArray = (counted >= np.maximum(_SEVERAL, _PART * members)) & (lively > 0)
        marked: BoolArray = np.append(mark, False)[of]
        return marked


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


def _stayed(score: FloatArray, side: FloatArray) -> FloatArray:
    """Give how far outside, on its bad side, each series [series] stayed for all of the columns [series, time] that are no gaps.

    NaN of fewer than two.
    """
    if not score.shape[1]:
        return np.full(score.shape[0], np.nan)
    score = np.where(np.isfinite(score).sum(axis=1, keepdims=True) >= 2, score, np.nan)
    above, below = np.fmin.reduce(score, axis=1), -np.fmax.reduce(score, axis=1)
    stayed: FloatArray = np.where(side > 0, above, np.where(side < 0, below, np.maximum(above, below)))
    return stayed
