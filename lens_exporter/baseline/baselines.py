"""What one watcher has learnt of its metrics: a cache of the past, brought up to the present row by row."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lens_exporter.baseline import recent
from lens_exporter.baseline.detection.engine import Engine
from lens_exporter.baseline.detection.tuning import DAY, Tuning, utc
from lens_exporter.baseline.detector import TAIL, FirstJudge
from lens_exporter.baseline.early import Early
from lens_exporter.baseline.expected import AlertLabels, Declarations, Declared, none_declared
from lens_exporter.baseline.expected_rows import ExpectedRows
from lens_exporter.baseline.outages import Outages
from lens_exporter.baseline.peers import peers_of
from lens_exporter.baseline.readings import readings
from lens_exporter.baseline.refill import Presence, Refilling
from lens_exporter.baseline.robust import RobustDetector
from lens_exporter.baseline.roster import Grouped, Roster
from lens_exporter.baseline.rules import Reading
from lens_exporter.baseline.warm import Warm
from lens_exporter.model.labels import Labels
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import BoolArray, FloatArray, IntArray, Peers, Window

SETTLE = 300.0  # seconds; younger samples may still change: late scrapes, rule evaluations, remote writes
_SILENT = DAY  # a series without a value for so long leaves, at midnight
_LEAVE = DAY / 8.0  # so often those leave that never come back,
_LEAST_SILENT = DAY / 4.0  # who were silent for so long, and for as long as they were there
_LONE_MEMORY = 2016  # rows a lone series remembers


def _own_labels(_metric: BaselineMetric, series: Labels) -> Labels:
    return series


@dataclass(frozen=True, slots=True)
class Learning:
    """How a watcher learns. Times are seconds."""

    step: float
    window: float
    false_alarms_per_week: float = 1.4
    group_labels: tuple[str, ...] | None = None
    missing: bool = False
    phase: float = 0.0  # by so much after a multiple of half the window everything is begun anew
    offset: Callable[[float], float] = utc
    declared: Declarations = none_declared  # what people say is in order; those rows are learnt whatever their score
    alert_labels: AlertLabels = _own_labels  # what declarations speak about
    warm_up: FirstJudge = field(default_factory=RobustDetector)  # judges while less than a day is known


@dataclass(frozen=True, slots=True)
class Due:
    """What has to be fetched for a look: grid times, multiples of the step, in seconds; both ends included.

    Rows from `first` to `settled` are learnt, rows after that to `last` are judged and may still change. first may be later than
    settled: there is nothing new to learn. fresh: nothing is known, all of the past is fetched.
    """

    first: float
    settled: float
    last: float
    step: float
    fresh: bool


@dataclass(frozen=True, slots=True, eq=False)
class BaselinesState:
    """All that Baselines know, but for what they were given: kept on disk it saves a restart from learning anew."""

    roster: Roster
    engine: Engine
    recent: recent.Recent
    warm: Warm
    last_value: FloatArray
    observations: IntArray
    anchor: float | None
    learnt_to: float
    expected: Mapping[str, Any]
    refilled: Presence
    outages: tuple[bool, float]

    def check(self, metrics: int) -> None:
        """Refuse what does not belong together, or not to so many metrics. Raises ValueError."""
        series = len(self.roster)
        columns = (self.recent.series, self.engine.series, self.last_value.size, self.observations.size, self.refilled.series)
        if self.roster.metrics != metrics or set(columns) != {series} or self.warm.series.max(initial=-1) >= series:
            raise ValueError(f"{self.roster.metrics} metrics and {series} series do not fit {metrics} metrics and {columns} series")


class Baselines:
    """Holds the engine of one watcher and the newest columns; all of it can be thrown away and comes back from Prometheus.

    At any moment the state is what learning all rows since the anchor gives: the anchor lies at a multiple of half the window (and
    its phase), half a window before the last such multiple. So between half and all of the window is known, a process that lived
    long and one that just started agree, and twice per window everything is fetched anew. Not thread-safe.
    """

    def __init__(self, metrics: Sequence[BaselineMetric], learning: Learning) -> None:
        self._metrics = tuple(metrics)
        self._learning = replace(learning, step=round(learning.step, 3))
        self._tuning = Tuning(
            step=self._learning.step,
            false_alarms_per_week=learning.false_alarms_per_week,
            memory=_LONE_MEMORY,
            missing=learning.missing,
            full=np.zeros(0),
            offset=learning.offset,
        )
        self._expected = ExpectedRows(self._metrics, learning.declared, learning.alert_labels, self._learning.step)
        self._refilling = Refilling(self._metrics, self._learning.step)
        self._outages = Outages()
        self.forget()

    def forget(self) -> None:
        """Throw everything away."""
        learning = self._learning
        self._roster = Roster(len(self._metrics), learning.group_labels)
        self._grouped: Grouped = self._roster.grouped()
        self._engine = Engine(0, (), self._tuning)
        self._recent = recent.Recent(0, 0)
        self._warm = Warm(round(min(learning.window, DAY) / learning.step))
        self._last_value = np.zeros(0)
        self._observations = np.zeros(0, dtype=np.int64)
        self._anchor: float | None = None
        self._learnt_to: float | None = None
        self._peers: tuple[float | None, IntArray, Peers] | None = None
        self._expected.forget()
        self._refilling.forget()
        self._outages.forget()

    @property
    def declarations(self) -> Declarations:
        """Who is asked what people declare to be in order."""
        return self._learning.declared

    @property
    def asks_who_looked(self) -> bool:
        """Whether `scraped` is of any use: only where a missing value may be an anomaly."""
        return self._learning.missing

    @property
    def knows(self) -> bool:
        """Whether anything is learnt."""
        return self._learnt_to is not None

    @property
    def remembered(self) -> int:
        """How many series are known, of which some may be gone."""
        return len(self._roster)

    @property
    def learnt_to(self) -> float | None:
        """The newest row that was learnt, Unix seconds."""
        return self._learnt_to

    @property
    def given(self) -> dict[str, object]:
        """What the objects in `learnt` hold that is no part of it."""
        return {"tuning": self._tuning}

    @property
    def learnt(self) -> BaselinesState | None:
        """What was learnt, which goes on changing as more is; None: nothing."""
        if self._learnt_to is None:
            return None
        return BaselinesState(
            self._roster,
            self._engine,
            self._recent,
            self._warm,
            self._last_value,
            self._observations,
            self._anchor,
            self._learnt_to,
            self._expected.learnt,
            self._refilling.kept,
            self._outages.kept,
        )

    def resume(self, learnt: BaselinesState) -> None:
        """Go on with what was learnt of the same metrics in the same way.

        Raises:
            ValueError, TypeError, KeyError, AttributeError: it is not what `learnt` gives.

        """
        learnt.check(len(self._metrics))
        self._roster, self._grouped, self._engine = learnt.roster, learnt.roster.grouped(), learnt.engine
        self._recent, self._warm = learnt.recent, learnt.warm
        self._last_value, self._observations = learnt.last_value, learnt.observations
        self._anchor, self._learnt_to, self._peers = learnt.anchor, learnt.learnt_to, None
        self._expected.resume(learnt.expected)
        self._refilling.resume(learnt.refilled, self._roster.metric_of, self._roster.things())
        self._outages.resume(learnt.outages)

    def anew(self) -> "Baselines":
        """Give what learns the same, and knows nothing yet."""
        return Baselines(self._metrics, self._learning)

    def ask(self, declarations: Declarations) -> None:
        """Ask somebody else what is declared, from the next look on."""
        self._learning = replace(self._learning, declared=declarations)
        self._expected.ask(declarations)

    @property
    def _known_in_time(self) -> bool:
        """Whether the window has room for a budget. In a shorter one the first judge judges for good: what leaves it is told."""
        return self._learning.window >= 2 * DAY

    @property
    def warm_up_seconds(self) -> float:
        """How much of the past the first judgement of a new series looks at: a day before each of the newest columns."""
        step = self._learning.step
        return max(min(self._learning.window, DAY), TAIL * step) + SETTLE + (TAIL + 1) * step

    def due(self, at: float) -> Due:
        """Say what has to be fetched to judge the moment `at` (Unix seconds).

        It is everything also where something else is declared now about rows that were learnt already.
        """
        step = self._learning.step
        last = math.floor(at / step + 1e-6)
        settled = last - max(1, math.ceil(SETTLE / step))
        anchor = self._anchor_of(last * step)
        self._expected.hear(last * step)
        fresh = self._learnt_to is None or anchor != self._anchor or settled * step < self._learnt_to - step / 2
        fresh = fresh or self._expected.outdated(last * step, anchor, self._learnt_to, self._roster, self._grouped)
        first = math.ceil(anchor / step - 1e-6) if fresh or self._learnt_to is None else round(self._learnt_to / step) + 1
        return Due(first * step, settled * step, last * step, step, fresh)

    def begin(self, due: Due) -> None:
        """Make ready to learn what is due: forget everything first if it is fresh."""
        if due.fresh:
            self._expected.begin(due.last)
            self.forget()
            self._anchor = self._anchor_of(due.last)

    def learn(
        self,
        windows: Sequence[Window],
        *,
        recently: float,
        told_from: float = -math.inf,
        scraped: Window | None = None,
        unread: Collection[int] = (),
    ) -> None:
        """Learn the settled rows of every metric, all of the same times, which follow what was learnt before.

        A metric that could not be read is a window without series. Rows younger than `recently` are kept for a first judgement of
        series that are not known for a day yet. Of rows up to `told_from` nobody hears: they are spared what only serves to tell.
        scraped are the answers to outages.SCRAPED at these times, None where nobody knows; unread the metrics that failed.
        """
        times = max((window.times for window in windows), key=len)
        for start, end in self._parts(times):
            told = min(TAIL, int(np.count_nonzero(times[start:end] > told_from)))
            away = self._outages.within(None if scraped is None else cut(scraped, start, end), learn=True)
            if times[end - 1] >= recently:
                told = max(1, told)  # one row at least, for its band tells who needs no first judge
            self._learn([_seen(cut(window, start, end)) for window in windows], times[start:end], recently, told, away, unread)

    def read(self, windows: Sequence[Window], scraped: Window | None = None, *, unread: Collection[int] = ()) -> list[Reading]:
        """Judge the rows that follow without learning them; the last of them is the judged moment. The rest is as in learn."""
        times = max((window.times for window in windows), key=len)
        self._seat(windows)
        values, away = self._refilling.without(times, self._roster.table(windows, times.size), learn=False, unread=unread)
        away = _either(away, self._outages.within(scraped, learn=False), len(self._roster))
        now = recent.columns(times, values, self._engine.peek(times, values, away=away))
        seen = self._observations + np.isfinite(values[:, :-1]).sum(axis=1)
        early = self._warm.followed_by(times, values, self._learning.warm_up)
        return readings(
            self._metrics,
            self._roster,
            self._grouped,
            self._recent.followed_by(now),
            seen,
            self._engine.extremes(),
            self._engine.habits(),
            early,
            self._peers_of(early),
            warnings=tuple(window.warnings for window in windows),
            step=self._learning.step,
            false_alarms_per_week=self._learning.false_alarms_per_week if self._known_in_time else math.inf,
        )

    def _peers_of(self, early: Early) -> Peers:
        """Give what peers of young series had: another thing only when a bin has ended, or others have come or gone."""
        bin_ = None if self._learnt_to is None else self._learnt_to // self._tuning.bin
        known = self._peers
        if known is None or known[0] != bin_ or not np.array_equal(known[1], early.series):
            peers = peers_of(self._roster, early, self._engine.bin_means, bin_seconds=self._tuning.bin)
            self._peers = known = bin_, early.series, peers
        return known[2]

    def declared(self, at: float) -> Declared:
        """Give what is declared about a moment (Unix seconds), as heard when its look began."""
        return self._expected.declared(at, self._roster, self._grouped)

    def _learn(
        self,
        windows: Sequence[Window],
        times: FloatArray,
        recently: float,
        told: int,
        nobody_looked: BoolArray | None,
        unread: Collection[int],
    ) -> None:
        if self._learnt_to is not None and times[0] // _LEAVE != self._learnt_to // _LEAVE:
            self._leave(self._learnt_to, midnight=times[0] // DAY != self._learnt_to // DAY)
        self._seat(windows)
        values, away = self._refilling.without(times, self._roster.table(windows, times.size), learn=True, unread=unread)
        away = _either(away, nobody_looked, len(self._roster))
        present = np.isfinite(values)
        expected = self._expected.learn(times, present, self._observations > 0, self._roster, self._grouped)
        scored = self._engine.advance(times, values, expected=expected, away=away, told=told)
        self._recent.add(recent.columns(times[times.size - told :], values[:, times.size - told :], scored))
        newest = np.where(present.any(axis=1), times[times.size - 1 - np.argmax(present[:, ::-1], axis=1)], -np.inf)
        self._last_value = np.maximum(self._last_value, newest)
        self._observations = self._observations + present.sum(axis=1)
        self._learnt_to = float(times[-1])
        if self._learnt_to >= recently:
            self._warm.learn(times, values, ~self._recent_known())

    def _recent_known(self) -> BoolArray:
        """Tell which series the engine judges."""
        newest = self._recent.newest
        # The last place is for series without a group.
        known: BoolArray = (
            np.isfinite(newest.upper[-1]) & np.append(np.isfinite(newest.group_threshold[-1]), True)[self._grouped.of]
        )
        return known

    def _seat(self, windows: Sequence[Window]) -> None:
        """Give new series their place."""
        before = len(self._roster)
        for metric, window in enumerate(windows):
            self._roster.seat(metric, window.labels)
        if len(self._roster) != before:
            self._take(np.concatenate([np.arange(before), np.full(len(self._roster) - before, -1)]).astype(np.int64))

    def _parts(self, times: FloatArray) -> list[tuple[int, int]]:
        """Cut rows where series leave, so that they do so at the same row whatever blocks the rows come in."""
        ends = [int(end) for end in np.flatnonzero(np.diff(times // _LEAVE)) + 1]
        return list(zip([0, *ends], [*ends, times.size], strict=True)) if times.size else []

    def _leave(self, at: float, *, midnight: bool) -> None:
        """Let go of who was silent for a day, and of who never comes back and was silent for as long as it was there.

        Silence counts from the newest value of any of its kind, or of its metric where it is of none: while nothing is read nobody
        is known to be gone, and the pods of yesterday are what those of this morning are held against.
        """
        kind, metrics = self._roster.kinds().kind, len(self._metrics)
        of = np.where(kind < 0, self._roster.metric_of, metrics + kind)
        newest, seen = np.full(metrics + int(kind.max(initial=-1)) + 1, -np.inf), self._observations > 0
        np.maximum.at(newest, of[seen], self._last_value[seen])
        there = np.clip(self._observations * self._learning.step, _LEAST_SILENT, _SILENT)
        gone = ~self._roster.comes_back & (newest[of] - self._last_value >= there)
        if midnight:
            gone |= self._last_value <= at - _SILENT
        kept = np.flatnonzero(~gone)
        if kept.size < len(self._roster):
            self._roster.keep(kept)
            self._take(kept)

    def _take(self, kept: IntArray) -> None:
        self._peers = None
        groups_before = {key: index for index, key in enumerate(self._grouped.keys)}
        self._grouped = self._roster.grouped()
        groups_kept = np.array([groups_before.get(key, -1) for key in self._grouped.keys], dtype=np.int64)
        scales = np.array([np.nan if metric.scale is None else metric.scale for metric in self._metrics])
        full = scales[self._roster.metric_of]
        self._engine.take(kept, self._grouped.groups, groups_kept, shares=self._grouped.shares, full=full)
        self._recent.take(kept, groups_kept)
        self._warm.take(kept)
        self._refilling.take(kept, self._roster.metric_of, self._roster.things())
        new = kept < 0
        self._expected.regroup(left=kept.size - new.sum() < self._last_value.size)
        self._last_value = np.where(new, self._learnt_to or 0.0, _placed(self._last_value, kept))
        self._observations = np.where(new, 0, _placed(self._observations, kept))

    def _anchor_of(self, at: float) -> float:
        half = self._learning.window / 2.0
        # A short window is all that the first judge has to go by, so there it is the least that is known.
        back = 1.0 if self._known_in_time else 2.0
        return (math.floor((at - self._learning.phase) / half) - back) * half + self._learning.phase


def empty(metric: BaselineMetric, first: float, last: float, step: float) -> Window:
    """Give the window of a metric that could not be read: no series, and the grid times from first to last."""
    times = np.arange(round(first / step), round(last / step) + 1, dtype=np.float64) * step
    return Window(metric.name, (), times, np.empty((0, times.size)), step)


def cut(window: Window, start: int, end: int | None) -> Window:
    """Give some columns of a window, without a series' row less."""
    return replace(window, times=window.times[start:end], values=window.values[:, start:end])


def _seen(window: Window) -> Window:
    """Leave out series without a value in any of several rows: of a long past they are of another time, and would take up room."""
    there = np.flatnonzero(np.isfinite(window.values).any(axis=1))
    if window.times.size < 2 or there.size == len(window.labels):
        return window
    return replace(window, labels=tuple(window.labels[row] for row in there), values=window.values[there])


def _either(away: BoolArray | None, everything: BoolArray | None, series: int) -> BoolArray | None:
    """Mark what away [series, time] marks, and all of the rows that everything [time] does; None marks nothing."""
    if everything is None:
        return away
    return np.broadcast_to(everything, (series, everything.size)) if away is None else away | everything


def _placed(array: np.ndarray, kept: IntArray) -> np.ndarray:
    return array[np.maximum(kept, 0)] if array.size else np.zeros(kept.size, dtype=array.dtype)
