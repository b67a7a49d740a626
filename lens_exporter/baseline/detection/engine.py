"""The state of many series and groups: what was learnt, and how the next rows stand against it."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from lens_exporter.baseline.detection import spread as spreads
from lens_exporter.baseline.detection import streams
from lens_exporter.baseline.detection.budget import AlarmBudget
from lens_exporter.baseline.detection.candidates import DAILY, WEEKLY
from lens_exporter.baseline.detection.grouping import membership, slots
from lens_exporter.baseline.detection.lone import NEWS, Lone, LoneScored
from lens_exporter.baseline.detection.mask import Mask
from lens_exporter.baseline.detection.regroup import picked, regrouped
from lens_exporter.baseline.detection.scored import GroupScored, Habits, Scored, joined
from lens_exporter.baseline.detection.seasons import Seasons
from lens_exporter.baseline.detection.spread import Scale, Spread
from lens_exporter.baseline.detection.streams import Unexpected
from lens_exporter.baseline.detection.structure import BoolArray, IntArray, Structure
from lens_exporter.baseline.detection.sustained import Sustained
from lens_exporter.baseline.detection.tuning import DAY, LONG, REFIT, Tuning
from lens_exporter.model.window import FloatArray

_FLOOR_GROUP = 10.0  # a threshold is never below about twice what noise of one spread in every metric gives
_LEAST = 6.0  # for each factor e by which alarms are to be fewer: at the usual budget 17 of a group's score, 21 of a lone series' q
_SLIGHT = 5.0  # departures q, about twice what noise has: what is nearer is no news, though it was never seen to the last digit
_WELL_INSIDE = 0.5  # of a band's half-width
_FLOOR_SERIES = 3.0  # spreads: a band is never narrower
_ONE_A_DAY = 7.0  # alarms a week
_LONE_SHARE = 0.5  # of its budget is what a lone series may be told for by how far it departs; news has a budget beside it
_FEWEST_SLOW = 12  # rows: where they are rare half an hour is too few to tell noise from little
_FARTHEST = 1e36  # a value beyond counts as this one
_CELLS = 1 << 17  # rows x series that are scored at once: what is worked out of them stays small, and more are no faster


@dataclass(frozen=True, slots=True, eq=False)
class _Running:
    """What changes with each row, small enough to copy."""

    mean: FloatArray  # EWMA of residuals [series]
    square: FloatArray  # mean square of departures [series]
    slow: FloatArray  # EWMA of departures with their sign [lone series]
    recent: FloatArray  # group scores of the last half hour [rows, groups]
    hot_for: FloatArray  # seconds [groups]


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """Rows that were scored by the same statistics, and what was found about them, arrays [time, ...]."""

    times: FloatArray
    values: FloatArray
    seen: Unexpected
    e: FloatArray
    z: FloatArray  # of the residual, capped
    learnt: FloatArray  # h, as far as it is a measure of what is usual
    learnt_lasting: FloatArray  # G, likewise
    lasting: FloatArray  # G
    masked: BoolArray  # [time, groups]
    residual: FloatArray  # z, not capped
    scores: FloatArray  # of each metric
    enduring: FloatArray  # q of each metric
    slow: FloatArray  # mean departure of half an hour of each lone series, with its sign [time, lone]


class Engine:
    """Judges rows of series by what came before them. Rows come in order of time, in blocks of any size.

    Each row is scored from earlier rows only; a partition into other blocks gives the same scores (to rounding in the last digits).
    Statistics are learnt when an hour is over. Not thread-safe.
    """

    def __init__(self, series: int, groups: Sequence[Sequence[int]], tuning: Tuning, *, shares: FloatArray | None = None) -> None:
        """Begin with nothing known. groups name their members by index; a series in none is lone.

        shares [series] is the part of the budget that a series' own band and novelty may use up; default: all of it.
        """
        self._tuning = tuning
        self._groups = len(groups)
        self._membership = membership(series, groups)
        self._slots = slots(groups)
        self._seasons = Seasons(series, tuning)
        self._spread = Spread(series, tuning)
        self._structures = tuple(Structure(one) for one in self._slots)
        self._mask = Mask(self._groups, tuning)
        self._group_budget = AlarmBudget(self._alarms(self._groups), tuning, floor=_FLOOR_GROUP, least=_LEAST, one_a_day=_ONE_A_DAY)
        self._series_budget = AlarmBudget(self._alarms(series, shares), tuning, floor=_FLOOR_SERIES)
        self._lone = Lone(np.flatnonzero(self._membership < 0), tuning)
        self._lone_budget = AlarmBudget(
            self._alarms_alone(self._lone.series, shares), tuning, least=_LEAST, one_a_day=_LONE_SHARE * _ONE_A_DAY
        )
        self._sustained = Sustained(self._alarms_alone(self._lone.series, shares), tuning)
        self._scale = spreads.nothing_known(series)
        self._settled = np.zeros(self._groups, dtype=np.bool_)  # groups with a member that is known
        self._tail = self._mask.fit()
        rows = max(1, round(LONG / tuning.step))
        lone = np.zeros(self._lone.series.size)
        recent = np.full((rows, self._groups), np.nan)
        self._running = _Running(np.zeros(series), np.zeros(series), lone, recent, np.zeros(self._groups))
        self._lasts = -math.expm1(-tuning.step / LONG)  # weight of the newest row in what lasts
        self._slowly = -math.expm1(-1.0 / max(rows, _FEWEST_SLOW))  # likewise, in the mean departure of a lone series
        self._hours = 0
        self._habits: Habits | None = None  # until the hour is over
        self._hour: int | None = None
        self._bin: int | None = None

    def advance(
        self,
        times: FloatArray,
        values: FloatArray,
        *,
        expected: BoolArray | None = None,
        away: BoolArray | None = None,
        told: int | None = None,
    ) -> Scored:
        """Score rows and learn them. times [time] are Unix seconds, ascending, later than all before; values [series, time].

        expected [groups, time] marks rows that a person has declared to be in order: they are learnt whatever their score.
        away [series, time] marks gaps that are no missing values: nobody could have known them.
        told: how many of the last rows the caller wants to hear about, if not all; the others are spared what only serves to tell.
        """
        rows = _rows(values)
        told = times.size if told is None else min(told, times.size)
        parts, residuals, enduring, most = [], [], [], []
        seasons: list[tuple[int, BoolArray]] = []  # days that were found: before which row, of which series
        bins, begun = times // self._tuning.bin, 0
        while begun < times.size:
            found = self._turn(int(bins[begun]))
            end = begun + self._together(bins[begun:])
            which = (bins[begun:end] - bins[begun]).astype(np.int64)
            seen = self._seasons.through(rows[begun:end], which, self._scale, over=end < times.size)
            block = slice(begun, begun + len(seen.r))
            seasons += [(begun + row, which == DAILY) for row, which in ((0, found), *seen.found) if which.any()]
            judged, self._running = self._score(times[block], rows[block], seen, _part(expected, block), _part(away, block))
            wanted = block.stop > times.size - told
            threshold = self._learn(judged, told=wanted)
            if wanted:
                parts.append(self._shown(judged, threshold))
                enduring.append(judged.enduring)
                most.append(self._most_of_news(judged.enduring))
            residuals.append(_known_residuals(seen))
            begun, self._bin = block.stop, int(bins[block.stop - 1])
        return self._whole(parts, rows, residuals, enduring, most, partial(self._lone.advance, seasons=seasons), told)

    def peek(self, times: FloatArray, values: FloatArray, *, away: BoolArray | None = None) -> Scored:
        """Score rows that follow without learning them, as far as is known before the first of them."""
        rows = _rows(values)
        parts, residuals, enduring, most = [], [], [], []
        before = self._running
        try:
            for block in self._bins(times):
                expected = self._seasons.expected(int(times[block.start] // self._tuning.bin))
                seen = streams.unexpected(rows[block], expected, self._scale)
                judged, self._running = self._score(times[block], rows[block], seen, None, _part(away, block))
                parts.append(self._shown(judged, self._group_budget.in_force[None]))
                residuals.append(_known_residuals(seen))
                enduring.append(judged.enduring)
                most.append(self._most_of_news(judged.enduring))
        finally:
            self._running = before
        return self._whole(parts, rows, residuals, enduring, most, self._lone.peek, times.size)

    @property
    def series(self) -> int:
        """How many series it judges."""
        return self._membership.size

    def extremes(self) -> tuple[FloatArray, FloatArray]:
        """Give the highest and lowest value of each series [series] over a week without the running hour; NaN where unknown."""
        return self._spread.extremes()

    def bin_means(self, series: IntArray) -> FloatArray:
        """Give the means of bins that are over of these series, in order of time [bin, series]; NaN where nothing is remembered."""
        return self._seasons.means(series)

    def habits(self) -> Habits:
        """Say what comes back about this hour of the day."""
        if self._habits is None:
            hour = self._hour or 0
            threshold = self._series_budget.in_force
            own = self._series_budget.about(hour, threshold)
            with np.errstate(invalid="ignore"):  # a threshold that is not known yet is infinite
                # Beyond the cap nobody knows how far it was.
                above, below = (np.where(one >= streams.CAP, np.inf, one) / threshold for one in (own.above, own.below))
            groups = self._group_budget.about(hour, self._group_budget.in_force).above
            self._habits = Habits(above, below, own.otherwise, groups)
        return self._habits

    def take(
        self,
        kept: IntArray,
        groups: Sequence[Sequence[int]],
        groups_kept: IntArray,
        *,
        shares: FloatArray | None = None,
        full: FloatArray | None = None,
    ) -> None:
        """Go on with other series: those at the indices `kept`, in this order, -1 for a new one; groups likewise.

        A new series is one that had only gaps before. shares and full are as at the beginning, for the series from now on.
        """
        self._habits = None
        lone = np.flatnonzero(membership(kept.size, groups) < 0)
        place = np.full(self._membership.size + 1, -1, dtype=np.int64)  # the last one is that of a new series
        place[self._lone.series] = np.arange(self._lone.series.size)
        lone_kept = place[kept[lone]]
        for budget in (self._lone_budget, self._sustained):
            budget.take(lone_kept, self._alarms_alone(lone, shares))
        self._structures = regrouped(self._structures, slots(groups), kept, groups_kept)
        self._slots = tuple(structure.slots for structure in self._structures)
        self._lone.take(lone, kept)
        self._membership = membership(kept.size, groups)
        self._groups = len(groups)
        self._seasons.take(kept)
        self._spread.take(kept, full)
        self._mask.take(groups_kept)
        self._group_budget.take(groups_kept, self._alarms(self._groups))
        self._series_budget.take(kept, self._alarms(kept.size, shares))
        self._scale = self._trusted(self._scale.take(kept))
        self._tail = self._tail.take(groups_kept)
        running = self._running
        self._running = _Running(
            picked(running.mean, kept, new=0.0),
            picked(running.square, kept, new=0.0),
            picked(running.slow, lone_kept, new=0.0),
            picked(running.recent, groups_kept, new=np.nan),
            picked(running.hot_for, groups_kept, new=0.0),
        )

    def _alarms(self, columns: int, shares: FloatArray | None = None) -> FloatArray:
        return self._tuning.false_alarms_per_week * (np.ones(columns) if shares is None else shares)

    def _alarms_alone(self, lone: IntArray, shares: FloatArray | None) -> FloatArray:
        return _LONE_SHARE * self._alarms(lone.size, None if shares is None else shares[lone])

    def _bins(self, times: FloatArray) -> Iterator[slice]:
        """Cut a block where a bin ends."""
        if not times.size:
            return
        ends = np.flatnonzero(np.diff(times // self._tuning.bin)) + 1
        starts = [0, *(int(end) for end in ends)]
        for start, end in zip(starts, [*starts[1:], times.size], strict=True):
            yield slice(start, end)

    def _together(self, bins: FloatArray) -> int:
        """Give how many rows, from the first of these on, can be scored by the same statistics; their bins are `bins` [time].

        They end before a bin that does not follow at once, before a fit falls due, or when they are enough: with a bin, or with a
        part of one where even that is too much.
        """
        hours = 1 if self._tuning.missing else self._between_fits(self._hours + 1)  # who is steady is another thing each hour
        following = (int(bins[0] * self._tuning.bin // self._tuning.hour) // hours + 1) * hours
        end = int(np.searchsorted(bins, following * self._tuning.hour / self._tuning.bin))
        apart = np.flatnonzero(np.diff(bins[:end]) > 1.0)
        end = int(apart[0]) + 1 if apart.size else end
        most = max(1, _CELLS // max(1, self.series))
        if end > most:
            end = int(np.searchsorted(bins, bins[most])) or most
        return end

    def _between_fits(self, hours: int) -> int:
        """Give how many hours lie between two fits after so many."""
        return REFIT if hours * self._tuning.hour > 2 * DAY else 1

    def _turn(self, bin_: int) -> NDArray[np.int8]:
        """Close the bin, and the hour, that are over, and open the next. Gives the season that was found of each series, or 0."""
        found = np.zeros(self._membership.size, dtype=np.int8)
        if bin_ == self._bin:
            return found
        if self._bin is not None:
            found = self._seasons.close()
            if found.any():
                self._forget_before(found)
        hour = int(bin_ * self._tuning.bin // self._tuning.hour)
        if self._hour is not None and hour != self._hour:
            self._end_hour(self._hour, hour)
        self._bin, self._hour = bin_, hour
        self._seasons.open(bin_)
        return found

    def _forget_before(self, found: NDArray[np.int8]) -> None:
        """Let residuals count only as far as a season which was just found [series] would not have explained them."""
        self._spread.begin_anew(found == DAILY)
        self._spread.level_out(found == WEEKLY)

    def _score(
        self, times: FloatArray, values: FloatArray, seen: Unexpected, expected: BoolArray | None, away: BoolArray | None
    ) -> tuple[_Judged, _Running]:
        """Score rows [time, series] by what is known."""
        r = seen.r
        e, mean = streams.jumps(r, seen.tame, self._running.mean)
        found = streams.departures(r, e, self._scale)
        if self._tuning.missing:
            steady = self._spread.steady()
            found = streams.with_missing(found, steady if away is None else steady & ~away)
        scores, h = streams.scores(found, self._structures, self._groups)
        if not self._scale.trust.any():
            h = np.full_like(h, np.nan)
        lasting, recent = streams.lasting(h, self._running.recent)
        learnt, learnt_lasting = self._as_learnt(h), self._as_learnt(lasting)
        masked, hot_for = self._mask.apply(learnt, self._tail, self._running.hot_for)
        if expected is not None:
            masked &= ~expected
        z = self._departed(values, np.copysign(np.minimum(found.residual, streams.CAP), r - self._scale.r_mean))
        enduring, square = streams.enduring(self._departed(values, scores), self._running.square, self._lasts)
        slow, last = streams.slow(z[:, self._lone.series], self._running.slow, self._slowly)
        judged = _Judged(times, values, seen, e, z, learnt, learnt_lasting, lasting, masked, found.residual, scores, enduring, slow)
        return judged, _Running(mean, square, last, recent, hot_for)

    def _as_learnt(self, ours: FloatArray) -> FloatArray:
        """Give scores of groups [time, groups] as mask and budget learn them: a first score is no measure of what is usual.

        Of a group that comes when others are known, those rows count as quiet, so that its budget is known when the first judge
        lets go of it; rows in which it has no values, or is not there yet, are none.
        """
        if self._settled.all():
            return ours
        nothing = 0.0 if self._scale.known.any() else np.nan
        learnt: FloatArray = np.where(self._settled | np.isnan(ours), ours, nothing)
        return learnt

    def _most_of_news(self, enduring: FloatArray) -> FloatArray:
        """Give the most that news may score [time, series]: nothing where it departs too little, where that is known.

        In the first half day nearly everything is new: it is news like any other, and ranks below what is news later.
        """
        trust = self._scale.trust
        slight = enduring < _SLIGHT * trust  # what counts a quarter asks for a quarter, and 0 for nothing
        most: FloatArray = np.where(slight, 0.0, np.where(trust < 1.0, NEWS, np.inf))
        return most

    def _departed(self, values: FloatArray, scores: FloatArray) -> FloatArray:
        """Give scores of metrics [time, series] without those that a watcher asked for where a value is missing."""
        return np.where(np.isnan(values), np.nan, scores) if self._tuning.missing else scores

    def _shown(self, judged: _Judged, group_threshold: FloatArray) -> Scored:
        """Put together what the caller sees of members of groups, [series, time]; group_threshold is [time or 1, groups]."""
        seen, residual, scores, lasting = judged.seen.expected, judged.residual, judged.scores, judged.lasting
        threshold, scale = self._series_budget.in_force, self._scale
        usual = scale.r_mean * scale.known
        width = np.where(np.isfinite(threshold) & scale.known, threshold, np.nan) * scale.r_spread
        with np.errstate(invalid="ignore"):
            anomaly = residual > threshold
            group_anomaly = lasting > group_threshold
        lone = self._lone.series
        unusual, sustained = np.zeros(anomaly.shape, dtype=np.bool_), np.zeros(anomaly.shape, dtype=np.int8)
        sustained[:, lone] = self._sustained.told(judged.slow)
        departed = judged.enduring[:, lone]
        # What is back well inside its band is over, however long the last half hour goes on to depart.
        unusual[:, lone] = (departed > self._lone_budget.in_force) & (residual > _WELL_INSIDE * threshold)[:, lone]
        # Of a lone series for now: whether it is far enough out for news to be told.
        anomaly[:, lone] = ~(scale.known[lone] & (departed < self._lone_budget.least))
        return Scored(
            expected=_each_row(seen.base + usual, residual),
            lower=_each_row(seen.low + (usual - width), residual),
            upper=_each_row(seen.high + (usual + width), residual),
            score=np.where(np.isnan(scores), 0.0, scores).T,
            anomaly=anomaly.T,
            novel=np.zeros(anomaly.shape, dtype=np.bool_).T,
            unusual=unusual.T,
            sustained=sustained.T,
            groups=GroupScored(lasting.T, _each_row(group_threshold, lasting), group_anomaly.T),
        )

    def _whole(
        self,
        parts: list[Scored],
        rows: FloatArray,
        residuals: list[FloatArray],
        enduring: list[FloatArray],
        most: list[FloatArray],
        judge: Callable[[FloatArray, FloatArray, FloatArray, FloatArray], LoneScored],
        told: int,
    ) -> Scored:
        """Join the scores of the last rows; lone series, judged by rows and residuals [time, series], say theirs themselves."""
        lone = self._lone.series
        if not parts:
            if lone.size and len(rows):
                judge(rows, np.concatenate(residuals), rows[:0], rows[:0])
            return self._nothing()
        whole = joined(parts, told)
        if lone.size:
            departed, bounds = np.concatenate(enduring)[-told:], np.concatenate(most)[-told:]
            found = judge(rows, np.concatenate(residuals), departed, bounds)
            missed = np.isnan(rows[-told:, lone]).T & (whole.score[lone] > 0.0)  # a gap has a score only where it is asked for
            whole.score[lone] = np.where(missed, whole.score[lone], found.score.T)
            whole.novel[lone] = found.anomaly.T
            whole.anomaly[lone] = missed | whole.unusual[lone] | (found.anomaly.T & whole.anomaly[lone])
        return whole

    def _learn(self, judged: _Judged, *, told: bool) -> FloatArray:
        """Add rows to the statistics of their hours, and end the hours in between.

        Gives the threshold of each group at each row [time, groups], if rows are told: else none.
        """
        seen, present = judged.seen, np.isfinite(judged.values)
        learnt = streams.unmasked(present, judged.masked, self._membership)
        r, e = seen.r - seen.wild, judged.e - seen.wild
        powers = spreads.powers_of(r, e, learnt, self._scale)
        self._mask.learn(judged.times, judged.learnt, judged.masked)
        thresholds = []
        for hour, rows in self._hours_of(judged.times):
            if self._hour is not None and hour != self._hour:
                self._end_hour(self._hour, hour)
            self._hour = hour
            self._spread.learn(judged.values[rows], powers[rows])
            for structure in self._structures:
                structure.learn(r[rows], learnt[rows])
            self._group_budget.learn(judged.learnt_lasting[rows])
            self._series_budget.learn(judged.z[rows])
            self._lone_budget.learn(judged.enduring[rows][:, self._lone.series])
            self._sustained.learn(judged.slow[rows])
            for row, which in seen.found:
                if rows.start < row <= rows.stop:
                    self._forget_before(which)
            if told:
                thresholds.append(np.repeat(self._group_budget.in_force[None], rows.stop - rows.start, axis=0))
        return np.concatenate(thresholds) if told else np.zeros((0, self._groups))

    def _hours_of(self, times: FloatArray) -> Iterator[tuple[int, slice]]:
        """Give the hours that rows belong to, and which rows each has."""
        hours = times // self._tuning.hour
        ends = [*(np.flatnonzero(hours[1:] != hours[:-1]) + 1).tolist(), hours.size]
        for start, end in zip([0, *ends[:-1]], ends, strict=True):
            yield int(hours[start]), slice(start, end)

    def _end_hour(self, hour: int, following: int) -> None:
        """Close the statistics of an hour that is over, and fit what is due."""
        self._habits = None
        self._spread.close(hour, following)
        self._group_budget.close(hour)
        self._series_budget.close(hour, self._scale.known)
        for budget in (self._lone_budget, self._sustained):
            budget.close(hour, self._scale.known[self._lone.series])
        self._hours += 1
        self._group_budget.fit()
        every = self._between_fits(self._hours)
        if following // every != hour // every:
            self._fit()
            self._series_budget.fit()
            self._lone_budget.fit()
            self._sustained.fit(following)
        for structure in self._structures:
            structure.forget(following - hour)

    def _fit(self) -> None:
        """Find scales, components and tails anew."""
        self._scale = self._trusted(self._spread.fit(self._seasons.level))
        for hours, shifted in self._spread.shifts():
            self._series_budget.forget(hours, shifted)
            self._lone_budget.forget(hours, np.flatnonzero(np.isin(self._lone.series, shifted)))
        if self._scale.known.any():
            for structure in self._structures:
                structure.fit(np.where(self._scale.known, self._scale.r_sd, np.inf))
        self._tail = self._mask.fit()

    def _trusted(self, scale: Scale) -> Scale:
        """Find which groups are settled; members that are not known when most are wait: late ones would be felt as noise."""
        if not self._groups:
            self._settled = np.zeros(0, dtype=np.bool_)
            return scale
        known = self._membership[scale.known]
        members, counted = (np.bincount(one[one >= 0], minlength=self._groups) for one in (self._membership, known))
        self._settled = counted > 0
        wait = np.append(2 * counted >= members, False)[self._membership] & ~scale.known
        return replace(scale, trust=np.where(wait, 0.0, scale.trust))

    def _nothing(self) -> Scored:
        empty = np.zeros((self._membership.size, 0))
        none = np.zeros((self._groups, 0))
        no = empty.astype(np.bool_)
        return Scored(empty, empty, empty, empty, no, no, no, empty.astype(np.int8), GroupScored(none, none, none.astype(np.bool_)))


def _part(marks: BoolArray | None, block: slice) -> BoolArray | None:
    """Give the marks [any, time] of a block's rows, [time, any]."""
    return None if marks is None else marks[:, block].T


def _known_residuals(seen: Unexpected) -> FloatArray:
    """Give the residuals [time, series] of what was expected; NaN where nothing was."""
    known = np.isfinite(seen.expected.base)
    return seen.r if known.all() else np.where(known, seen.r, np.nan)


def _rows(values: FloatArray) -> FloatArray:
    """Give rows [time, series] that lie together in memory.

    Infinities are gaps, and nothing is larger than what single precision and fourth powers can bear.
    """
    rows = np.ascontiguousarray(values.T)
    if not np.abs(rows).max(initial=0.0) <= _FARTHEST:  # seldom: it takes a gap or a monster
        rows = np.clip(np.where(np.isfinite(rows), rows, np.nan), -_FARTHEST, _FARTHEST)
    return rows


def _each_row(values: FloatArray, like: FloatArray) -> FloatArray:
    """Give values [series] for each row of an array [time, series], as [series, time]: a view, nothing is copied."""
    return values.T if values.shape == like.shape else np.broadcast_to(values, like.shape).T
