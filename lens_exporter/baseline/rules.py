"""The rules that make readings of one metric an anomaly, applied to all of its series at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lens_exporter.baseline.detector import TAIL
from lens_exporter.baseline.trend import STRETCHES, Trend, towards
from lens_exporter.model.decision import Observation, Phase, Rule
from lens_exporter.model.metric import BaselineMetric, Direction
from lens_exporter.model.window import FloatArray, Scores, Window

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The numbers of the rules; a watcher's configuration sets the first two."""

    min_observations: int = 10
    exhaustion_horizon: float = 3600.0  # seconds
    consecutive: int = 3  # readings outside the band, or beyond the ceiling
    jump_readings: int = 2  # a step needs a second reading: one sample alone wakes nobody
    jump_factor: float = 2.0  # times the largest departure before
    critical_within: float = 900.0  # seconds to the hard limit, when already beyond the ceiling
    critical_share: float = 0.97  # of the hard limit


@dataclass(frozen=True, slots=True)
class Reading:
    """One metric of a watcher with its history and the detector's reading of it."""

    metric: BaselineMetric
    window: Window
    scores: Scores


@dataclass(frozen=True, slots=True)
class Verdict:
    """One series judged at the last column of its window."""

    metric: BaselineMetric
    observation: Observation  # its target is the whole label set of the series
    rules: tuple[Rule, ...] = ()
    side: int = 1  # +1 above, -1 below; inside the band the side that would be bad
    outside: int = 0  # readings in a row outside the band, up to the judged one; counted up to `TAIL`
    beyond: int = 0  # readings in a row beyond the ceiling
    calm: int = 0  # readings in a row that were neither
    trend: Trend | None = None
    critical: bool = False


@dataclass(frozen=True, slots=True)
class _Runs:
    """How many of the last readings in a row hold, and the column of the first of them; gaps neither count nor break."""

    length: IntArray
    first: IntArray


def judge(reading: Reading, thresholds: Thresholds) -> list[Verdict]:
    """Judge every series that had a value within the last `TAIL` columns; one that is gone for longer is forgotten."""
    metric, window, scores = reading.metric, reading.window, reading.scores
    length = window.values.shape[1]
    if length == 0:
        return []
    start = max(0, length - TAIL)
    values = window.values[:, start:]
    present = np.isfinite(values)
    above, below = _outside(metric, values, scores, start)
    over = present & _beyond(metric, values)
    up, down, high = (_trailing(mask, present) for mask in (above, below, over))
    calm = _trailing(present & ~above & ~below & ~over, present)
    rising = _may_be_rising(metric, values)
    verdicts = []
    for row in np.flatnonzero(present.any(axis=1)):
        side, run = (1, up) if up.length[row] else (-1, down) if down.length[row] else (0, high)
        facts = _Facts(reading, thresholds, int(row), start, side, run, high)
        trend = facts.trend() if rising[row] else None
        rules = facts.rules(trend)
        observation = facts.observation(rules, trend)
        verdicts.append(
            Verdict(
                metric,
                observation,
                rules,
                side=side or (-1 if metric.direction is Direction.DOWN else 1),
                outside=int(run.length[row]) if side else 0,
                beyond=int(high.length[row]),
                calm=int(calm.length[row]),
                trend=trend,
                critical=facts.critical(rules, trend),
            )
        )
    return verdicts


