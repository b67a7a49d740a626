"""The rules that make readings of one metric an anomaly, applied to all of its series at once."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lens_exporter.baseline.beside import Beside, beside
from lens_exporter.baseline.detector import LEAST_RECORD, TAIL
from lens_exporter.baseline.moved import had_moved
from lens_exporter.baseline.resting import Resting
from lens_exporter.baseline.runs import Runs, runs_of
from lens_exporter.baseline.trend import STRETCHES, Trend, may_rise, towards
from lens_exporter.baseline.underway import Underway
from lens_exporter.baseline.unlike import Unlike, unlike
from lens_exporter.model.decision import Observation, Phase, Rule
from lens_exporter.model.labels import Labels
from lens_exporter.model.metric import BaselineMetric, Direction
from lens_exporter.model.window import BoolArray, FloatArray, Learnt, Scores, Window

_NEARLY_FULL = 0.95  # of the way from what is expected to a declared full scale
_OF_A_SPIKE = 0.5  # of the furthest single reading: so far a young series may stay
_AS_MUCH = 2 / 3  # of a departure: what came as far before was the same
_HABITUAL = {
    Rule.SUSTAINED,
    Rule.CONSECUTIVE,
    Rule.JUMP,
    Rule.GROUP,
}  # what the past can make a habit of: a limit that is near is none
_BY_MANY = {Rule.SUSTAINED, Rule.PEERS}  # what readings inside a series' own band may be as well
_WORTH = 0.5  # half-widths of its band: how far off a metric must be to speak for its group
_HOURS_ABOUT = 3  # of a day, that are about one of its hours
_CHANCE = 0.05  # what leaves its band at any hour of the day meets this one on some days too
LISTED = 100  # series of one metric of which each gets a word, even if all is well with them


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The numbers of the rules; a watcher's configuration sets the first two."""

    min_observations: int = 10
    exhaustion_horizon: float = 3600.0  # seconds
    consecutive: int = 3  # readings outside the band, or beyond the ceiling
    long: float = 1800.0  # seconds outside the band that are told, however little beyond it
    jump_readings: int = 2  # what is far out needs a second reading: one sample alone wakes nobody
    jump_factor: float = 2.0  # times the largest departure before, at least
    young_factor: float = 1.5  # times the largest departure that lasted, at least, of a series not known for a day yet
    critical_within: float = 900.0  # seconds to the hard limit, when already beyond the ceiling
    critical_share: float = 0.97  # of the hard limit
    recurs_on: int | None = 3  # of the last seven days: then it is a habit; None: nothing is

    def lasting(self, step: float) -> int:
        """Give how many readings outside the band, step seconds apart, are told however little they are beyond it."""
        return max(self.consecutive, min(TAIL, round(self.long / step)))


@dataclass(frozen=True, slots=True)
class Reading:
    """One metric of a watcher with its history and the detector's reading of it."""

    metric: BaselineMetric
    window: Window
    scores: Scores


@dataclass(frozen=True, slots=True)
class GroupAlarm:
    """A group that stands beyond its threshold, seen from one of its series."""

    labels: Labels  # that name the group
    score: float
    threshold: float
    readings: int  # in a row
    since: float  # Unix seconds of the first of them
    place: int  # of the series among those that carry it, 0 the strongest
    leads: bool  # it speaks for the group


@dataclass(frozen=True, slots=True)
class SeriesVerdict:
    """One series judged at the last column of its window."""

    metric: BaselineMetric
    observation: Observation  # its target is the whole label set of the series
    rules: tuple[Rule, ...] = ()
    side: int = 1  # +1 above, -1 below; inside the band the side that would be bad
    outside: int = 0  # readings in a row outside the band, up to the judged one; counted up to `TAIL`
    beyond: int = 0  # readings in a row beyond the ceiling
    calm: int = 0  # readings in a row that were neither
    group: "GroupAlarm | None" = None  # its group's alarm, whoever carries it
    trend: Trend | None = None
    critical: bool = False
    missed: int = 0  # readings in a row without a value, where that is asked for
    beside: Beside | None = None  # what it has been beside for half an hour
    unlike: Unlike | None = None  # where it is new: its peers, which it has been beside
    recurs: int = 0  # of the last seven days, those on which it did as much about this hour, where that makes it a habit


@dataclass(frozen=True, slots=True)
class Judged:
    """The series of one metric: those that are worth a word, and the others, which are as they always are."""

    verdicts: tuple[SeriesVerdict, ...]
    resting: Resting


def judge(reading: Reading, thresholds: Thresholds, about: Sequence[Underway] = ()) -> Judged:
    """Judge every series that had a value within the last `TAIL` columns; one that is gone for longer is forgotten.

    Of more than `LISTED` series those get a verdict that did anything but rest inside their band, and those that `about` names:
    targets of what is underway. All that could be said of the others is that they are healthy.
    """
    metric, window, scores = reading.metric, reading.window, reading.scores
    length = window.values.shape[1]
    if length == 0:
        nobody = np.zeros(0, dtype=np.int64)
        return Judged((), Resting(metric, window, scores, nobody, thresholds.min_observations))
    start = max(0, length - TAIL)
    values = window.values[:, start:]
    present = np.isfinite(values)
    counted = present.sum(axis=1)
    up, down, high, calm = runs_of(metric, values, present, counted, scores)
    rising = _may_be_rising(metric, values, scores.learnt)
    there = counted > 0
    if scores.learnt is not None:
        there |= scores.learnt.missed > 0
    rests = there & ~_restless(scores.learnt, present, calm < counted, rising)
    new = unlike(metric, window, scores, about)
    rests[list(new)] = False
    listed = there if there.sum() <= LISTED else there & (~rests | _named(window.labels, about))
    # A member of a group in alarm takes part in it, whatever it does itself.
    plain = rests if scores.learnt is None else rests & (scores.learnt.alarmed == 0)
    resting = Resting(metric, window, scores, np.flatnonzero(there & ~listed), thresholds.min_observations)
    figures = iter(resting.observe(np.flatnonzero(listed & plain)))
    verdicts = []
    for row in np.flatnonzero(listed).tolist():
        if plain[row]:
            verdicts.append(at_rest(metric, next(figures), int(calm[row])))
            continue
        side, run = (1, up) if up.length[row] else (-1, down) if down.length[row] else (0, high)
        other = new.get(row)
        if other is not None and other.course.side == -side:  # its own band says little
            side, run = (1, up) if side < 0 else (-1, down)
        found = _beside(reading, row, side, about) if other is None else other.course
        facts = _Facts(reading, thresholds, row, start, side, run, high, found, other)
        verdicts.append(facts.verdict(facts.trend() if rising[row] else None, int(calm[row])))
    return Judged(tuple(verdicts), resting)


def at_rest(metric: BaselineMetric, observation: Observation, calm: int = TAIL) -> SeriesVerdict:
    """Give the verdict about a series that is as it always is."""
    return SeriesVerdict(metric, observation, side=-1 if metric.direction is Direction.DOWN else 1, calm=calm)


def _restless(learnt: Learnt | None, present: BoolArray, stirred: BoolArray, rising: BoolArray) -> BoolArray:
    """Mark the series that are not as they always are."""
    restless: BoolArray = stirred | ~present[:, -1] | rising
    return restless if learnt is None else restless | learnt.leads | (learnt.sustained[:, -1] != 0)


def _named(labels: Sequence[Labels], about: Sequence[Underway]) -> BoolArray:
    """Mark the series of the targets of what is underway."""
    # Targets have few sets of names: of many alerts each series is looked up once by each of those.
    targets: dict[tuple[str, ...], set[tuple[str | None, ...]]] = defaultdict(set)
    for each in about:
        names = tuple(sorted(each.target))
        targets[names].add(tuple(each.target[name] for name in names))
    found = np.zeros(len(labels), dtype=np.bool_)
    for names, values in targets.items():
        found |= np.fromiter((tuple(map(one.get, names)) in values for one in labels), np.bool_, len(labels))
    return found


def _beside(reading: Reading, row: int, side: int, about: Sequence[Underway]) -> Beside | None:
    """Give what a series has been beside for half an hour, to the side where it is; about: what is underway."""
    learnt, metric, window = reading.scores.learnt, reading.metric, reading.window
    if learnt is None or not learnt.sustained[row, -1] or learnt.grouped[row] or np.isnan(window.values[row, -1]):
        return None
    leaning = int(np.sign(learnt.sustained[row, -1]))
    goes_on = any(one.includes(metric, window.labels[row], leaning) for one in about)
    found = beside(metric, window, reading.scores, row, goes_on=goes_on)
    return None if found is None or found.side == -side else found


@dataclass(frozen=True, slots=True)
class _Facts:
    """One series, with what the vectorised part found out about it."""

    reading: Reading
    thresholds: Thresholds
    row: int
    start: int  # the column of the window at which the runs' columns begin
    side: int
    run: Runs
    high: Runs
    beside: Beside | None  # what it has been beside for half an hour: what is expected of it, or what its peers have
    unlike: Unlike | None  # where it is new, and unlike its peers

    @property
    def value(self) -> float | None:
        return _known(self.reading.window.values[self.row, -1])

    @property
    def collecting(self) -> bool:
        return bool(self.reading.scores.observations[self.row] < self.thresholds.min_observations)

    def verdict(self, trend: Trend | None, calm: int) -> SeriesVerdict:
        """Judge it. calm: readings in a row that were neither outside the band nor beyond the ceiling."""
        rules = self.rules(trend)
        by_many = not _BY_MANY.isdisjoint(rules)
        return SeriesVerdict(
            self.reading.metric,
            self.observation(rules, trend),
            rules,
            side=self.side or self.leaning(),
            beside=self.beside if by_many else None,
            unlike=self.unlike if Rule.PEERS in rules else None,
            outside=int(self.run.length[self.row]) if self.side else 0,
            beyond=int(self.high.length[self.row]),
            calm=0 if (self.alarmed and self.leads) or by_many else calm,
            trend=trend,
            critical=self.critical(rules, trend),
            group=self.group(),
            missed=self.missed,
            recurs=self.recurs(rules),
        )

    def rules(self, trend: Trend | None) -> tuple[Rule, ...]:
        """Name every rule that makes this series an anomaly now. Too few observations leave only the ceiling."""
        if self.value is None:
            return self._silence()
        found = []
        outside = int(self.run.length[self.row]) if self.side and not self.collecting else 0
        if self.grouped:
            # A hundred series each with a budget of their own would spend a hundred budgets: the group has one.
            if self.leads and self.alarmed >= self.thresholds.consecutive:
                found.append(Rule.GROUP)
        else:
            if self._stays(outside):
                found.append(Rule.CONSECUTIVE)
            if outside >= self.thresholds.jump_readings and self._jumped():
                found.append(Rule.JUMP)
            if self.beside is not None and not self.collecting:
                found.append(Rule.SUSTAINED if self.unlike is None else Rule.PEERS)
        if self.high.length[self.row] >= self.thresholds.consecutive:
            found.append(Rule.CEILING)
        if trend is not None and trend.full_at - self.reading.window.times[-1] <= self.thresholds.exhaustion_horizon:
            found.append(Rule.EXHAUSTION)
        return tuple(found)

    def _silence(self) -> tuple[Rule, ...]:
        """Name the rule that makes the lack of a value an anomaly; there is none unless the watcher asks for it."""
        if self.missed < self.thresholds.consecutive:
            return ()
        if self.grouped:
            return (Rule.GROUP,) if self.leads and self.alarmed >= self.thresholds.consecutive else ()
        return (Rule.MISSING,)

    def leaning(self) -> int:
        """Tell to which side of what is expected the value lies, +1 or -1; without a value, to which side would be bad."""
        if self.beside is not None:
            return self.beside.side
        value, expected = self.value, self.reading.scores.expected[self.row, -1]
        if value is not None and self.alarmed and value != expected and np.isfinite(expected):
            return 1 if value > expected else -1
        return -1 if self.reading.metric.direction is Direction.DOWN else 1

    def group(self) -> GroupAlarm | None:
        """Describe the alarm of its group, if there is one."""
        learnt, times = self.reading.scores.learnt, self.reading.window.times
        if learnt is None or not self.alarmed:
            return None
        return GroupAlarm(
            labels=learnt.group_labels[learnt.group[self.row]],
            score=float(learnt.group_score[self.row]),
            threshold=float(learnt.group_threshold[self.row]),
            readings=self.alarmed,
            since=float(times[max(0, times.size - self.alarmed)]),
            place=int(learnt.place[self.row]),
            leads=self.leads,
        )

    @property
    def grouped(self) -> bool:
        learnt = self.reading.scores.learnt
        return learnt is not None and bool(learnt.grouped[self.row])

    @property
    def alarmed(self) -> int:
        learnt = self.reading.scores.learnt
        return 0 if learnt is None else int(learnt.alarmed[self.row])

    @property
    def missed(self) -> int:
        learnt = self.reading.scores.learnt
        return 0 if learnt is None else int(learnt.missed[self.row])

    @property
    def leads(self) -> bool:
        learnt = self.reading.scores.learnt
        return learnt is not None and bool(learnt.leads[self.row])

    def recurs(self, rules: tuple[Rule, ...]) -> int:
        """Give the days of the last seven on which it did as much about this hour, to this side; 0 where that is no habit."""
        learnt, row, least = self.reading.scores.learnt, self.row, self.thresholds.recurs_on
        if learnt is None or least is None or not rules or not _HABITUAL.issuperset(rules):
            return 0
        score = self.reading.scores.score[row, -1]
        together = Rule.GROUP in rules
        # What is asked for must be an alarm itself: what lies within the band, or the budget, comes at any hour.
        as_much = (learnt.above if score > 0 else learnt.below)[row] >= max(_AS_MUCH * abs(score), 0.0 if together else 1.0)
        if together:
            as_much &= learnt.group_about[learnt.group[row]] >= max(_AS_MUCH * learnt.group_score[row], learnt.group_threshold[row])
        days = int(as_much.sum())
        by_chance = 1.0 - (1.0 - float(learnt.otherwise[row])) ** _HOURS_ABOUT
        return days if days >= least and _at_least(days, as_much.size, by_chance) <= _CHANCE else 0

    def _stays(self, outside: int) -> bool:
        """Whether it has been outside its band for so many readings that it is told.

        Two are enough where both are further out than its budget allows; a band alone is left too often, so that asks for half
        an hour. A young series has no budget of its own yet.
        """
        learnt, least, window = self.reading.scores.learnt, self.thresholds, self.reading.window
        if learnt is None:
            return outside >= least.consecutive and self._unlike_all_before()
        if outside >= least.lasting(window.step):
            return True
        run = slice(self.start + int(self.run.first[self.row]) - window.values.shape[1], None)
        unusual = learnt.unusual[self.row, run][np.isfinite(window.values[self.row, run])]
        return outside >= least.jump_readings and bool(unusual[-least.jump_readings :].all())

    def _unlike_all_before(self) -> bool:
        """Whether a young series is further away than it has stayed for as long before its run; others have a band that knows.

        What a series does several times a day has no name yet on its first: its bursts leave any band, and come again.
        """
        if self.reading.scores.learnt is not None:
            return True
        needed, first = self.thresholds.consecutive, self.start + int(self.run.first[self.row])
        values, expected = self.reading.window.values[self.row], self._at_first(self.reading.scores.expected)
        before, newest = (self.side * (_finite(part) - expected) for part in (values[:first], values[first:]))
        # A run is counted up to `TAIL` readings; those of it that are older are not what was before it.
        before = before[: np.flatnonzero(before <= self._edge()).max(initial=-1) + 1]
        stayed = np.minimum.reduce([before[at : before.size - needed + at + 1] for at in range(needed)])
        record = stayed.max(initial=LEAST_RECORD * self._edge())
        if self._budgeted:
            # A single spike lasted for no time, but it shows how far the series goes.
            record = max(record, _OF_A_SPIKE * np.abs(before).max(initial=0.0))
        return bool(newest[-needed:].min() > self._asked(self.thresholds.young_factor, record))

    def _jumped(self) -> bool:
        """Whether the run began with news, or every reading of it is that much further away than anything in the window before."""
        first, length = self.start + int(self.run.first[self.row]), self.reading.window.values.shape[1]
        learnt = self.reading.scores.learnt
        if learnt is not None:
            return bool(learnt.novel[self.row, first - length :].any())
        values, expected = self.reading.window.values[self.row], self._at_first(self.reading.scores.expected)
        largest = np.nanmax(np.abs(_finite(values[:first]) - expected), initial=LEAST_RECORD * self._edge())
        return bool(np.all(np.abs(_finite(values[first:]) - expected) > self._asked(self.thresholds.jump_factor, largest)))

    @property
    def _budgeted(self) -> bool:
        """Whether its alarms are held to a budget while it is young; in a short window the first judge judges for good."""
        young = self.reading.scores.young
        return young is not None and bool(young.factor[self.row] > 0.0)

    def _had_moved(self) -> bool:
        return had_moved(self.reading.window.values[self.row], self._at_first(self.reading.scores.expected), self._edge())

    def _at_first(self, scores: FloatArray) -> float:
        """Read an array of scores where the run begins; it has the window's last columns, and may have no others."""
        column = self.start + int(self.run.first[self.row]) - self.reading.window.values.shape[1]
        return float(scores[self.row, column])

    def _edge(self) -> float:
        """Give the half-width of the band on the run's side where the run begins."""
        scores = self.reading.scores
        return self.side * (self._at_first(scores.upper if self.side > 0 else scores.lower) - self._at_first(scores.expected))

    def _asked(self, least: float, record: float) -> float:
        """Give the departure that is asked of a young series which departed as far as `record` before."""
        scores, metric = self.reading.scores, self.reading.metric
        asked = max(least, self._factor()) * record
        if metric.scale is not None and self.side > 0:
            # Nothing goes beyond a full scale: nearly all the way is as far as anybody can ask.
            asked = min(asked, _NEARLY_FULL * (metric.scale - self._at_first(scores.expected)))
        return asked

    def _factor(self) -> float:
        """Give the factor by which the budget lets a young series exceed its record; infinity where it has none."""
        scores = self.reading.scores
        if scores.young is None or not self._budgeted:
            return 0.0
        if not self._had_moved() and not scores.young.together[self.row]:
            # Most of what rests moves some time, and nothing tells a first time from the one before an incident.
            return math.inf
        known = int(scores.observations[self.row])
        stood = max(1, known + 1 - int(self.run.length[self.row]))  # what the run adds does not make it more credible
        return float(scores.young.factor[self.row]) * math.sqrt(max(1, known) / stood)

    def trend(self) -> Trend | None:
        metric, window = self.reading.metric, self.reading.window
        if metric.full is None or self.value is None:
            return None
        present = np.isfinite(window.values[self.row])
        return towards(
            metric.full,
            window.times[present],
            window.values[self.row, present],
            minimum=self.thresholds.min_observations,
            least=metric.min_change,
            falls=metric.direction is Direction.DOWN,
            usual=self._usual(),
        )

    def _usual(self) -> float | None:
        """Give the furthest level of the past week on the bad side, where it is known; None leaves it to the readings at hand."""
        learnt = self.reading.scores.learnt
        if learnt is None:
            return None
        level = (learnt.lowest if self.reading.metric.direction is Direction.DOWN else learnt.highest)[self.row]
        return _known(level)

    def critical(self, rules: tuple[Rule, ...], trend: Trend | None) -> bool:
        """Whether it is beyond the ceiling and all but full."""
        metric, value = self.reading.metric, self.value
        if Rule.CEILING not in rules or value is None:
            return False
        full = metric.full if metric.full is not None else 1.0 if metric.unit == "ratio" else None
        nearly = bool(full) and metric.direction is not Direction.DOWN and value >= self.thresholds.critical_share * (full or 0.0)
        soon = trend is not None and trend.full_at - self.reading.window.times[-1] <= self.thresholds.critical_within
        return nearly or soon

    def observation(self, rules: tuple[Rule, ...], trend: Trend | None) -> Observation:
        window, scores, metric = self.reading.window, self.reading.scores, self.reading.metric
        run = self.run if self.run.length[self.row] else self.high
        began = self.start + int(run.first[self.row]) if run.length[self.row] else None
        since = None if began is None else float(window.times[began])
        if Rule.GROUP in rules and (group := self.group()) is not None:
            since = max(group.since, self._departed_since())
        if Rule.MISSING in rules:
            since = float(window.times[max(0, window.times.size - self.missed)])
        if not _BY_MANY.isdisjoint(rules) and self.beside is not None:
            since = self.beside.since if since is None else min(since, self.beside.since)
        if since is None and Rule.EXHAUSTION in rules and trend is not None:
            since = trend.begins
        seen = Observation(
            metric=metric.name,
            unit=metric.unit,
            target=window.labels[self.row],
            at=float(window.times[-1]),
            value=self.value,
            expected=_known(scores.expected[self.row, -1]),
            lower=_known(scores.lower[self.row, -1]),
            upper=_known(scores.upper[self.row, -1]),
            score=None if self.value is None or np.isnan(scores.score[self.row, -1]) else float(scores.score[self.row, -1]),
            phase=self._phase(rules),
            since=since,
            full_at=None if trend is None else trend.full_at,
        )
        return seen if self.unlike is None or Rule.PEERS not in rules else self.unlike.seen(seen)

    def _departed_since(self) -> float:
        """Give the moment (Unix seconds) since when it has been off by half of its band without a break, to the side where it is.

        Its group may have been above its threshold for longer: the score remembers half an hour, and what was before.
        """
        window, score = self.reading.window, self.reading.scores.score[self.row]
        times = window.times[-score.size :]
        off = np.sign(score[-1]) * score >= _WORTH  # a gap is not off
        back = np.flatnonzero(np.isfinite(score) & ~off)
        first = np.flatnonzero(off & (np.arange(score.size) > back.max(initial=-1)))
        return float(times[first[0]]) if first.size else -math.inf

    def _phase(self, rules: tuple[Rule, ...]) -> Phase:
        if self.value is None:
            return Phase.MISSING
        if rules:
            return Phase.ANOMALY
        if self.collecting:
            return Phase.COLLECTING
        return Phase.DEVIATING if self.run.length[self.row] else Phase.NORMAL


def _may_be_rising(metric: BaselineMetric, values: FloatArray, learnt: Learnt | None) -> BoolArray:
    """Pick the series that can have a trend: one by one, each takes a hundred times as long to look into."""
    if metric.full is None or values.shape[1] == 0:
        return np.zeros(values.shape[0], dtype=np.bool_)
    falls = metric.direction is Direction.DOWN
    sign = -1.0 if falls else 1.0
    stretch = values[:, -STRETCHES[0] :]
    news: BoolArray = np.isfinite(stretch[:, -1])
    if learnt is not None:
        # Where the past week is not known, anything may be.
        news &= ~(sign * stretch[:, -1] <= sign * (learnt.lowest if falls else learnt.highest))
    rows = np.flatnonzero(news)
    recent = np.where(np.isfinite(stretch[rows]), sign * stretch[rows], -np.inf)
    last = recent[:, -1]
    moved = (last >= np.quantile(recent, 0.8, axis=1, method="lower")) & (last > recent.min(axis=1))
    rising = np.zeros(values.shape[0], dtype=np.bool_)
    candidates = rows[moved]
    rising[candidates] = may_rise(sign * values[candidates])
    return rising


def _at_least(hits: int, tries: int, chance: float) -> float:
    """Give how likely so many hits, or more, are by chance (the tail of the binomial distribution)."""
    return sum(math.comb(tries, each) * chance**each * (1.0 - chance) ** (tries - each) for each in range(hits, tries + 1))


def _finite(values: FloatArray) -> FloatArray:
    return values[np.isfinite(values)]


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
