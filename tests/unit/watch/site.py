"""A watcher on a clock of our own: its history is written as functions of time; database, lifecycle and Alertmanager are real."""

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np

from lens_exporter.baseline.analyzer import Analyzer
from lens_exporter.baseline.bands import BandCollector
from lens_exporter.baseline.baselines import Baselines, Learning
from lens_exporter.baseline.expected import Declaration
from lens_exporter.baseline.notes import Notes
from lens_exporter.baseline.reading.reader import Reader
from lens_exporter.baseline.underway import Underway
from lens_exporter.errors import LensError
from lens_exporter.model.alert import Alert
from lens_exporter.model.decision import Anomaly, Departure
from lens_exporter.model.labels import Labels
from lens_exporter.model.metric import BaselineMetric, Direction
from lens_exporter.model.window import Window
from lens_exporter.watch.alerting import labels_of_alerts
from lens_exporter.watch.cooldown import Cooldown, CooldownLimits
from lens_exporter.watch.look import Look, Looker
from lens_exporter.watch.ports import Collaborators, Watched
from lens_exporter.watch.snapshots import Snapshots
from lens_exporter.watch.watcher import Tick, Watcher
from tests.unit.publish.timeline import NOON, Timeline, timeline

MINUTE = 60.0
API = {"instance": "api-7:9000", "job": "api"}
MEMORY = BaselineMetric(
    "memory_utilization", "lens_memory{$selector}", "ratio", direction=Direction.UP, min_change=0.05, ceiling=0.9, full=1.0
)

Course = Callable[[float], float]  # minutes since noon -> value; NaN for a gap


def quiet(minute: float) -> float:
    """A value around 0.42, the same one for the same minute."""
    return 0.42 + 0.01 * math.sin(7.0 * minute) * math.cos(3.0 * minute)


class Story:
    """An in-memory data source: for each metric, series by their labels, as courses over time."""

    def __init__(self) -> None:
        self.series: dict[str, list[tuple[Labels, Course]]] = {}
        self.fails: LensError | None = None
        self.fails_for: dict[str, LensError] = {}
        self.warnings: tuple[str, ...] = ()
        self.asked: list[str] = []
        self.block = 86_400.0  # seconds of a block of history
        self.gate = threading.Event()  # cleared: every question hangs until it is set
        self.gate.set()

    def tell(self, metric: str, course: Course, labels: Labels = API) -> None:
        self.series.setdefault(metric, [])
        self.series[metric] = [(known, old) for known, old in self.series[metric] if known != labels] + [(labels, course)]

    def points_per_block(self, _metric: BaselineMetric, _at: float, *, step: float) -> int:
        return int(self.block / step)

    def rows(self, metric: BaselineMetric, start: float, end: float, *, step: float) -> Window:
        self.asked.append(metric.query)
        self.gate.wait(30)
        failure = self.fails or self.fails_for.get(metric.name)
        if failure is not None:
            raise failure
        times = step * np.arange(np.ceil(start / step - 1e-6), np.floor(end / step + 1e-6) + 1)
        found = self.series.get(metric.name, [])
        values = np.array([[course((t - NOON) / MINUTE) for t in times] for _labels, course in found]).reshape(
            len(found), times.size
        )
        known = ~np.isnan(values).all(axis=1)
        labels = tuple(labels for (labels, _course), is_known in zip(found, known, strict=True) if is_known)
        return Window(metric.name, labels, times, values[known], step, self.warnings)


class Site:
    """One watcher with everything around it. `at(minute)` is a tick that many minutes after noon."""

    def __init__(
        self, line: Timeline, metrics: tuple[BaselineMetric, ...], cooldown_minutes: float, options: Mapping[str, Any]
    ) -> None:
        self.line = line
        self.story = Story()
        self.announced: list[tuple[Alert, str]] = []
        self.ended: list[Alert] = []
        self.refuses: LensError | None = None
        self.declared: list[Declaration] = []
        self.bands = BandCollector()
        self.notes = Notes(line.database)
        self.watched = Watched("python", metrics, **{"window": 60 * MINUTE, **options})
        self.reader: Callable[[Site], Reader | None] = lambda _site: None
        self.snapshots: Callable[[Site], Snapshots | None] = lambda _site: None
        self._numbers = count(1)
        self._cooldown_minutes = cooldown_minutes
        self.restart()

    def restart(self) -> None:
        """Build the watcher anew over the same database, as after a crash."""
        self.line.restart()
        baselines = Baselines(self.watched.asked, self._learning())
        self.watcher = Watcher(
            self.watched,
            Looker(self.watched, self.story, baselines, Analyzer(cooldown_minutes=self._cooldown_minutes)),
            Collaborators(
                cooldown=Cooldown(self.line.database, self.watched.name, CooldownLimits()),
                notes=self.notes,
                alerts=self.line.lifecycle,
                announce=self._announce,
                over=self.ended.append,
                events=self.line.events,
                telemetry=self.line.telemetry,
                bands=self.bands,
                reader=self.reader(self),
                new_id=self.new_id,
                stopwatch=lambda: 0.0,
            ),
            self.snapshots(self),
        )

    def _learning(self) -> Learning:
        return Learning(
            self.watched.step,
            self.watched.window,
            declared=lambda: tuple(self.declared),
            alert_labels=labels_of_alerts(self.watched.name, None, self.watched.external_labels),
        )

    def new_id(self) -> str:
        return f"01JD{next(self._numbers):022d}"

    def _announce(self, alert: Alert, correlation: str) -> None:
        if self.refuses is not None:
            raise self.refuses
        # As the intake does: an alert that is known already is no news.
        if all((known.fingerprint, known.starts_at) != (alert.fingerprint, alert.starts_at) for known, _ in self.announced):
            self.announced.append((alert, correlation))

    def at(self, minute: float, **more: Any) -> Tick:
        self.line.time.now = NOON + minute * MINUTE
        return self.watcher.tick(self.line.time.now, **more)

    def every_minute(self, first: int, last: int) -> list[Tick]:
        return [self.at(minute) for minute in range(first, last + 1)]

    @property
    def firing(self) -> list[Alert]:
        return [stored.alert for stored in self.line.lifecycle.firing("watcher")]

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [event.data for event in self.line.events.query(kind=kind)]

    def metric(self, name: str, **labels: str) -> float | None:
        return self.line.telemetry.value(name, watcher="python", **labels)


def asked(here: Site, *told: Departure) -> list[tuple[Underway, ...]]:
    """Give what each look from now on is told is underway; anomalies are from now on such that half an hour tells these."""
    found: list[tuple[Underway, ...]] = []
    looker = here.watcher._looker
    look = looker.look

    def looked(at: float, about: Sequence[Underway] = ()) -> Look:
        found.append(tuple(about))
        seen = look(at, about)
        by_half_an_hour = [
            replace(one, decision=replace(one.decision, departures=told)) if isinstance(one.decision, Anomaly) else one
            for one in seen.conclusions
        ]
        return replace(seen, conclusions=tuple(by_half_an_hour))

    looker.look = looked  # type: ignore[method-assign]
    return found


@contextmanager
def site(*metrics: BaselineMetric, cooldown_minutes: float = 5.0, **options: Any) -> Iterator[Site]:
    with timeline() as line:
        here = Site(line, metrics or (MEMORY,), cooldown_minutes, options)
        here.story.tell(MEMORY.name, quiet)
        yield here
