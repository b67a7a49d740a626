"""What is to be expected of each series at this hour: the level, the same time of day, or the same time of the week."""

import numpy as np

from lens_exporter.baseline.detection import ranks
from lens_exporter.baseline.detection.regroup import picked
from lens_exporter.baseline.detection.structure import IntArray
from lens_exporter.baseline.detection.tuning import DAY, Tuning
from lens_exporter.model.window import FloatArray

DAYS = 15  # of bins that are kept: two weeks ago and the bins beside it
_LEVELS = 28  # medians of six hours each: the level is the median of the last week's
_SIX_HOURS = 6 * 3600.0
_ERROR_DAYS = 1.5  # time constant of the trailing error: the mean age of three days of errors
_WEEKLY_MUST_WIN = 0.7  # part of the best other error; a week is known from two samples at most, so it must be clearly better
_LEVEL, _WEEKLY = 0, 2  # places among the candidates; the daily one is between


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
        self._means = np.full((self._size, series), np.nan, dtype=np.float32)
        self._origin = np.full(series, np.nan)  # bins are kept relative to it: single precision is not enough for 1.7e9 +- 1
        self._levels = np.full((_LEVELS, series), np.nan)
        self._level = np.full(series, np.nan)
        self._errors = np.zeros((3, series))
        self._weights = np.zeros((3, series))
        self._candidates = np.full((3, series), np.nan)
        self._expected = np.full(series, np.nan)
        self._bin: int | None = None  # the open one

    @property
    def level(self) -> FloatArray:
        """Give the usual level of each series [series], relative to nothing; NaN while unknown."""
        level: FloatArray = self._level + self._origin
        return level

    def open(self, bin_: int) -> None:
        """Begin a bin: forget what lay between the last one and this, and decide what to expect of it."""
        if self._bin is not None and bin_ > self._bin + 1:
            skipped = np.arange(max(self._bin + 1, bin_ - self._size), bin_) % self._size
            self._means[skipped] = np.nan
        self._means[bin_ % self._size] = np.nan
        self._bin = bin_
        self._candidates = self._predicted(bin_)
        self._expected = self._picked(self._candidates)

    def expected(self, bin_: int) -> FloatArray:
        """Give what is expected of a bin [series], the open one or a later one; NaN while nothing is known."""
        relative = self._expected if bin_ == self._bin else self._picked(self._predicted(bin_))
        expected: FloatArray = relative + self._origin
        return expected

    def close(self, values: FloatArray) -> None:
        """Learn the rows [time, series] of the open bin."""
        if self._bin is None:
            return
        first = _mean(values)
        self._origin = np.where(np.isnan(self._origin), first, self._origin)
        mean = first - self._origin
        self._means[self._bin % self._size] = mean
        keep = np.exp(-self._tuning.bin / (_ERROR_DAYS * DAY))
        error = np.abs(self._candidates - mean)
        known = np.isfinite(error)
        self._errors = np.where(known, keep * self._errors + np.nan_to_num(error), self._errors)
        self._weights = np.where(known, keep * self._weights + 1.0, self._weights)
        if (self._bin + 1) % self._level_bins == 0 or np.isnan(self._level).any():
            self._learn_level(self._bin)

    def take(self, kept: IntArray) -> None:
        """Keep the series at these indices, in this order; -1 is a new one."""
        for name in ("_means", "_levels", "_candidates", "_origin", "_level", "_expected"):
            setattr(self, name, picked(getattr(self, name), kept, new=np.nan))
        self._errors, self._weights = picked(self._errors, kept, new=0.0), picked(self._weights, kept, new=0.0)

    def _learn_level(self, bin_: int) -> None:
        columns = np.arange(bin_ - self._level_bins + 1, bin_ + 1) % self._size
        recent = ranks.median(self._means[columns].astype(np.float64))
        if (bin_ + 1) % self._level_bins == 0:
            self._levels[(bin_ + 1) // self._level_bins % _LEVELS] = recent
            self._level = ranks.median(self._levels)
        else:  # a series' first six hours: what it has shown so far
            self._level = np.where(np.isnan(self._level), recent, self._level)

    def _around(self, bin_: int, days: int) -> FloatArray:
        """Give the mean of the three bins around the same time of day some days ago."""
        now = bin_ * self._tuning.bin
        moved = round((self._tuning.offset(now) - self._tuning.offset(now - days * DAY)) / self._tuning.bin)
        centre = bin_ - days * self._per_day + moved
        bins = [b for b in (centre - 1, centre, centre + 1) if bin_ - self._size < b < bin_]
        if not bins:
            return np.full(self._level.shape, np.nan)
        return _mean(self._means[[b % self._size for b in bins]].astype(np.float64))

    def _predicted(self, bin_: int) -> FloatArray:
        daily = ranks.median(np.stack([self._around(bin_, days) for days in range(1, 8)]))
        weekly = _mean(np.stack([self._around(bin_, days) for days in (7, 14)]))
        return np.stack([self._level, daily, weekly])

    def _picked(self, candidates: FloatArray) -> FloatArray:
        trailing = self._errors / np.maximum(self._weights, 1e-9)
        usable = np.isfinite(candidates) & (self._weights >= self._per_day / 4)
        trailing = np.where(usable, trailing, np.inf)
        trailing[_WEEKLY] /= _WEEKLY_MUST_WIN
        best = np.argmin(trailing, axis=0)
        chosen = np.take_along_axis(candidates, best[None], axis=0)[0]
        picked: FloatArray = np.where(np.isfinite(trailing.min(axis=0)), chosen, candidates[_LEVEL])
        return picked


def _mean(values: FloatArray) -> FloatArray:
    """Give the mean along the first axis without gaps; NaN where there are only gaps."""
    present = np.isfinite(values)
    count = present.sum(axis=0)
    total = np.where(present, values, 0.0).sum(axis=0)
    mean: FloatArray = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean
