"""Many lives of series, watched at once: each life is an instance of its own, so none knows of another."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lens_exporter.baseline.analyzer import Analyzer, Conclusion
from lens_exporter.baseline.baselines import Baselines, Learning
from lens_exporter.baseline.outages import SCRAPED
from lens_exporter.model.alert import Alert
from lens_exporter.model.decision import Anomaly, GroupStanding, Observation
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import FloatArray
from lens_exporter.watch.alerting import alert_of, target_of
from lens_exporter.watch.hysteresis import Begin, Escalate, Memory, Over, plan, underway
from lens_exporter.watch.look import Looker
from lens_exporter.watch.ports import Watched
from tests.unit.baseline.past import Past

STEP = 300.0
HOUR = 12  # rows
DAY = 24 * HOUR
BEGINS = (
    1_700_092_800.0  # Thursday 2023-11-16 00:00 UTC, where a window of two weeks has its anchor: two weeks are learnt in one go
)
MEMBERS = ("memory", "cpu", "latency", "errors", "queue", "threads")

Values = dict[str, FloatArray]


@dataclass(frozen=True)
class Life:
    """Values of the metrics of one instance, {name: [time]}, and how each was declared."""

    values: Mapping[str, FloatArray]
    declared: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass
class Seen:
    """What a watcher said of one life."""

    alarms: list[tuple[int, Anomaly]] = field(default_factory=list)  # row, decision
    begun: list[tuple[int, str]] = field(default_factory=list)  # row, anomaly type: what a cooldown is asked to let through
    over: list[int] = field(default_factory=list)
    observations: dict[int, dict[str, Observation]] = field(default_factory=dict)  # by row and metric
    groups: dict[int, GroupStanding] = field(default_factory=dict)

    @property
    def alarmed(self) -> list[int]:
        """Rows with an anomaly."""
        return sorted({row for row, _ in self.alarms})

    def at(self, row: int, metric: str = "load") -> Observation:
        return self.observations[row][metric]


@dataclass
class Open:
    """An open alert as the lifecycle stores it."""

    alert: Alert
    correlation: str = "01JD"


class Watch:
    """A watcher of many lives. What lies before the first row it looks at is learnt. scraped is when anything was, last."""

    def __init__(
        self,
        lives: Mapping[str, Life],
        *,
        begins: float = BEGINS,
        step: float = STEP,
        scraped: FloatArray | None = None,
        **learning: Any,
    ) -> None:
        metrics, labels, values = [], {}, {}
        for life, told in lives.items():
            for name, course in told.values.items():
                metric = BaselineMetric(f"{name} of {life}", name, **{"category": name, **told.declared.get(name, {})})
                metrics.append(metric)
                labels[metric.name] = ({"instance": life},)
                values[metric.name] = np.asarray(course, dtype=np.float64)[None]
        if scraped is not None:
            labels[SCRAPED.name], values[SCRAPED.name] = ({},), scraped[None]
        self._past = Past(begins, step, labels, values, block=20_000)
        self._watched = Watched("lives", tuple(metrics), step=step)
        baselines = Baselines(metrics, Learning(step, self._watched.window, **learning))
        self._looker = Looker(self._watched, self._past, baselines, Analyzer())
        self._seen = {life: Seen() for life in lives}
        self._memory, self._open = Memory(), list[Open]()

    def through(self, rows: Iterable[int]) -> dict[str, Seen]:
        """Look at these rows, one after another."""
        for row in rows:
            at = self._past.begins + row * self._watched.step
            look = self._looker.look(at, underway(self._open, self._memory))
            for observation in look.observations:
                name, life = observation.metric.split(" of ", 1)
                self._seen[life].observations.setdefault(row, {})[name] = observation
            for standing in look.groups:
                self._seen[standing.labels["instance"]].groups[row] = standing
            for conclusion in look.conclusions:
                if isinstance(conclusion.decision, Anomaly):
                    self._seen[conclusion.target["instance"]].alarms.append((row, conclusion.decision))
            self._plan(row, look.conclusions, look.at)
        return self._seen

    def _plan(self, row: int, conclusions: Sequence[Conclusion], at: float) -> None:
        actions, self._memory = plan(self._open, conclusions, self._memory, at, self._watched)
        for action in actions:
            if isinstance(action, Over | Escalate):
                self._open.remove(action.open)  # type: ignore[arg-type]
            if isinstance(action, Over):
                self._seen[target_of(action.open.alert)["instance"]].over.append(row)
            if isinstance(action, Begin | Escalate):
                self._open.append(Open(alert_of(action.anomaly, self._watched, correlation="01JD")))
            if isinstance(action, Begin):
                self._seen[action.anomaly.target["instance"]].begun.append((row, action.anomaly.anomaly_type))


def lone(course: FloatArray, **declared: Any) -> Life:
    """One metric of an instance that has no other."""
    return Life({"load": course}, {"load": declared})


def group(rows: int, change: Callable[[Values], object] = lambda _values: None, *, seed: int = 1, **declared: Any) -> Life:
    """Six metrics of one instance with a day and night in common; `change` edits the values {name: [time]} in place."""
    values = {name: daily(rows, level=10.0 + place, seed=100 * seed + place) for place, name in enumerate(MEMBERS)}
    change(values)
    return Life(values, declared)


def noise(rows: int, *, level: float = 10.0, width: float = 0.3, seed: int = 1) -> FloatArray:
    return level + width * np.random.default_rng(seed).standard_normal(rows)


def daily(rows: int, *, level: float = 10.0, swing: float = 0.3, width: float = 0.03, seed: int = 1) -> FloatArray:
    """A day and night around a level, lowest at midnight UTC; swing and width are parts of it."""
    season = 1 - swing * np.cos(2 * np.pi * np.arange(rows) / DAY)
    return level * season * (1 + width * np.random.default_rng(seed).standard_normal(rows))


def with_(course: FloatArray, value: float, first: int, rows: int | None = None) -> FloatArray:
    """Give the course with one value from a row on, for so many rows or to the end."""
    changed = np.array(course, dtype=np.float64)
    changed[first : None if rows is None else first + rows] = value
    return changed


def raised(course: FloatArray, by: float, first: int, rows: int | None = None) -> FloatArray:
    """Give the course with something added from a row on."""
    changed = np.array(course, dtype=np.float64)
    changed[first : None if rows is None else first + rows] += by
    return changed
