"""What is to be expected of each series at this hour: the level, the same time of day, or the same time of the week."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lens_exporter.baseline.detection import candidates, ranks
from lens_exporter.baseline.detection.candidates import Candidates
from lens_exporter.baseline.detection.regroup import picked
from lens_exporter.baseline.detection.spread import Scale
from lens_exporter.baseline.detection.streams import Expected, Unexpected, unexpected
from lens_exporter.baseline.detection.structure import BoolArray, IntArray
from lens_exporter.baseline.detection.tuning import DAY, Tuning, utc
from lens_exporter.model.window import FloatArray

DAYS = 14  # of bins that are kept, and some more: two weeks ago, the bins beside it, and where a clock that is moved puts it
_MOST_MOVED = 2 * 3600.0
_LEVELS = (
    10  # medians of six hours each: the level is the median of these two and a half days, so it follows a shift after 30 hours
)
_SIX_HOURS = 6 * 3600.0
_ERROR_DAYS = 7.0  # time constant of the trailing error: a week of every candidate is compared, weekends and all
_PROVEN = 0.7 * 7.0  # days: of the weight of a whole past; eight days leave as much, seven with what was copied
_FEW_BINS = 4  # a day: those beside one are another time of day, or another day of the week
_DAYS_BEFORE = np.array([1, 2, 3, 4, 5, 6, 7, 7, 14])  # that are asked: of them the first seven for the daily candidate


class Seasons:
    """Learns bin means (15 minutes) of each series and predicts the bin that comes.

    The level is the median of the medians of the last ten stretches of six hours. A daily season is the median over the last
    seven days of the mean of the three bins around the same time of day; a weekly one the mean of the same for one and two weeks
    ago. After a shift these would be wrong for four days and for two weeks. So either is a candidate a second time: of each of
    those days by how far it was from the level that was in force then, put around the level in force now. Each series uses the
    candidate of the lowest trailing mean absolute error (`candidates.py`). What the three bins have by themselves is given
    beside it: where they differ, a value may be anything between. Times of day are those of the clock that `Tuning.offset`
    describes, so that a daylight saving change moves the season with the people who make it.
    """

    def __init__(self, series: int, tuning: Tuning) -> None:
        self._tuning = tuning
        self._per_day = tuning.bins_per_day
        self._beside = 0 if self._per_day <= _FEW_BINS else 1  # bins on either side that are about the same time of day
        # Where a bin is a row, an edge lies between two of them: either side of it would be whatever a slope does in an hour.
        self._within = self._beside if tuning.bin >= 2.0 * tuning.step else 0
        self._level_bins = max(1, round(_SIX_HOURS / tuning.bin))
        more = self._level_bins + 2 * self._beside + math.ceil(_MOST_MOVED / tuning.bin)
        self._size = DAYS * self._per_day + more
        # Means are kept relative to an origin: single precision is not enough for 1.7e9 +- 1.
        self._origin = np.full(series, np.nan)
        self._means = np.full((self._size, series), np.nan, dtype=np.float32)
        self._levels = np.full((_LEVELS, series), np.nan, dtype=np.float32)
        self._level = np.full(series, np.nan)
        self._stretches = self._size // self._level_bins + 1
        self._in_force = np.full((self._stretches, series), np.nan, dtype=np.float32)  # the level, in each stretch of six hours
        self._errors = np.zeros((candidates.COUNT, series))
        self._weights = np.zeros((candidates.COUNT, series))
        self._found = np.zeros(series, dtype=np.int8)  # the least simple candidate that was ever much better
        self._bin: int | None = None  # the open one,
        self._over = False  # or closed, until the next one is opened
        self._total, self._count = np.zeros(series), np.zeros(series)  # of its values so far
        # What was worked out already: until a bin ends, and for as long as a bin lies ahead.
        self._expected: dict[int, Expected] = {}
        self._seasonal: dict[int, FloatArray] = {}

    @property
    def level(self) -> FloatArray:
        """Give the usual level of each series [series], relative to nothing; NaN while unknown."""
        level: FloatArray = self._level + self._origin
        return level

    def means(self, series: IntArray) -> FloatArray:
        """Give the means of bins of these series in order of time, the open one last [bin, series]; NaN: not known."""
        newest = -1 if self._bin is None else self._bin
        order = (newest + 1 + np.arange(self._size)) % self._size
        means: FloatArray = self._means[:, series][order] + self._origin[series]
        if not self._over:
            means[-1] = np.nan
        return means

    def open(self, bin_: int) -> None:
        """Begin a bin: forget what lay between the last one and this, and decide what to expect of it."""
        if self._bin is not None and bin_ > self._bin + 1:
            self._means[np.arange(max(self._bin + 1, bin_ - self._size), bin_) % self._size] = np.nan
            last, following = self._bin // self._level_bins, bin_ // self._level_bins
            self._in_force[np.arange(max(last + 1, following - self._stretches), following) % self._stretches] = np.nan
        self._begin(bin_)

    def expected(self, bin_: int) -> Expected:
        """Give what is expected of a bin, the open one or a later one; NaN while nothing is known."""
        if bin_ not in self._expected:
            trailing = self._mean_errors(self._errors, self._weights)
            self._expected[bin_] = self._predicted(bin_).best(trailing, self._unproven(self._weights), self._origin)
        return self._expected[bin_]

    def learn(self, values: FloatArray, present: BoolArray) -> None:
        """Add rows [time, series] of the open bin; present [time, series] marks what is no gap."""
        for row in np.where(present, values, 0.0):  # one by one, so that the sum does not depend on the block they came in
            self._total += row
        self._count += present.sum(axis=0)

    def close(self) -> NDArray[np.int8]:
        """End the open bin. Gives the season of each series [series] that was just found to explain far more than others, or 0."""
        if self._bin is None or self._over:
            return np.zeros(self._level.shape, dtype=np.int8)
        self._over = True
        first = _means(self._total, self._count)
        self._origin = np.where(np.isnan(self._origin), first, self._origin)
        mean = first - self._origin
        self._means[self._bin % self._size] = mean
        self._errors, self._weights = self._trails(np.abs(self._predicted(self._bin).base - mean)[None])[1].copy()
        self._learn_level(self._bin)
        better = candidates.much_better(self._mean_errors(self._errors, self._weights))
        before, self._found = self._found, np.maximum(self._found, better)
        return np.where(self._found > before, self._found, candidates.LEVEL).astype(np.int8)

    def through(self, values: FloatArray, which: IntArray, scale: Scale, *, over: bool = False) -> Unexpected:
        """Learn rows [time, series] of the open bin and of those that follow it; give them beside what was expected of them.

        which [time] counts the bins from the open one on: 0, 0, 1, 1, 2 and so on. It is the same as closing and opening them one
        by one, and ends before a bin that needs more of an earlier one than its error: so it may give fewer rows, those of the
        open bin at least. scale is what residuals are measured in. The bin of the last row stays open, unless it is `over`, since
        the next row is of another one: it is closed then, for that is cheaper together with those before it.
        """
        ahead = self._ahead(int(which[-1]) + 1, values) if which[-1] else None
        if ahead is not None:
            rows = int(np.searchsorted(which, len(ahead.base)))
            return self._through(values[:rows], which[:rows], ahead, scale, over=over or rows < len(values))
        rows = int(np.searchsorted(which, 1))
        seen = unexpected(values[:rows], self.expected(self._opened), scale)
        self.learn(values[:rows] - seen.wild, np.isfinite(values[:rows]))
        return seen

    def take(self, kept: IntArray) -> None:
        """Keep the series at these indices, in this order; -1 is a new one."""
        for name in ("_means", "_levels", "_in_force", "_origin", "_level"):
            setattr(self, name, picked(getattr(self, name), kept, new=np.nan))
        for name in ("_errors", "_weights", "_total", "_count", "_found"):
            setattr(self, name, picked(getattr(self, name), kept, new=0.0))
        self._expected.clear()
        self._seasonal.clear()

    @property
    def _opened(self) -> int:
        if self._bin is None:
            raise RuntimeError("no bin is open")
        return self._bin

    def _ahead(self, most: int, values: FloatArray) -> Candidates | None:
        """Give the candidates [bin, candidate, series] of the open bin and those after it; None if no other is known."""
        bins = self._opened + np.arange(min(most, self._level_bins - self._opened % self._level_bins))  # then the level is another
        same = self._same_time(self._around(bins))
        # What is asked for must not change any more, nor must its place be taken.
        known = ((same < self._opened) & (same > self._opened + bins.size - self._size)).all(axis=1)
        several = int(known.argmin()) - 2 * self._beside if not known.all() else len(bins)
        new = np.isnan(self._level)
        if several < 2 or (new.any() and np.isfinite(values[:, new]).any()):  # its first bin is the level of the next
            return None
        return candidates.candidates(self._level, self._seasonal_of(same[: several + 2 * self._beside]))

    def _through(
        self,
        values: FloatArray,
        which: IntArray,
        predicted: Candidates,
        scale: Scale,
        *,
        over: bool,
    ) -> Unexpected:
        """Go through as many bins as something is predicted of.

        A bin's mean is that of its values as they are learnt; where one is wild, that depends on what was expected of it, and so
        on the bins before. At first none is taken to be; each round more gets one more bin right at least, and mostly all of them.
        """
        bins, present = self._opened + np.arange(len(predicted.base)), np.isfinite(values)
        first = np.searchsorted(which, np.arange(bins.size))  # row of each bin
        count = np.add.reduceat(present, first, axis=0, dtype=np.float64)
        count[0] += self._count
        closed = bins.size if over else bins.size - 1
        learnt, expected = values, None
        while True:
            total = _totals(self._total, np.where(present, learnt, 0.0), first)
            mean = _means(total[:closed], count[:closed]) - self._origin
            trails = self._trails(np.abs(predicted.base[:closed] - mean[:, None]))
            trailing = self._mean_errors(trails[:, 0], trails[:, 1])
            before, expected = expected, predicted.best(trailing[: bins.size], self._unproven(trails[: bins.size, 1]), self._origin)
            if before is not None and expected.same_as(before):
                break
            seen = unexpected(values, expected.at(which), scale)
            if before is None and not seen.wild.any(where=present):
                break
            learnt = values - seen.wild
        if not over:
            self._begin(int(bins[-1]))
            self._total, self._count = total[-1].copy(), count[-1].copy()
        self._means[bins[:closed] % self._size] = mean
        self._errors, self._weights = trails[-1].copy()
        best = np.maximum.accumulate(np.concatenate([self._found[None], candidates.much_better(trailing[1:])]))
        self._found, found = best[-1].copy(), np.where(best[1:] > best[:-1], best[1:], candidates.LEVEL).astype(np.int8)
        if over:
            self._bin, self._over = int(bins[-1]), True
            self._learn_level(self._bin)
        if not found.any():
            return seen
        begins = [*first[1:].tolist(), len(values)]
        return replace(seen, found=tuple((begins[at], found[at]) for at in np.flatnonzero(found.any(axis=1))))

    def _begin(self, bin_: int) -> None:
        self._means[bin_ % self._size] = np.nan
        self._in_force[bin_ // self._level_bins % self._stretches] = self._level
        self._bin, self._over = bin_, False
        self._total, self._count = np.zeros_like(self._total), np.zeros_like(self._count)
        self._expected.clear()
        self._seasonal = {ahead: seasonal for ahead, seasonal in self._seasonal.items() if ahead >= bin_}

    def _trails(self, off: FloatArray) -> FloatArray:
        """Give errors and weights [bin, which, candidate, series] before each bin and after the last; off is how far each was.

        Where that is not known (NaN) nothing changes, but for incidents (`_erred_as_well`).
        """
        trails, more = np.empty((2, len(off) + 1, 2, *self._errors.shape))
        trails[0, 0], trails[0, 1] = self._errors, self._weights
        more[:-1, 0], more[:-1, 1] = off, 1.0
        unknown, keep = ~np.isfinite(off), np.exp(-self._tuning.bin / (_ERROR_DAYS * DAY))
        some = unknown.any()
        for bin_ in range(len(off)):
            if some:
                self._erred_as_well(trails[bin_], more[bin_, 0], unknown[bin_])
            np.multiply(trails[bin_], keep, out=trails[bin_ + 1])
            trails[bin_ + 1] += more[bin_]
            if some:
                np.copyto(trails[bin_ + 1], trails[bin_], where=unknown[bin_])
        return trails

    def _erred_as_well(self, trail: FloatArray, off: FloatArray, unknown: BoolArray) -> None:
        """Let a week that is not known yet err as the day does where that is far off; the rest are [candidate, series].

        Held to what came later alone, an incident of its first days would have been everybody's error but its own, and be
        expected a week later.
        """
        for week, day in ((candidates.WEEKLY, candidates.DAILY), (candidates.WEEKLY_AROUND, candidates.DAILY_AROUND)):
            known_for = trail[1, day]
            incident = (
                (known_for >= self._per_day / 4) & (off[day] * known_for > candidates.FAR_OFF * trail[0, day]) & unknown[week]
            )
            off[week, incident] = off[day, incident]
            unknown[week] &= ~incident

    def _learn_level(self, bin_: int) -> None:
        bins = np.arange(bin_ - self._level_bins + 1, bin_ + 1) % self._size
        if (bin_ + 1) % self._level_bins == 0:
            self._levels[(bin_ + 1) // self._level_bins % _LEVELS] = ranks.median(self._means[bins])
            self._level = ranks.median(self._levels)
            return
        new = np.flatnonzero(np.isnan(self._level))
        if new.size:  # a series' first six hours: what it has shown so far
            self._level[new] = ranks.median(self._means[bins[:, None], new])

    def _same_time(self, bins: IntArray) -> IntArray:
        """Give the bins of the same time of day [bin, day], as many days before each as are asked."""
        offset, length = self._tuning.offset, self._tuning.bin
        same: IntArray = bins[:, None] - _DAYS_BEFORE * self._per_day
        if offset is not utc:
            moved = [
                [(now - offset(at - days * DAY)) / length for days in _DAYS_BEFORE.tolist()]
                for at, now in ((at, offset(at)) for at in (bins * length).tolist())
            ]
            same += np.rint(moved).astype(np.int64)
        return same

    def _around(self, bins: IntArray) -> IntArray:
        """Give bins that follow one another with those beside them."""
        around: IntArray = np.arange(bins[0] - self._beside, bins[-1] + self._beside + 1)
        return around

    def _seasonal_of(self, same: IntArray) -> FloatArray:
        """Give the daily and the weekly season of bins, [base, low, high or around, bin, 2, series].

        same are the bins of the same time of day [bin, day], also of the bins before the first and after the last.
        """
        means = self._means[same.T % self._size]  # [day, bin, series]
        unknown: BoolArray = np.greater_equal(same.T, self._opened)
        if unknown.any():
            means[unknown] = np.nan
        bins = len(same) - 2 * self._beside
        seasonal = np.empty((4, bins, 2, means.shape[2]))
        sides = range(2 * self._beside + 1)
        about = candidates.mean([means[:, side : side + bins] for side in sides]) if self._beside else means
        about = about.astype(np.float32)
        seasonal[0] = candidates.daily_and_weekly(about)
        each = candidates.daily_and_weekly(means)
        near = range(self._beside - self._within, self._beside + self._within + 1)
        found = [seasonal[0], *(each[side : side + bins] for side in near)]
        seasonal[1], seasonal[2] = (farthest.reduce(found) for farthest in (np.fmin, np.fmax))
        stretches = same[self._beside : self._beside + bins].T // self._level_bins
        if (stretches == stretches[:, :1]).all():  # as it mostly is: then one level of each day is enough
            stretches = stretches[:, :1]
        seasonal[3] = candidates.daily_and_weekly(about - self._in_force[stretches % self._stretches])
        return seasonal

    def _predicted(self, bin_: int) -> Candidates:
        return candidates.candidates(self._level, self._seasons_at(bin_))

    def _seasons_at(self, bin_: int) -> FloatArray:
        if bin_ in self._seasonal:
            return self._seasonal[bin_]
        if self._bin is None:  # looked ahead before a row was learnt
            return np.full((4, 2, self._level.size), np.nan)
        seasonal: FloatArray = self._seasonal_of(self._same_time(self._around(np.array([bin_]))))[:, 0]
        if bin_ < self._bin + self._per_day // 2:  # no later bin has a say in it
            self._seasonal[bin_] = seasonal
        return seasonal

    def _unproven(self, weights: FloatArray) -> BoolArray:
        """Tell of which series [..., series] a week has not been compared for a week yet."""
        unproven: BoolArray = weights[..., candidates.WEEKLY, :] < _PROVEN * self._per_day
        return unproven

    def _mean_errors(self, errors: FloatArray, weights: FloatArray) -> FloatArray:
        """Give the trailing error of each candidate [..., candidate, series]; infinite while too little is known of it."""
        mean: FloatArray = np.where(weights >= self._per_day / 4, errors / np.maximum(weights, 1e-9), np.inf)
        return mean


def _means(total: FloatArray, count: FloatArray) -> FloatArray:
    means: FloatArray = np.where(count > 0.0, total / np.maximum(count, 1.0), np.nan)
    return means


def _totals(begun: FloatArray, values: FloatArray, first: IntArray) -> FloatArray:
    """Add up rows [time, series] of each bin [bin, series]; first is the first row of each, begun what the first bin has already.

    One row of each bin after the other, as in `Seasons.learn`.
    """
    total = np.zeros((first.size, begun.size))
    total[0] = begun
    rows = np.empty_like(first)
    rows[:-1], rows[-1] = first[1:] - first[:-1], len(values) - first[-1]
    for place in range(rows.max()):
        some = rows > place
        total[some] += values[first[some] + place]
    return total
