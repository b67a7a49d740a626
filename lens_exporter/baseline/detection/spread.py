"""How far each series usually strays from what is expected of it, and how suddenly: the scale that makes departures comparable."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lens_exporter.baseline.detection import ranks
from lens_exporter.baseline.detection.regroup import picked
from lens_exporter.baseline.detection.shifts import followed
from lens_exporter.baseline.detection.structure import BoolArray, IntArray
from lens_exporter.baseline.detection.tuning import DAY, REFIT, Tuning
from lens_exporter.model.window import FloatArray

_ENTRIES = 168 // REFIT  # of the memory: a week
_ALWAYS = np.iinfo(np.int64).min  # since when entries count
_COUNT, _R, _E, _SUMS = 0, 1, 4, 7  # places among the sums: values; r, r^2, r^4; e, e^2, e^4
_FOURTH_OF_NORMAL = 3.0  # E z^4 of the normal distribution
_TAIL_SHARE = 0.25  # how much of the scale is the fourth moment's: a heavy-tailed series is judged by its tails too
_OF_RANGE, _OF_LEVEL, _OF_FULL = 0.01, 0.001, 0.002  # floors of the scale
_NOTHING = 1e-12
_FAR = 40.0  # spreads, and
_RANGES = 10.0  # ranges of the week: what lies beyond both is learnt as if it lay there
_FIRST, _FIRST_ROWS, _FIRST_TRUST = 3600.0, 30, 0.25  # seconds and rows after which a series has a score at all, and its weight
_FEW = 300  # columns: so many are sorted as soon as they are gone through row by row
_BETWEEN = 0.5  # of the variance lies between parts of the week: so much of a series that was beside its level for long
_CALM, _EDGE = 0.86, 1.5  # of the parts of a week, and times what the wildest of those stray by inside
_STEADY = 0.95  # part of the rows with a value, of a series whose silence means something


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """Mean and spread of residuals r and jumps e of each series, arrays [series]. known is False where too little was seen.

    trust is what a departure counts for: 1 of what is known for half a day; before that a quarter, since the first round of a day
    is always unlike what came before it, and in the first hour (or thirty rows) 0. Late members of a group wait (`Engine`).
    """

    r_mean: FloatArray
    r_sd: FloatArray
    r_spread: FloatArray
    e_mean: FloatArray
    e_spread: FloatArray
    reach: FloatArray  # how far from r_mean a residual is learnt as it is: one wild reading must not hide what comes after it
    known: BoolArray
    trust: FloatArray

    def tamed(self, r: FloatArray) -> FloatArray:
        """Give residuals [time, series] as they are learnt."""
        tamed: FloatArray = np.maximum(r, self.r_mean - self.reach)  # as np.clip, which takes four times as long over few rows
        return np.minimum(tamed, self.r_mean + self.reach, out=tamed)

    def take(self, kept: IntArray) -> "Scale":
        """Give the series at these indices, in this order; -1 is one that was never seen."""
        r_mean, e_mean = (picked(one, kept, new=0.0) for one in (self.r_mean, self.e_mean))
        r_sd, r_spread, e_spread = (picked(one, kept, new=1.0) for one in (self.r_sd, self.r_spread, self.e_spread))
        reach, known = picked(self.reach, kept, new=np.inf), picked(self.known, kept, new=False)
        return Scale(r_mean, r_sd, r_spread, e_mean, e_spread, reach, known, picked(self.trust, kept, new=0.0))


@dataclass(frozen=True, slots=True, eq=False)
class _Extent:
    """How far the values of a week lie apart, arrays [series]."""

    highest: FloatArray
    lowest: FloatArray
    usual: FloatArray  # the range without what a single part of the week reached


@dataclass(slots=True, eq=False)
class _Open:
    """The entry that rows are added to. sums [sum, series], the others [series]."""

    sums: FloatArray
    low: FloatArray
    high: FloatArray
    present: FloatArray
    rows: int = 0

    def take(self, kept: IntArray) -> "_Open":
        sums, present = (picked(one, kept, new=0.0) for one in (self.sums, self.present))
        return _Open(sums, picked(self.low, kept, new=np.nan), picked(self.high, kept, new=np.nan), present, self.rows)


class Spread:
    """Sums of powers of r and e over a week, of rows that no alarm keeps out.

    sd is the plain standard deviation: magnitude is kept, nothing is robust, since rows under an alarm are left out already.
    spread = sd^0.75 * (E(r - mean)^4 / 3)^(0.25/4): equal to sd for normal noise, wider for heavy tails. Both are at least
    1 % of the week's range of values, 0.1 % of the level and 0.2 % of a declared full scale. Residuals come tamed (`Scale.reach`),
    and the highest value counts as at most ten ranges above what another part of the week reached: a single counter that
    underflows must not be the scale of everything for a week.

    When a season is found that explains far more than was known before, older residuals are no measure of those to come. The last
    day's count in any case, so that the scale comes down within a day. Were they kept for a week, everything would look normal for
    so long, the budget would follow, and when they leave ordinary rows would be alarms. Of a week that is found all count, but
    only by how they strayed inside: held to the last day, a Sunday, the busy hours of Monday would stand against idle ones.

    When a level has followed a shift (`shifts.followed`), the residuals of the days until then count as if it had been the level:
    by how they strayed among themselves. Else a series would be blind for a week after each.

    The memory has an entry for the hours between two fits. Of second and fourth powers it keeps the square and the fourth root:
    single precision does not reach to the fourth power of gigabytes, nor down to that of nanoseconds.
    """

    def __init__(self, series: int, tuning: Tuning) -> None:
        self._full = np.nan_to_num(tuning.full) if tuning.full is not None else np.zeros(series)
        self._sums = np.zeros((_SUMS, _ENTRIES, series), dtype=np.float32)
        self._low = np.full((_ENTRIES, series), np.nan, dtype=np.float32)
        self._high = np.full((_ENTRIES, series), np.nan, dtype=np.float32)
        self._present = np.zeros((_ENTRIES if tuning.missing else 0, series), dtype=np.float32)
        self._rows = np.zeros(_ENTRIES)
        self._entry: int | None = None  # the one an hour ended in last
        self._since = np.full(series, _ALWAYS)
        self._per_day = max(1, round(DAY / (REFIT * tuning.hour)))
        self._open = _nothing_yet(series)
        self._enough = 0.5 * DAY / tuning.step
        self._first = max(_FIRST / tuning.step, _FIRST_ROWS)
        self._steady = np.zeros(series, dtype=np.bool_)
        self._extent: _Extent | None = None
        self._shifts: list[tuple[int, IntArray]] = []

    def learn(self, values: FloatArray, powers: FloatArray) -> None:
        """Add rows [time, series] of the running hour. powers are what `powers_of` gives of them."""
        entry = self._open
        entry.rows += values.shape[0]
        if self._present.size:
            entry.present += np.isfinite(values).sum(axis=0)
        np.fmin(entry.low, np.fmin.reduce(values), out=entry.low)
        np.fmax(entry.high, np.fmax.reduce(values), out=entry.high)
        for row in powers:  # one by one, so that the sum does not depend on the block they came in
            entry.sums += row

    def begin_anew(self, which: BoolArray) -> None:
        """Count only what comes, and the last day, of the series that `which` [series] marks."""
        if self._entry is not None:
            self._since[which] = self._entry + 1

    def level_out(self, which: BoolArray) -> None:
        """Count of the week only how each part strayed inside, of the series that `which` [series] marks, and not where it lay.

        Nor parts that strayed inside by far more than one in seven does: an edge that was not known yet lay in them. Parts that do
        not count, since a day was found later, say nothing about the others and stay as they are.
        """
        series = np.flatnonzero(which & self._sums[_COUNT].any(axis=0))  # of one whose rows were all kept out nothing is known
        if self._entry is None or not series.size:
            return
        counted = self._counted()
        sums = self._sums[:_E] if counted is None else self._sums[:_E] * counted
        rows, means, inside = self._parts(sums, np.arange(_ENTRIES), series)
        calm, level = inside <= _EDGE * np.nanquantile(inside, _CALM, axis=0), ranks.median(means)
        places, some = np.nonzero(rows)
        self._level(places, series[some], (rows * calm)[places, some], inside[places, some], level[some])
        self._sums[_E:, places, series[some]] *= calm[places, some]

    def _parts(self, sums: NDArray[np.float32], places: IntArray, which: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Give rows, mean and standard deviation of the residuals in entries [place, which]; NaN where there are none."""
        rows, first, root = (each[places][:, which].astype(np.float64) for each in sums[: _R + 2])
        with np.errstate(invalid="ignore", divide="ignore"):
            means = first / rows
            return rows, means, np.sqrt(np.maximum(root**2 / rows - means**2, 0.0))

    def _level(self, places: IntArray, series: IntArray, rows: FloatArray, strayed: FloatArray, level: FloatArray) -> None:
        """Let entries count as if they had strayed around a level."""
        count, strayed = np.nan_to_num(rows), np.nan_to_num(strayed)
        fourth_root = (_FOURTH_OF_NORMAL * count) ** 0.25 * strayed
        self._sums[_COUNT, places, series] = count
        self._sums[_R:_E, places, series] = count * level, np.sqrt(count * (strayed**2 + level**2)), fourth_root

    def close(self, hour: int, following: int) -> None:
        """End an hour. The rows that come are of the hour `following`."""
        number, entry = hour // REFIT, self._open
        first = number if self._entry is None else max(self._entry + 1, number - _ENTRIES + 1)
        begun = np.arange(first, number + 1) % _ENTRIES
        if begun.size:
            self._sums[:, begun], self._low[begun], self._high[begun], self._rows[begun] = 0.0, np.nan, np.nan, 0.0
        self._entry, slot = number, number % _ENTRIES
        kept = entry.sums.copy()
        for place in (_R, _E):
            kept[place + 1] = np.sqrt(kept[place + 1])
            kept[place + 2] = np.sqrt(np.sqrt(kept[place + 2]))
        self._sums[:, slot] = kept
        self._low[slot], self._high[slot], self._rows[slot] = entry.low, entry.high, entry.rows
        if self._present.size:
            self._present[begun], self._present[slot] = 0.0, entry.present
            rows = self._rows.sum()
            self._steady = (self._present.sum(axis=0) >= _STEADY * rows) & (rows >= 2.0 * self._enough)
        self._extent = None
        if following // REFIT != number:
            self._open = _nothing_yet(self._full.size)

    def fit(self, level: FloatArray) -> Scale:
        """Give the scale as of now. level [series] is the usual level of each series."""
        count = self._sums[_COUNT].sum(axis=0, dtype=np.float64)
        extent = self._week()
        floor = np.maximum(
            _OF_RANGE * _known_or_none(extent.highest - extent.lowest) + _OF_LEVEL * np.abs(_known_or_none(level)),
            np.maximum(_OF_FULL * self._full, _NOTHING),
        )
        counted = self._counted()
        sums = self._sums if counted is None else self._sums * counted
        r_mean, r_sd, r_spread = _moments((sums[_COUNT], *sums[_R:_E]), floor)
        e_mean, _, e_spread = _moments((sums[_COUNT], *sums[_E:]), floor)
        self._shifts.clear()
        shifted = self._without_shifts(sums, self._beside_a_level(sums, r_mean, r_sd, floor), floor)
        if shifted.size:
            sums = self._sums[:_E, :, shifted] * (1.0 if counted is None else counted[:, shifted])
            r_mean[shifted], r_sd[shifted], r_spread[shifted] = _moments(tuple(sums), floor[shifted])
        known = count >= self._enough
        reach = np.where(known, np.maximum(_FAR * r_spread, _RANGES * extent.usual), np.inf)
        trust = np.where(known, 1.0, np.where(count >= self._first, _FIRST_TRUST, 0.0))
        return Scale(r_mean, r_sd, r_spread, e_mean, e_spread, reach, known, trust)

    def extremes(self) -> tuple[FloatArray, FloatArray]:
        """Give the highest and lowest value of each series [series] that is remembered; NaN where there is none.

        One that was reached in a single part of the week counts as at most ten ranges beyond what another part reached.
        """
        return self._week().highest, self._week().lowest

    def _week(self) -> "_Extent":
        if self._extent is None:
            highest, high = _two_highest(self._high)
            lowest, low = (-one for one in _two_highest(-self._low))
            usual = _known_or_none(high - low)
            far = _RANGES * usual
            self._extent = _Extent(np.fmin(highest, high + far), np.fmax(lowest, low - far), usual)
        return self._extent

    def shifts(self) -> Iterator[tuple[range, IntArray]]:
        """Give hours of shifts that the level had followed at the last fit, and the series that had them."""
        for entry, series in self._shifts:
            yield range(entry * REFIT, (entry + 1) * REFIT), series

    def steady(self) -> BoolArray:
        """Tell which series [series] have had a value in nearly every row of the week."""
        return self._steady

    def take(self, kept: IntArray, full: FloatArray | None) -> None:
        """Keep the series at these indices, in this order; -1 is a new one. full is the declared full scale of each from now on."""
        self._full = np.nan_to_num(full) if full is not None else np.zeros(kept.size)
        self._sums, self._present = (picked(one, kept, new=0.0) for one in (self._sums, self._present))
        self._low, self._high = (picked(one, kept, new=np.nan) for one in (self._low, self._high))
        self._open = self._open.take(kept)
        self._steady, self._since = picked(self._steady, kept, new=False), picked(self._since, kept, new=_ALWAYS)
        self._extent = None

    def _counted(self) -> NDArray[np.float32] | None:
        """Give 1 for the entries [entry, series] that count and 0 for the others; None: all of them do."""
        if self._entry is None:
            return None
        oldest = self._entry - _ENTRIES + 1
        if self._since.max(initial=_ALWAYS) <= oldest:
            return None
        number = oldest + (np.arange(_ENTRIES) - oldest) % _ENTRIES  # of the entry in each place
        since = np.minimum(self._since, self._entry - self._per_day + 1)
        counted = (number[:, None] >= since).astype(np.float32)
        enough = (self._sums[_COUNT] * counted).sum(axis=0) >= self._enough  # else the last day was all gaps
        return np.where(enough, counted, np.float32(1.0))

    def _beside_a_level(self, sums: NDArray[np.float32], mean: FloatArray, sd: FloatArray, floor: FloatArray) -> IntArray:
        """Give the series most of whose variance is that of the means of their entries."""
        rows = np.maximum(sums[_COUNT], np.float32(1.0))
        count = sums[_COUNT].sum(axis=0, dtype=np.float64)
        between = (sums[_R].astype(np.float64) ** 2 / rows).sum(axis=0) / np.maximum(count, 1.0) - mean**2
        return np.flatnonzero((between > _BETWEEN * sd**2) & (sd > floor) & (count >= 2.0 * self._enough))

    def _without_shifts(self, sums: NDArray[np.float32], which: IntArray, floor: FloatArray) -> IntArray:
        """Let shifts that the level has followed count as if it had been the level. Gives the series that had some.

        sums are what counts of the memory: what was before a season is no measure of what is far, either.
        """
        if not which.size:
            return which
        newest = 0 if self._entry is None else self._entry
        places = (newest + 1 + np.arange(_ENTRIES)) % _ENTRIES  # oldest first
        rows, means, inside = self._parts(sums, places, which)
        low, high = (each[places][:, which].astype(np.float64) for each in (self._low, self._high))
        shift = followed(means, inside, 0.5 * (low + high), floor[which], self._per_day)
        usual = ranks.median(means)
        for entry in np.flatnonzero(shift.any(axis=1)):
            some = shift[entry]
            series = which[some]
            self._level(places[entry], series, rows[entry, some], inside[entry, some], usual[some])
            self._shifts.append((newest - _ENTRIES + 1 + int(entry), series))
        return which[shift.any(axis=0)]


