"""The course of a flagged series: its last readings, and the same hour a day and a week before."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lens_exporter.errors import LensError
from lens_exporter.model.decision import Anomaly
from lens_exporter.model.labels import Labels, without
from lens_exporter.prometheus.answers import QueryAnswer

_READINGS = 30
_HALF_HOUR = 1800.0
_DAY = 86_400.0
_MOST_POINTS = 120  # of one hour


class Past(Protocol):
    """Whoever answers range queries; prometheus.client.Prometheus is one."""

    def query_range(self, query: str, start: float, end: float, step: float) -> QueryAnswer: ...


@dataclass(frozen=True, slots=True)
class Course:
    """Values in the order of time, gaps left out; empty where nobody knows them."""

    recent: tuple[float, ...] = ()  # the last 30 readings, the judged one last
    yesterday: tuple[float, ...] = ()  # half an hour before and after the same time of the day before
    last_week: tuple[float, ...] = ()


def course(past: Past, anomaly: Anomaly, step: float) -> Course:
    """Ask for the course of the series that carries an anomaly. What cannot be had is left out: the reading goes on without."""
    carrier = anomaly.evidence[0]

    def values(start: float, end: float, every: float) -> tuple[float, ...]:
        try:
            answer = past.query_range(anomaly.query, start, end, every)
        except LensError:
            return ()
        return _of(answer, carrier.target)

    def hour(before: float) -> tuple[float, ...]:
        middle = carrier.at - before
        return values(middle - _HALF_HOUR, middle + _HALF_HOUR, max(step, 2 * _HALF_HOUR / _MOST_POINTS))

    return Course(
        recent=values(carrier.at - (_READINGS - 1) * step, carrier.at, step), yesterday=hour(_DAY), last_week=hour(7 * _DAY)
    )


def _of(answer: QueryAnswer, target: Labels) -> tuple[float, ...]:
    for series in answer.series:
        if without(series.labels, ("__name__",)) == dict(target):
            return tuple(float(value) for value in series.values[np.isfinite(series.values)])
    return ()
