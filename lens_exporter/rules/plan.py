"""What the rules of one watcher are made from, and how often they are evaluated."""

import math
from dataclasses import dataclass, replace

from lens_exporter.config.settings import Prometheus, Watcher
from lens_exporter.lenses import catalog
from lens_exporter.model.metric import BaselineMetric, substituted
from lens_exporter.watch.schedule import next_due

DAY = 86_400.0
# Standard deviations that come nearest to the detector's band: at 1.4 false alarms a week, and for each e-th part of that more
# (bench/rules_agreement.py).
_DEVIATIONS, _USUAL_BUDGET, _FOR_FEWER = 4.0, 1.4, 0.9
_NARROWEST = 3.0
_EVERY = 300.0  # seconds between two readings that a baseline is learnt from
_SILENT = 600.0  # seconds without a tick after which nobody watches
_MIDNIGHT = 1_767_225_600.0  # 2026-01-01 00:00 UTC; any fixed moment will do, so that the same schedule gives the same rules
_TICKS = 2000  # of a schedule, looked through for its longest pause: a week of one every five minutes


@dataclass(frozen=True, slots=True)
class Plan:
    """One watcher as its rules see it. Times are seconds."""

    watcher: str
    metrics: tuple[BaselineMetric, ...]  # with the watcher's selector in their queries
    foreign: bool  # the queries are the user's: nobody knows which labels their series have
    step: float  # between two readings
    every: float  # between two readings the baseline is learnt from
    window: float  # in which a level counts as one that the series is used to
    horizon: float  # a trend that is full within it is an anomaly
    silent: float  # without a tick of the watcher for so long, the rules speak for it
    deviations: float  # half-width of the band in standard deviations of the residual
    runbook_url: str = ""
    tenants: tuple[str, ...] = ()  # that the watcher's data source reads at once

    @property
    def tolerance(self) -> float:
        """How far from the same time of day a reading may lie to count as one of that time."""
        return max(900.0, self.every)


def plan_for(watcher: Watcher, source: Prometheus) -> Plan:
    """Take from a watcher's settings what its rules need; without metrics of its own it tracks those of its lens.

    Raises:
        UnknownLens: there is no such lens.

    """
    tracked = catalog.tracked(watcher)
    tenants = tuple(filter(None, (source.tenant or "").split("|")))
    return Plan(
        watcher=watcher.name,
        metrics=tuple(replace(metric, query=substituted(metric.query, watcher.selector)) for metric in tracked),
        foreign=bool(watcher.metrics),
        step=watcher.step,
        every=max(_EVERY, watcher.step),
        window=min(watcher.window, DAY),
        horizon=watcher.exhaustion_horizon,
        silent=max(_SILENT, 2 * _longest_pause(watcher.schedule)),
        # As in the watcher, the metrics of a target share its budget.
        deviations=deviations(watcher.false_alarms_per_week / len(tracked)),
        runbook_url=watcher.runbook_url or "",
        tenants=tenants if len(tenants) > 1 else (),
    )


def deviations(budget: float) -> float:
    """Give the half-width of a band that is left about so many times a week, in standard deviations of the residual."""
    return max(_NARROWEST, round(_DEVIATIONS + _FOR_FEWER * math.log(_USUAL_BUDGET / budget), 2))


def _longest_pause(schedule: str) -> float:
    at, longest = next_due(schedule, _MIDNIGHT), 0.0
    for _ in range(_TICKS):
        due = next_due(schedule, at)
        longest, at = max(longest, due - at), due
    return longest