def _moments(sums: tuple[NDArray[Any], ...], floor: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Give mean, standard deviation and spread [series], both at least floor [series].

    sums [entry, series] are counts, sums, roots of second and fourth roots of fourth powers, in this order.
    """
    rows, first, root, fourth_root = sums
    count = np.maximum(rows.sum(axis=0, dtype=np.float64), 1.0)
    mean = first.sum(axis=0, dtype=np.float64) / count
    second = _sum_of_squares(root.astype(np.float64)) / count
    fourth = _sum_of_squares(fourth_root.astype(np.float64) ** 2) / count
    sd = np.maximum(np.sqrt(np.maximum(second - mean**2, 0.0)), floor)
    tails = np.maximum(np.sqrt(np.sqrt(fourth / _FOURTH_OF_NORMAL)), sd)
    return mean, sd, sd ** (1.0 - _TAIL_SHARE) * tails**_TAIL_SHARE


def powers_of(r: FloatArray, e: FloatArray, learnt: BoolArray, scale: Scale) -> FloatArray:
    """Give what is summed up of residuals and jumps [time, series] as [time, sum, series]: those that are `learnt`, 0 of others."""
    powers = np.empty((len(r), _SUMS, r.shape[1]))
    powers[:, _COUNT] = learnt
    for place, x, mean in ((_R, r, scale.r_mean), (_E, e, scale.e_mean)):
        kept, off = np.where(learnt, x, 0.0), np.where(learnt, x - mean, 0.0)
        powers[:, place] = kept
        np.multiply(kept, kept, out=powers[:, place + 1])
        off *= off
        np.multiply(off, off, out=powers[:, place + 2])
    return powers


def nothing_known(series: int) -> Scale:
    """Give the scale of series that were never seen."""
    zeros, ones = np.zeros(series), np.ones(series)
    return Scale(zeros, ones, ones, zeros, ones, np.full(series, np.inf), np.zeros(series, dtype=np.bool_), zeros)


def _known_or_none(values: FloatArray) -> FloatArray:
    """Give values with 0 where they are not known."""
    known: FloatArray = np.where(np.isnan(values), 0.0, values)
    return known


def _two_highest(entries: NDArray[np.float32]) -> tuple[FloatArray, FloatArray]:
    """Give the highest and second highest of the entries [entry, series]; twice the same of one entry, NaN of none."""
    present = np.fmax(entries, np.float32(-np.inf))
    if entries.shape[1] < _FEW:
        second, highest = np.sort(present, axis=0)[-2:]
    else:
        highest = second = np.full(entries.shape[1], -np.inf, dtype=np.float32)
        for entry in present:
            second = np.maximum(second, np.minimum(highest, entry))
            highest = np.maximum(highest, entry)
    second = np.where(np.isinf(second), highest, second)
    nothing = np.isinf(highest)
    first, other = (np.where(nothing, np.nan, one).astype(np.float64) for one in (highest, second))
    return first, other


def _nothing_yet(series: int) -> _Open:
    return _Open(np.zeros((_SUMS, series)), np.full(series, np.nan), np.full(series, np.nan), np.zeros(series))


def _sum_of_squares(values: FloatArray) -> FloatArray:
    squares: FloatArray = np.einsum("es,es->s", values, values)
    return squares
