"""What is to be expected of each series at this hour: the level, the same time of day, or the same time of the week."""

import numpy as np
from numpy.typing import NDArray

from lens_exporter.baseline.detection import ranks
from lens_exporter.baseline.detection.regroup import picked
from lens_exporter.baseline.detection.structure import BoolArray, IntArray
from lens_exporter.baseline.detection.tuning import DAY, Tuning
from lens_exporter.model.window import FloatArray

DAYS = 15  # of bins that are kept: two weeks ago and the bins beside it
_LEVELS = 28  # medians of six hours each: the level is the median of the last week's
_SIX_HOURS = 6 * 3600.0
_ERROR_DAYS = 1.5  # time constant of the trailing error: the mean age of three days of errors
_WEEKLY_MUST_WIN = 0.7  # part of the best other error; a week is known from two samples at most, so it must be clearly better
_MUCH_BETTER = 0.5  # of the error of all simpler candidates: from then on residuals are another measure
_LEVEL, _DAILY, _WEEKLY = 0, 1, 2  # places among the candidates, from the simplest on


class Seasons:
    """Learns bin means (15 minutes) of each series and predicts the bin that comes.

    Three candidates: the level, the median of the medians of the last 28 stretches of six hours; the daily one, the median
    over the last seven days of the mean of the three bins around the same time of day; the weekly one, the mean of the same for
    one and two weeks ago. Each series uses the candidate of the lowest trailing mean absolute error. Times of day are those of
    the clock that `Tuning.offset` describes, so that a daylight saving change moves the season with the people who make it.
    """

    def __init__(self, series: int, tuning: Tuning) -> None:
        self._tuning = tuning
        self._per_day = tuning.bins_per_day
        self._size = DAYS * self._per_day
        self._level_bins = max(1, round(_SIX_HOURS / tuning.bin))
        # Means are kept relative to an origin: single precision is not enough for 1.7e9 +- 1.
        self._origin = np.full(series, np.nan)
        self._recent = np.full((max(self._level_bins, 3), series), np.nan, dtype=np.float32)  # of the last bins, each by itself
        self._around = np.full((self._size, series), np.nan, dtype=np.float32)  # of a bin and both beside it
        self._levels = np.full((_LEVELS, series), np.nan, dtype=np.float32)
        self._level = np.full(series, np.nan)
        self._errors = np.zeros((3, series))
        self._weights = np.zeros((3, series))
        self._candidates = np.full((3, series), np.nan)
        self._found = np.zeros(series, dtype=np.int8)  # the least simple candidate that was ever much better
        self._bin: int | None = None  # the open one
        self._total, self._count = np.zeros(series), np.zeros(series)  # of its values so far
        # What was worked out already: until a bin ends, and for as long as a bin lies ahead.
        self._expected: dict[int, FloatArray] = {}
        self._seasonal: dict[int, FloatArray] = {}

    @property
    def level(self) -> FloatArray:
        """Give the usual level of each series [series], relative to nothing; NaN while unknown."""
        level: FloatArray = self._level + self._origin
        return level

    def open(self, bin_: int) -> None:
        """Begin a bin: forget what lay between the last one and this, and decide what to expect of it."""
        if self._bin is not None and bin_ > self._bin + 1:
            last = self._recent[self._bin % len(self._recent)].copy()
            skipped = np.arange(max(self._bin + 1, bin_ - self._size), bin_)
            self._recent[skipped % len(self._recent)] = np.nan
            self._around[skipped % self._size] = np.nan
            if skipped[0] == self._bin + 1:
                self._around[skipped[0] % self._size] = last
        self._around[bin_ % self._size] = np.nan
        self._bin = bin_
        self._total, self._count = np.zeros_like(self._total), np.zeros_like(self._count)
        self._expected.clear()
        self._seasonal = {ahead: seasonal for ahead, seasonal in self._seasonal.items() if ahead >= bin_}
        self._candidates = self._predicted(bin_)

    def expected(self, bin_: int) -> FloatArray:
        """Give what is expected of a bin [series], the open one or a later one; NaN while nothing is known."""
        if bin_ not in self._expected:
            candidates = self._candidates if bin_ == self._bin else self._predicted(bin_)
            self._expected[bin_] = self._picked(candidates) + self._origin
        return self._expected[bin_]

    def learn(self, values: FloatArray, present: BoolArray) -> None:
        """Add rows [time, series] of the open bin; present [time, series] marks what is no gap."""
        for row in np.where(present, values, 0.0):  # one by one, so that the sum does not depend on the block they came in
            self._total += row
        self._count += present.sum(axis=0)

    def close(self) -> BoolArray:
        """End the open bin. Tells of which series [series] a season was just found that explains far more than was known before."""
        if self._bin is None:
            return np.zeros(self._level.shape, dtype=np.bool_)
        first = np.where(self._count > 0.0, self._total / np.maximum(self._count, 1.0), np.nan)
        self._origin = np.where(np.isnan(self._origin), first, self._origin)
        mean = first - self._origin
        self._note(self._bin, mean)
        keep = np.exp(-self._tuning.bin / (_ERROR_DAYS * DAY))
        error = np.abs(self._candidates - mean)
        known = np.isfinite(error)
        self._errors = np.where(known, keep * self._errors + error, self._errors)
        self._weights = np.where(known, keep * self._weights + 1.0, self._weights)
        self._learn_level(self._bin)
        before, self._found = self._found, np.maximum(self._found, self._much_better())
        return self._found > before

    def take(self, kept: IntArray) -> None:
        """Keep the series at these indices, in this order; -1 is a new one."""
        for name in ("_recent", "_around", "_levels", "_candidates", "_origin", "_level"):
            setattr(self, name, picked(getattr(self, name), kept, new=np.nan))
        for name in ("_errors", "_weights", "_total", "_count", "_found"):
            setattr(self, name, picked(getattr(self, name), kept, new=0.0))
        self._expected.clear()
        self._seasonal.clear()

    def _note(self, bin_: int, mean: FloatArray) -> None:
        """Keep the mean of the bin that ends, and what it says about the time around it and the bin before."""
        recent = len(self._recent)
        self._recent[bin_ % recent] = mean
        before, last, now = (self._recent[each % recent] for each in (bin_ - 2, bin_ - 1, bin_))
        self._around[(bin_ - 1) % self._size] = _mean(np.stack([before, last, now]))
        self._around[bin_ % self._size] = _mean(np.stack([last, now]))

    def _learn_level(self, bin_: int) -> None:
        bins = np.arange(bin_ - self._level_bins + 1, bin_ + 1) % len(self._recent)
        if (bin_ + 1) % self._level_bins == 0:
            self._levels[(bin_ + 1) // self._level_bins % _LEVELS] = ranks.median(self._recent[bins])
            self._level = ranks.median(self._levels)
            return
        new = np.flatnonzero(np.isnan(self._level))
        if new.size:  # a series' first six hours: what it has shown so far
            self._level[new] = ranks.median(self._recent[bins[:, None], new])

    def _days_before(self, bin_: int, days: int) -> NDArray[np.float32]:
        """Give the mean of the three bins around the same time of day some days ago."""
        now = bin_ * self._tuning.bin
        moved = round((self._tuning.offset(now) - self._tuning.offset(now - days * DAY)) / self._tuning.bin)
        centre = bin_ - days * self._per_day + moved
        if self._bin is None or centre >= self._bin:
            return np.full(self._level.shape, np.nan, dtype=np.float32)
        around: NDArray[np.float32] = self._around[centre % self._size]
        return around

    def _predicted(self, bin_: int) -> FloatArray:
        return np.concatenate([self._level[None], self._daily_and_weekly(bin_)])

    def _daily_and_weekly(self, bin_: int) -> FloatArray:
        if bin_ in self._seasonal:
            return self._seasonal[bin_]
        daily = ranks.median(np.stack([self._days_before(bin_, days) for days in range(1, 8)]))
        weekly = _mean(np.stack([self._days_before(bin_, days) for days in (7, 14)]))
        seasonal = np.stack([daily, weekly])
        if self._bin is not None and bin_ < self._bin + self._per_day // 2:  # no later bin has a say in it
            self._seasonal[bin_] = seasonal
        return seasonal

    def _picked(self, candidates: FloatArray) -> FloatArray:
        level, daily, weekly = np.where(np.isfinite(candidates), self._mean_errors(), np.inf)
        usual = np.where(daily < level, candidates[_DAILY], candidates[_LEVEL])
        best: FloatArray = np.where(weekly / _WEEKLY_MUST_WIN < np.minimum(level, daily), candidates[_WEEKLY], usual)
        return best

    def _much_better(self) -> NDArray[np.int8]:
        """Give the least simple candidate [series] that errs half as much as all simpler ones, as far as those are known."""
        level, daily, weekly = self._mean_errors()
        daily_wins = np.isfinite(level) & (daily <= _MUCH_BETTER * level)
        weekly_wins = np.isfinite(daily) & (weekly <= _MUCH_BETTER * np.minimum(level, daily))
        return np.where(weekly_wins, _WEEKLY, np.where(daily_wins, _DAILY, _LEVEL)).astype(np.int8)

    def _mean_errors(self) -> FloatArray:
        """Give the trailing error of each candidate [candidate, series]; infinite while too little is known of it."""
        errors: FloatArray = np.where(self._weights >= self._per_day / 4, self._errors / np.maximum(self._weights, 1e-9), np.inf)
        return errors


def _mean(values: NDArray[np.float32]) -> FloatArray:
    """Give the mean along the first axis without gaps; NaN where there are only gaps."""
    gaps = np.isnan(values)
    total = np.where(gaps, 0.0, values).sum(axis=0, dtype=np.float64)
    count = len(values) - gaps.sum(axis=0)
    mean: FloatArray = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean
