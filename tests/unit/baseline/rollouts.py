"""A Deployment whose pods are replaced by each release, and a watcher of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lens_exporter.baseline.analyzer import Analyzer
from lens_exporter.baseline.baselines import Baselines, Learning
from lens_exporter.model.decision import Anomaly
from lens_exporter.model.labels import Labels
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import FloatArray
from lens_exporter.watch.alerting import alert_of
from lens_exporter.watch.hysteresis import Begin, Escalate, Memory, Over, plan, underway
from lens_exporter.watch.look import Look, Looker
from lens_exporter.watch.ports import Watched
from tests.unit.baseline.lives import BEGINS, DAY, STEP, Open
from tests.unit.baseline.past import Past

Course = Callable[[np.random.Generator, int], FloatArray]  # so many readings of one pod from its first on


@dataclass(frozen=True)
class Release:
    """Pods that begin at one row, three readings apart, and go at another."""

    first: int
    last: int
    course: Course
    pods: int = 3


@dataclass
class Fleet:
    """Pods of one Deployment, release after release, with one metric."""

    releases: Sequence[Release]
    declared: Mapping[str, Any] = field(default_factory=dict)
    name: Callable[[int, int], str] = lambda release, pod: f"web-{'bcdfghjk'[release] * 8}-{'xz2456789'[pod] * 5}"
    more: Callable[[int, int], Labels] = lambda _release, _pod: {}  # labels beside the pod's name
    begun: list[tuple[int, Anomaly]] = field(default_factory=list)
    over: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        rows = max(release.last for release in self.releases)
        labels: list[Labels] = []
        values: list[FloatArray] = []
        random = np.random.default_rng(1)
        for number, release in enumerate(self.releases):
            for pod in range(release.pods):
                first = release.first + 3 * pod
                values.append(np.full(rows, np.nan))
                values[-1][first : release.last] = release.course(random, release.last - first)
                labels.append({"pod": self.name(number, pod), **self.more(number, pod)})
        metric = BaselineMetric("latency", "latency", **{"category": "latency", "unit": "seconds", **self.declared})
        self._past = Past(BEGINS, STEP, {"latency": tuple(labels)}, {"latency": np.array(values)}, block=20_000)
        self._watched = Watched("fleet", (metric,), step=STEP)
        self._looker, self._memory, self._open = self.watcher(), Memory(), list[Open]()

    def watcher(self) -> Looker:
        """Give one that knows nothing yet."""
        baselines = Baselines(self._watched.metrics, Learning(STEP, self._watched.window))
        return Looker(self._watched, self._past, baselines, Analyzer())

    def look(self, row: int, looker: Looker | None = None) -> Look:
        """Look once, with what is open."""
        return (looker or self._looker).look(BEGINS + row * STEP, underway(self._open, self._memory))

    def through(self, rows: Sequence[int]) -> "Fleet":
        """Look at these rows, one after another."""
        for row in rows:
            look = self.look(row)
            actions, self._memory = plan(self._open, look.conclusions, self._memory, look.at, self._watched)
            for action in actions:
                if isinstance(action, Over | Escalate):
                    self._open.remove(action.open)  # type: ignore[arg-type]
                if isinstance(action, Over):
                    self.over.append(row)
                if isinstance(action, Begin | Escalate):
                    self._open.append(Open(alert_of(action.anomaly, self._watched, correlation="01JD")))
                if isinstance(action, Begin):
                    self.begun.append((row, action.anomaly))
        return self


def around(level: float, width: float = 0.1, *, own: float = 0.0) -> Course:
    """Give readings around a level, each by a part `width` of it; pods differ by a part `own`."""
    return lambda random, rows: level * np.exp(own * random.standard_normal() + width * random.standard_normal(rows))


__all__ = ["DAY", "Course", "Fleet", "Release", "around"]
