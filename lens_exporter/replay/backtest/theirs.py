"""What others say about the same time: alerts of the user's own rules, and silences."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lens_exporter.errors import LensError
from lens_exporter.foundation.retry import retrying
from lens_exporter.model.labels import Labels, without
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.silence import Silence
from lens_exporter.model.window import Window
from lens_exporter.publish.alertmanager import Alertmanager, known_silences
from lens_exporter.watch.ports import RowSource

_SHORTEST = 15.0  # seconds between two looks at ALERTS
_POINTS = 10_000  # of one query, at most
_NOT_ABOUT = ("alertname", "alertstate", "severity")  # labels of ALERTS that do not say what an alert is about


@dataclass(frozen=True, slots=True)
class RuleAlert:
    """One alert of a rule of the user's, from the first reading in which it fired to the last. Unix seconds."""

    labels: Labels  # as in ALERTS
    began: float
    ended: float

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "")

    @property
    def about(self) -> Labels:
        """The labels of what it is about."""
        return without(self.labels, _NOT_ABOUT)


@dataclass(frozen=True, slots=True)
class Theirs:
    """What others said, and why some of it could not be asked."""

    alerts: tuple[RuleAlert, ...] = ()
    alerts_unread: str = ""
    silences: tuple[Silence, ...] = ()
    silences_unread: tuple[str, ...] = ()  # one line for each Alertmanager that did not answer
    alertmanagers: int = 0  # that were asked


@dataclass(frozen=True, slots=True)
class Heard:
    """Every silence that the Alertmanagers know, of whatever time."""

    silences: tuple[Silence, ...] = ()
    unread: tuple[str, ...] = ()  # one line for each Alertmanager that did not answer
    alertmanagers: int = 0  # that were asked

    @property
    def complete(self) -> bool:
        """Whether all of them answered, and there is one."""
        return self.alertmanagers > 0 and not self.unread


def hear(alertmanagers: Sequence[Alertmanager]) -> Heard:
    """Ask for the silences. Who does not answer is in the answer."""
    silences, failures = known_silences(alertmanagers)
    return Heard(silences, tuple(map(str, failures)), len(alertmanagers))


def ask(source: RowSource, heard: Heard, begin: float, end: float) -> Theirs:
    """Ask for the ALERTS series between two moments (Unix seconds), and pick the silences. What cannot be asked is said."""
    alerts: tuple[RuleAlert, ...] = ()
    alerts_unread = ""
    try:
        alerts = rule_alerts(retrying(lambda: _firing(source, begin, end)))
    except LensError as error:
        alerts_unread = str(error)
    inside = [one for one in heard.silences if one.starts_at <= end and one.ends_at >= begin]
    inside.sort(key=lambda one: (one.starts_at, one.id))
    return Theirs(alerts, alerts_unread, tuple(inside), heard.unread, heard.alertmanagers)


def _firing(source: RowSource, begin: float, end: float) -> Window:
    """Look at ALERTS every quarter of a minute, in a long span more seldom; what fired since the look before counts as firing."""
    step = max(1, math.ceil((end - begin) / _POINTS / _SHORTEST)) * _SHORTEST
    metric = BaselineMetric("ALERTS", f'count_over_time(ALERTS{{alertstate="firing"}}[{step:.0f}s])')
    return source.rows(metric, begin, end, step=step)


def rule_alerts(window: Window) -> tuple[RuleAlert, ...]:
    """Give each unbroken run of values of each series as one alert, in the order in which they began."""
    found = []
    for labels, values in zip(window.labels, window.values, strict=True):
        edges = np.diff(np.concatenate([[False], np.isfinite(values), [False]]).astype(np.int8))
        for first, after in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
            found.append(RuleAlert(labels, float(window.times[first]), float(window.times[after - 1])))
    return tuple(sorted(found, key=lambda one: (one.began, one.name)))
