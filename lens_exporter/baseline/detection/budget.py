"""A threshold that is a budget of false alarms: no oracle, no labels, and no incident that could move it far."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lens_exporter.baseline.detection import ranks
from lens_exporter.baseline.detection.regroup import picked
from lens_exporter.baseline.detection.structure import BoolArray, IntArray
from lens_exporter.baseline.detection.tuning import DAY, Tuning
from lens_exporter.model.window import FloatArray

_DAYS = 7
_LOW, _HIGH = 0.25, 0.86  # quantiles of a day's hourly maxima: incidents fill less than a seventh of most days
_TRIMMED = 5  # of so many days the highest and the lowest are left out of the mean
_MOST, _PART = 6, 0.9  # days of a week, and how much of what they reach is no anomaly
_FEWEST_DAYS = 1
_NEAR = 3  # hours: what goes on about an hour of the day, is done within these before and after it
_FEWEST_HOURS = 24  # entries of a day: longer ones are no hours
_AT_ONCE = 4096  # columns: what one step of a fit takes in memory is bounded
_HOURS = 168.0  # of a week
_LEAST = 1e-6  # alarms a week; none at all would be a threshold without end


@dataclass(frozen=True, slots=True, eq=False)
class About:
    """What was about one hour of the day on the last seven days.

    above, below: the largest score to each side [day, columns], yesterday first; NaN where that is not known. otherwise: the part
    of the hours at other times of the day in which it was beyond the threshold [columns].
    """

    above: FloatArray
    below: FloatArray
    otherwise: FloatArray


class AlarmBudget:
    """Keeps the hourly maxima of a score for a week and extrapolates to the level that b hours a week exceed by chance.

    A score may have a sign, that of the side it departs to: what counts is its size.

    Of each of the last seven days the 25 % and 86 % quantiles of its hourly maxima are taken, and of these the geometric mean over
    the days without the highest and the lowest, giving a and c. An exponential tail through both has the scale
    s = (c - a) / ln(0.75 / 0.14), and the level that the part p of all hours exceeds is c + s ln(0.14 / p).
    Where rows are so rare that an entry is several hours long (`Tuning.hour`), all of them count: an alarm may last that long.

    The level is never below `floor`, nor below `times` c, nor below `least` for each factor e by which the hours are to be fewer
    than 0.14 of all: what departs little is nothing, whatever the budget, and the less may be told, the further it must depart.
    Scores below `noise` are all the same: nothing. Where less than `one_a_day` is allowed a week, nor is it below nine tenths of
    what six of the last seven days reached at any hour: what happens on most days is no anomaly, and a tail through quantiles does
    not see what fills less than a seventh of each.

    Every hour counts, also those under an alarm: quantiles of the bulk do not move when a few hours of a day are extreme, and the
    trimmed mean hardly does when one day is all incident. So an incident neither raises the threshold nor, being left out, lowers
    it until ordinary hours alarm: that was the way an excess-based threshold overran its budget. A median over the days would be
    safer still, but wanders: at the same rate of false alarms it caught a tenth fewer events.
    """

    def __init__(
        self,
        alarms_per_week: FloatArray,
        tuning: Tuning,
        *,
        floor: float = 0.0,
        least: float = 0.0,
        times: float = 0.0,
        noise: float = 1.0,
        one_a_day: float = 0.0,
    ) -> None:
        """Begin with nothing known. alarms_per_week [columns] is what each column may use up."""
        self._per_day = max(1, round(DAY / tuning.hour))
        self._size = _DAYS * self._per_day
        self._maxima = np.full((self._size, alarms_per_week.size), np.nan, dtype=np.float16)  # of scores below 200: a part in 2,000
        self._highest = np.full(alarms_per_week.size, np.nan)  # of the running hour
        self._floor, self._least, self._times, self._noise = floor, least, times, noise
        self._one_a_day = one_a_day
        self._level, self._seldom = _levels(alarms_per_week), alarms_per_week < one_a_day
        self._hour: int | None = None
        self._in_force: FloatArray | None = np.full(alarms_per_week.size, np.inf)  # None until somebody asks for it
        self._fitted: int | None = None  # the hour it is of, and what has taken the place of other hours since, by place
        self._replaced: dict[int, NDArray[np.float16]] = {}

    def learn(self, scores: FloatArray) -> None:
        """Take note of scores [time, columns] of the running hour; NaN where there is none. Of equal ones the first counts."""
        if not scores.shape[1]:
            return
        above, below = np.fmax.reduce(scores), -np.fmin.reduce(scores)
        newest = np.where(above >= below, above, -below)
        same = (above == below) & (above > 0.0)
        if same.any() and len(scores) > 1:  # to both sides, which takes two scores at their cap
            tied = np.flatnonzero(same)
            newest[tied] = scores[(np.abs(scores[:, tied]) == above[tied]).argmax(axis=0), tied]
        self._highest = np.where(np.isnan(newest) | (np.abs(newest) <= np.abs(self._highest)), self._highest, newest)

    def close(self, hour: int, counted: BoolArray | None = None) -> None:
        """End an hour. counted [columns] marks the columns that have scores at all, if not all have."""
        if self._hour is not None and hour > self._hour + 1:
            for skipped in range(max(self._hour + 1, hour - self._size), hour):
                self._enter(skipped, np.full(self._highest.shape, np.nan))
        self._enter(hour, self._highest if counted is None else np.where(counted, self._highest, np.nan))
        self._highest = np.full(self._highest.shape, np.nan)
        self._hour = hour

    def forget(self, hours: range, columns: IntArray) -> None:
        """Count these hours no longer, in these columns: what they had is no measure of what is usual.

        A column that would know less than a day then keeps them: a rough threshold is better than none.
        """
        if self._hour is None:
            return
        places = [hour % self._size for hour in hours if self._hour - self._size < hour <= self._hour]
        known = np.isfinite(self._maxima[:, columns])
        enough = known.sum(axis=0) - known[places].sum(axis=0) >= _FEWEST_DAYS * self._per_day
        self._maxima[np.ix_(places, columns[enough])] = np.nan

    def fit(self) -> None:
        """Put the threshold of the hours closed so far in force: nothing is learnt from it, so it is found once it is asked for."""
        self._in_force, self._fitted = None, self._hour
        self._replaced.clear()

    @property
    def in_force(self) -> FloatArray:
        """Give the threshold [columns] as it was at the last fit."""
        if self._in_force is None:
            maxima = self._maxima
            if self._replaced:
                maxima = maxima.copy()
                maxima[list(self._replaced)] = list(self._replaced.values())
            self._in_force = self._found(maxima, self._fitted)
            self._replaced.clear()
        return self._in_force

    def threshold(self) -> FloatArray:
        """Give the threshold [columns] as of now; infinite while less than a day is known."""
        return self._found(self._maxima, self._hour)

    def _enter(self, hour: int, highest: FloatArray) -> None:
        place = hour % self._size
        if self._in_force is None and place not in self._replaced:
            self._replaced[place] = self._maxima[place].copy()
        self._maxima[place] = highest

    def _found(self, maxima: NDArray[np.float16], hour: int | None) -> FloatArray:
        """Give the threshold [columns] from hourly maxima [place, columns], the last of which is that of this hour."""
        threshold = np.full(self._level.shape, np.inf)
        if hour is None or not threshold.size:
            return threshold
        known = np.isfinite(maxima).sum(axis=0) >= _FEWEST_DAYS * self._per_day
        if not known.any():
            return threshold
        order = (hour + 1 + np.arange(self._size)) % self._size  # oldest first, in days that end now
        for first in range(0, known.size, _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            days = np.ascontiguousarray(np.abs(maxima[order, part]).T, dtype=np.float32).reshape(-1, _DAYS, self._per_day)
            enough = np.isfinite(days).sum(axis=2) >= max(1, self._per_day // 2)  # [columns, days]
            low, high = _typical(np.where(enough, ranks.quantiles(days, (_LOW, _HIGH)), np.nan), self._noise)
            scale = (high - low) / math.log((1.0 - _LOW) / (1.0 - _HIGH))
            threshold[part] = np.maximum.reduce([high + scale * self._level[part], self._times * high, self.least[part]])
            if self._seldom[part].any():
                threshold[part] = np.fmax(threshold[part], np.where(self._seldom[part], _PART * _most_days(days, enough), 0.0))
        bounded: FloatArray = np.where(known & np.isfinite(threshold), threshold, np.inf)
        return bounded

    @property
    def least(self) -> FloatArray:
        """Give what no threshold [columns] is ever below."""
        least: FloatArray = np.maximum(self._least * self._level, self._floor)
        return least

    def about(self, hour: int, threshold: FloatArray) -> About:
        """Say what was about this hour, the running one, on the last seven days: the one before and the one after count too."""
        apart = (np.arange(self._size) - hour) % self._per_day
        others = self._maxima[np.minimum(apart, self._per_day - apart) > _NEAR]
        known = np.maximum(np.isfinite(others).sum(axis=0), 1)
        otherwise = (np.abs(others) > threshold).sum(axis=0) / known
        return About(*self.days_about(hour), otherwise)

    def days_about(self, hour: int, *, days: int = _DAYS, ahead: int = 1) -> tuple[FloatArray, FloatArray]:
        """Give the largest score to either side [day, columns] about this hour, as in `About`; ahead: hours after it that count."""
        above, below = np.full((2, days, self._highest.size), np.nan)
        if self._hour is None or self._per_day < _FEWEST_HOURS:
            return above, below
        for day in range(days):
            about = hour - (day + 1) * self._per_day + np.arange(-1, ahead + 1)
            about = about[(about >= hour - self._size) & (about <= self._hour)]  # what is older, or was not there, has its place
            if about.size:
                entries = self._maxima[about % self._size]
                above[day], below[day] = np.fmax.reduce(entries), -np.fmin.reduce(entries)
        return above, below

    def last_day(self, hour: int) -> FloatArray:
        """Give the largest score, with its sign, of each hour of the day before this one [hour, columns]; NaN: not known."""
        hours = hour - 1 - np.arange(self._per_day)
        day: FloatArray = self._maxima[hours % self._size].astype(np.float64)
        day[hours > (-1 if self._hour is None else self._hour)] = np.nan  # nobody looked
        return day

    def take(self, kept: IntArray, alarms_per_week: FloatArray) -> None:
        """Keep the columns at these indices, in this order; -1 is a new one, with what each may use up from the next fit on."""
        self._in_force = picked(self.in_force, kept, new=np.inf)
        self._level, self._seldom = _levels(alarms_per_week), alarms_per_week < self._one_a_day
        self._maxima, self._highest = (picked(one, kept, new=np.nan) for one in (self._maxima, self._highest))


def _most_days(days: NDArray[np.float32], enough: BoolArray) -> FloatArray:
    """Give what most days reach [columns] of hourly maxima [columns, day, hour]; 0 where too few of them are known."""
    reached = np.where(enough, np.fmax.reduce(days, axis=2), 0.0)
    most: FloatArray = np.sort(reached, axis=1)[:, _DAYS - _MOST].astype(np.float64)
    return most


def _typical(daily: FloatArray, noise: float) -> FloatArray:
    """Give the trimmed geometric mean over days of values [..., days]; NaN where no day is known."""
    ordered = np.sort(np.log(np.maximum(daily, noise)), axis=-1)  # NaN last
    known = np.isfinite(ordered).sum(axis=-1)
    left_out = known // _TRIMMED
    day = np.arange(daily.shape[-1])
    inside = (day >= left_out[..., None]) & (day < (known - left_out)[..., None])
    total = ordered.sum(axis=-1, where=inside)
    typical: FloatArray = np.where(known > 0, np.exp(total / np.maximum(known - 2 * left_out, 1)), np.nan)
    return typical


def _levels(alarms_per_week: FloatArray) -> FloatArray:
    """Give how many scales above the upper quantile the threshold lies, for each column."""
    wanted = np.log((1.0 - _HIGH) * _HOURS / np.maximum(alarms_per_week, _LEAST))
    levels: FloatArray = np.maximum(wanted, 0.0)
    return levels
