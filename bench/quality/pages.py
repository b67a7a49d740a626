"""False alerts where nothing is known to be wrong, counted as they reach a person: what a watcher would have posted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lens_exporter.config.settings import Config, Metric, Watcher
from lens_exporter.foundation.database import Database
from lens_exporter.replay.journal import Fired
from lens_exporter.replay.replay import replay
from lens_exporter.replay.span import Span
from tests.recordings.rows import RecordedSeries, recording

from .data import Healthy
from .report import Target, number, table

HOSTS = {"busy-host": "host", "busy-python": "python", "idle-host": "host", "idle-python": "python"}
"""Recordings of this project's own machine, an hour and a half while its tests ran and twenty minutes while nothing did, and the
lens whose watcher judges them."""

_AIM = 1.0  # false alerts in 1,000 series-days


@dataclass(frozen=True, slots=True)
class Pages:
    """What one watcher with default settings posted about a healthy recording. days: series-days judged."""

    name: str
    days: float
    alerts: tuple[Fired, ...]


def watched(recorded: RecordedSeries, name: str, settings: Watcher, *, after: float = 0.0) -> Pages:
    """Tick a watcher through a recording, every row once. Alerts that begin in its first `after` seconds do not count."""
    database = Database("sqlite://")
    database.migrate()
    try:
        span = Span(recorded.begin, recorded.end)
        alerts = replay(settings, Config(watchers=(settings,)), database, recorded, span, max_series=100_000).alerts
    finally:
        database.close()
    skipped = round(after / recorded.step)
    days = float(np.isfinite(recorded.values[:, skipped:]).sum() * recorded.step / 86_400.0)
    return Pages(name, days, tuple(alert for alert in alerts if alert.began >= recorded.begin + after))


def of_services(healthy: Healthy) -> Pages:
    """Judge PetShop's microservices: a series is the pod's, so those of a service are judged together. All of it counts."""
    step = float(np.median(np.diff(healthy.times)))
    names = ["_".join(series.split("/")[-2:]).lower().replace("-", "_").replace(" ", "_") for series in healthy.series]
    rows = np.rint((healthy.times - healthy.times[0]) / step).astype(np.int64)
    values = np.full((len(names), rows[-1] + 1), np.nan)
    values[:, rows] = healthy.values
    begin = np.ceil(healthy.times[0] / step) * step
    recorded = RecordedSeries(step, float(begin), tuple(names), tuple({"pod": group} for group in healthy.groups), values)
    metrics = {name: Metric(query=name) for name in dict.fromkeys(names)}
    settings = Watcher(name="shop", lens="promql", schedule="*/5 * * * *", step=step, metrics=metrics)
    return watched(recorded, healthy.name, settings)


def of_host(name: str, lens: str) -> Pages:
    """Judge a recorded host by the watcher of its lens, on a row's rhythm."""
    recorded = recording(name)
    schedule = f"* * * * * */{recorded.step:g}" if recorded.step < 60 else "* * * * *"
    return watched(recorded, name, Watcher(name=lens, lens=lens, schedule=schedule, step=recorded.step))


def pages_table(seen: Sequence[Pages]) -> str:
    """One row per recording and one for all of them."""
    rows = [[each.name, *_figures(each.days, len(each.alerts)), ""] for each in seen]
    days, alerts = sum(each.days for each in seen), sum(len(each.alerts) for each in seen)
    rows.append(["all", *_figures(days, alerts), Target("", _AIM, at_most=True).row(1000 * alerts / days)[-1]])
    told = "\n".join(f"- {each.name}: {alert.summary}" for each in seen for alert in each.alerts)
    return f"{table(('recording', 'series-days', 'alerts', 'per 1,000 series-days', f'at most {_AIM:g}'), rows)}\n{told}\n"


def _figures(days: float, alerts: int) -> list[str]:
    return [number(days, 1), str(alerts), number(1000 * alerts / days, 1)]
