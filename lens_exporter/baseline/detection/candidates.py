"""What may be expected of a series at a time of day: five ways to say it, and which of them has erred least."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lens_exporter.baseline.detection import ranks
from lens_exporter.baseline.detection.streams import Expected
from lens_exporter.model.window import BoolArray, FloatArray

LEVEL, DAILY, WEEKLY, DAILY_AROUND, WEEKLY_AROUND = range(
    5
)  # places among the candidates; LEVEL, DAILY, WEEKLY are ever less simple
COUNT = 5
SEASONS = slice(DAILY, WEEKLY + 1)
AROUND = slice(DAILY_AROUND, COUNT)  # the same two as they lie around the level, put around that of now
_WEEKLY_MUST_WIN = 0.7  # part of the best other error; a week is known from two samples at most, so it must be clearly better
_AROUND_MUST_WIN = 0.9  # part of the error of the season itself: after a shift it wins by far, else it would only be another guess
FAR_OFF = 5.0  # times what a candidate usually errs by: of a day so far off nobody knows whether it was an incident or a weekend
_MUCH_BETTER = 0.5  # of the error of all simpler candidates: from then on residuals are another measure


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """What each candidate says of bins, [..., candidate, series]: what it expects, and what lies between the bins around each."""

    base: FloatArray
    low: FloatArray
    high: FloatArray

    def best(self, errors: FloatArray, unproven: BoolArray, origin: FloatArray) -> Expected:
        """Give the candidate of the lowest trailing error of each series, [..., series].

        unproven [..., series]: the week has been known for less than a week. What it says is normal then as well, where it is far
        from what is expected: it may be a weekend, or what happened once.
        """
        which = _best(np.where(np.isfinite(self.base), errors, np.inf))
        base, low, high = (_of(which, each) for each in (self.base, self.low, self.high))
        week = self.base[..., WEEKLY, :]
        with np.errstate(invalid="ignore"):
            far = np.abs(week - base) > FAR_OFF * _of(which, errors)
        week = np.where(unproven & far, week, np.nan)
        return Expected(base + origin, np.fmin(low, week) + origin, np.fmax(high, week) + origin)


def candidates(level: FloatArray, seasonal: FloatArray) -> Candidates:
    """Put together level [series] and seasons [base, low, high or around, ..., 2, series].

    The last of those is the base of each season as it lies around the level; what lies between the bins is as far from it.
    """
    base, low, high = found = np.empty((3, *seasonal.shape[1:-2], COUNT, level.size))
    found[..., LEVEL, :], found[..., SEASONS, :] = level, seasonal[:3]
    base[..., AROUND, :] = seasonal[3] + level
    moved = base[..., AROUND, :] - seasonal[0]
    low[..., AROUND, :], high[..., AROUND, :] = seasonal[1] + moved, seasonal[2] + moved
    return Candidates(base, low, high)


def daily_and_weekly(means: NDArray[np.float32]) -> FloatArray:
    """Give what the last seven days and what one and two weeks ago have, [bin, 2, series] of [day, bin, series]."""
    bins, series = means.shape[1:]
    both = np.empty((bins, 2, series))
    both[:, 0] = ranks.median(means[:7].reshape(7, bins * series)).reshape(bins, series)
    both[:, 1] = mean(list(means[7:]))
    return both


def mean(arrays: Sequence[NDArray[np.float32]]) -> FloatArray:
    """Give the mean of arrays of one shape, without gaps; NaN where there are only gaps.

    One after the other: in most of them nothing is a gap, or everything, and little is to be done.
    """
    total = np.zeros(arrays[0].shape)
    whole, partly = 0, np.zeros((), dtype=np.int64)  # how many have a value everywhere, and besides in each place
    for values in arrays:
        gaps = np.isnan(values)
        if not gaps.any():
            total += values
            whole += 1
        elif not gaps.all():
            total += np.where(gaps, np.float32(0.0), values)
            partly = partly + ~gaps
    count = whole + partly
    found: FloatArray = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return found


def much_better(errors: FloatArray) -> NDArray[np.int8]:
    """Give the least simple candidate [..., series] that errs half as much as all simpler ones, as far as those are known."""
    level, daily, weekly = _lowest(errors)
    daily_wins = np.isfinite(level) & (daily <= _MUCH_BETTER * level)
    weekly_wins = np.isfinite(daily) & (weekly <= _MUCH_BETTER * np.minimum(level, daily))
    return np.where(weekly_wins, WEEKLY, np.where(daily_wins, DAILY, LEVEL)).astype(np.int8)


def _best(errors: FloatArray) -> NDArray[np.int8]:
    """Give the place of the candidate of the lowest error, [..., series] of [..., candidate, series]."""
    level, daily, weekly = _lowest(errors)
    weekly_wins = weekly / _WEEKLY_MUST_WIN < np.minimum(level, daily)
    season = np.where(weekly_wins, WEEKLY, np.where(daily < level, DAILY, LEVEL))
    around = errors[..., AROUND, :] < _AROUND_MUST_WIN * errors[..., SEASONS, :]
    by_day, by_week = around[..., 0, :], around[..., 1, :]
    found = np.where((season == DAILY) & by_day, DAILY_AROUND, np.where((season == WEEKLY) & by_week, WEEKLY_AROUND, season))
    return found.astype(np.int8)


def _lowest(errors: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Give the errors of the level and of either season, by itself or around the level, [..., series]."""
    daily, weekly = np.moveaxis(np.minimum(errors[..., SEASONS, :], errors[..., AROUND, :]), -2, 0)
    return errors[..., LEVEL, :], daily, weekly


def _of(which: NDArray[np.int8], each: FloatArray) -> FloatArray:
    """Give what those candidates say, [..., series] of [..., candidate, series]."""
    found = each[..., LEVEL, :]
    for place in range(DAILY, COUNT):
        found = np.where(which == place, each[..., place, :], found)
    return found