@dataclass(frozen=True, slots=True)
class _Facts:
    """One series, with what the vectorised part found out about it."""

    reading: Reading
    thresholds: Thresholds
    row: int
    start: int  # the column of the window at which the runs' columns begin
    side: int
    run: _Runs
    high: _Runs

    @property
    def value(self) -> float | None:
        return _known(self.reading.window.values[self.row, -1])

    @property
    def collecting(self) -> bool:
        return bool(self.reading.scores.observations[self.row] < self.thresholds.min_observations)

    def rules(self, trend: Trend | None) -> tuple[Rule, ...]:
        """Name every rule that makes this series an anomaly now. Too few observations leave only the ceiling."""
        if self.value is None:
            return ()
        found = []
        outside = int(self.run.length[self.row]) if self.side and not self.collecting else 0
        if outside >= self.thresholds.consecutive:
            found.append(Rule.CONSECUTIVE)
        if outside >= self.thresholds.jump_readings and self._jumped():
            found.append(Rule.JUMP)
        if self.high.length[self.row] >= self.thresholds.consecutive:
            found.append(Rule.CEILING)
        if trend is not None and trend.full_at - self.reading.window.times[-1] <= self.thresholds.exhaustion_horizon:
            found.append(Rule.EXHAUSTION)
        return tuple(found)

    def _jumped(self) -> bool:
        """Whether every reading of the run is further away than twice anything in the window before it."""
        first = self.start + int(self.run.first[self.row])
        values, expected = self.reading.window.values[self.row], self.reading.scores.expected[self.row, first]
        largest = np.nanmax(np.abs(_finite(values[:first]) - expected), initial=0.0)
        return bool(np.all(np.abs(_finite(values[first:]) - expected) > self.thresholds.jump_factor * largest))

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
        )

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
        if since is None and Rule.EXHAUSTION in rules and trend is not None:
            since = trend.begins
        return Observation(
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

    def _phase(self, rules: tuple[Rule, ...]) -> Phase:
        if self.value is None:
            return Phase.MISSING
        if rules:
            return Phase.ANOMALY
        if self.collecting:
            return Phase.COLLECTING
        return Phase.DEVIATING if self.run.length[self.row] else Phase.NORMAL


def _outside(metric: BaselineMetric, values: FloatArray, scores: Scores, start: int) -> tuple[BoolArray, BoolArray]:
    """Mark readings above and below the band that are worth telling: on the metric's side, and far enough in its unit."""
    score = scores.score[:, start:]
    with np.errstate(invalid="ignore", over="ignore"):
        far = np.isfinite(values) & (np.abs(values - scores.expected[:, start:]) >= metric.min_change)
        above, below = far & (score > 1.0), far & (score < -1.0)
    nothing = np.zeros_like(far)
    return (nothing if metric.direction is Direction.DOWN else above), (nothing if metric.direction is Direction.UP else below)


def _beyond(metric: BaselineMetric, values: FloatArray) -> BoolArray:
    if metric.ceiling is None:
        return np.zeros(values.shape, dtype=np.bool_)
    with np.errstate(invalid="ignore"):
        beyond: BoolArray = values <= metric.ceiling if metric.direction is Direction.DOWN else values >= metric.ceiling
    return beyond


def _may_be_rising(metric: BaselineMetric, values: FloatArray) -> BoolArray:
    """Pick the series whose trend is worth the sorting: the last reading is the furthest of the short stretch."""
    if metric.full is None or values.shape[1] == 0:
        return np.zeros(values.shape[0], dtype=np.bool_)
    sign = -1.0 if metric.direction is Direction.DOWN else 1.0
    recent = np.where(np.isfinite(values[:, -STRETCHES[0] :]), sign * values[:, -STRETCHES[0] :], -np.inf)
    moved: BoolArray = (recent[:, -1] >= np.quantile(recent, 0.8, axis=1, method="lower")) & (recent[:, -1] > recent.min(axis=1))
    return moved


def _trailing(holds: BoolArray, present: BoolArray) -> _Runs:
    length = np.zeros(holds.shape[0], dtype=np.int64)
    first = np.zeros(holds.shape[0], dtype=np.int64)
    unbroken = np.ones(holds.shape[0], dtype=np.bool_)
    for column in reversed(range(holds.shape[1])):
        unbroken &= holds[:, column] | ~present[:, column]
        counts = unbroken & present[:, column]
        length += counts
        first[counts] = column
    return _Runs(length, first)


def _finite(values: FloatArray) -> FloatArray:
    return values[np.isfinite(values)]


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
