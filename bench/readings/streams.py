"""Timelines to replay: synthetic ones, of which we know what should be told, and servers of public data with labelled events."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from quality.data import MONDAY, FloatArray, Machine, load_asd, load_smd

from lens_exporter.model.labels import Labels
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import Window

_MINUTE = 60.0
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Event:
    """Something somebody should be told about, or ("brief") a burst that is over before anybody could act. Unix seconds."""

    kind: str
    start: float
    end: float
    subject: str  # the value of the label that names the target


@dataclass(frozen=True, slots=True)
class Timeline:
    """values: [series, time], one metric each; looks are made from `begins` on (unix seconds)."""

    name: str
    step: float
    metrics: tuple[BaselineMetric, ...]
    labels: tuple[Labels, ...]
    times: FloatArray
    values: FloatArray
    begins: float
    events: tuple[Event, ...]

    def rows(self, metric: BaselineMetric, start: float, end: float, *, step: float) -> Window:
        """Answer as watch.ports.RowSource."""
        size = round((end - start) / step) + 1
        times = start + step * np.arange(size, dtype=np.float64)
        first = round((start - self.times[0]) / step)
        here = np.flatnonzero([one == metric for one in self.metrics])
        values = np.full((here.size, size), np.nan)
        low, high = max(0, -first), min(size, self.times.size - first)
        if low < high:
            values[:, low:high] = self.values[here, first + low : first + high]
        return Window(metric.name, tuple(self.labels[row] for row in here), times, values, step)

    def points_per_block(self, metric: object, at: float, *, step: float) -> int:  # noqa: ARG002 - the protocol's names
        """Answer as watch.ports.RowSource."""
        return 5000


def servers(folder: Path, which: str, days: float) -> list[Timeline]:
    """Give ASD or SMD: one timeline a machine, each metric a series of one instance, the first `days` of the test part."""
    return [_server(one, days) for one in (load_asd if which == "asd" else load_smd)(folder)]


def _server(machine: Machine, days: float) -> Timeline:
    rows = min(len(machine.test), round(days * _DAY / machine.step))
    values = np.concatenate([machine.train, machine.test[:rows]]).T
    times = MONDAY + machine.step * np.arange(values.shape[1], dtype=np.float64)
    begins = float(machine.test_times[0])
    events = tuple(
        Event("labelled", begins + one.start * machine.step, begins + one.end * machine.step, machine.name)
        for one in machine.events
        if one.start < rows
    )
    metrics = tuple(BaselineMetric(f"m{column:02d}_value", f"m{column:02d}") for column in range(values.shape[0]))
    labels = tuple({"instance": machine.name} for _ in metrics)
    return Timeline(machine.name, machine.step, metrics, labels, times, values, begins, events)


def synthetic(seed: int, *, queues: int = 12, days: int = 10) -> Timeline:
    """Queue lengths with a daily course, each judged by itself; after four days one event a day: brief, lasting, or large.

    brief: four minutes, and over before anybody could act. lasting: an hour, a little outside of all that was seen. large: an
    hour, far outside.
    """
    draw = np.random.default_rng(seed)
    rows = round(days * _DAY / _MINUTE)
    times = MONDAY + _MINUTE * np.arange(rows, dtype=np.float64)
    values = np.empty((queues, rows))
    events = []
    for queue in range(queues):
        course = 100.0 + 20.0 * np.sin(2 * np.pi * (times / _DAY + draw.random()))
        values[queue] = course + 2.0 * draw.standard_normal(rows)
        for day in range(4, days):
            kind, length, level = (("brief", 4, 140.0), ("lasting", 60, 140.0), ("large", 60, 300.0))[(day + queue) % 3]
            first = round(day * _DAY / _MINUTE) + int(draw.integers(60, 1300))
            values[queue, first : first + length] = level + 2.0 * draw.standard_normal(length) + 4.0 * draw.random()
            start = float(times[first])
            events.append(Event(kind, start, start + length * _MINUTE, f"q{queue}"))
    metric = BaselineMetric("queue_length", "queue_length")
    labels = tuple({"queue": f"q{queue}"} for queue in range(queues))
    return Timeline(f"synthetic {seed}", _MINUTE, (metric,) * queues, labels, times, values, MONDAY + 4 * _DAY, tuple(events))
