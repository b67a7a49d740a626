"""Metrics of servers judged one by one, as if each were all there is: how well a score ranks the rows that are labelled."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .bootstrap import Resamples, difference
from .data import BoolArray, FloatArray, Machine
from .machines import average_precision, quiet
from .report import differences, number, table

_SAME = 1800.0  # seconds


@dataclass(frozen=True, slots=True)
class Alone:
    """One detector. ap: of each metric that carries an event [metric], per machine; pooled: of all their rows together."""

    name: str
    ap: Sequence[FloatArray]
    pooled: float


@dataclass(frozen=True, slots=True)
class Told:
    """What one detector's own decision does. events: of each event and metric that carries it, whether it is told, and after how
    many minutes; alerts: how many a week and metric begin where nothing is labelled, all metrics counted.
    """

    name: str
    rule: str
    events: BoolArray
    delay: FloatArray
    alerts: float


def told(name: str, rule: str, machines: Sequence[Machine], alarms: Sequence[BoolArray]) -> Told:
    """Judge alarms [metric, time] of the test part, per machine. What comes back within half an hour is the same alert."""
    caught, delay, false, weeks = [], [], 0, 0.0
    for machine, alarm in zip(machines, alarms, strict=True):
        for event in machine.events:
            inside = alarm[list(event.causes), event.start : event.end]
            caught.append(inside.any(axis=1))
            delay.append(np.where(caught[-1], inside.argmax(axis=1) * machine.step / 60.0, np.nan))
        begun = _begun(alarm, round(_SAME / machine.step))
        false += int(begun[:, quiet(machine)].sum())
        weeks += len(alarm) * machine.days / 7.0
    return Told(name, rule, np.concatenate(caught), np.concatenate(delay), false / weeks)


def told_table(found: Sequence[Told]) -> str:
    """One row for each decision."""
    count = found[0].events.size
    head = ("detector", "its own decision", f"told of {count} events, by metric", "delay", "false alerts a week and metric")
    rows = [
        [one.name, one.rule, number(float(one.events.mean())), number(float(np.nanmedian(one.delay)), 0), number(one.alerts)]
        for one in found
    ]
    return table(head, rows)


def _begun(alarm: BoolArray, apart: int) -> BoolArray:
    """Mark the rows [metric, time] in which an alert begins: alarms with none in so many rows before."""
    before = np.concatenate([np.zeros((len(alarm), 1), dtype=np.int64), alarm.cumsum(axis=1)], axis=1)
    first = np.maximum(np.arange(alarm.shape[1]) - apart, 0)
    begun: BoolArray = alarm & (before[:, :-1] == before[:, first])
    return begun


def carrying(machine: Machine) -> BoolArray:
    """Mark the rows [metric, time] of the test part in which a metric carries a labelled event."""
    marked = np.zeros(machine.test.shape[::-1], dtype=np.bool_)
    for event in machine.events:
        marked[list(event.causes), event.start : event.end] = True
    return marked


def alone(name: str, machines: Sequence[Machine], series: Sequence[FloatArray]) -> Alone:
    """Judge scores [metric, time] of the test part, per machine, by the metrics that carry an event."""
    truths, scores, ap = [], [], []
    for machine, score in zip(machines, series, strict=True):
        marked = carrying(machine)
        with_event = np.flatnonzero(marked.any(axis=1))
        ap.append(np.array([average_precision(score[metric], marked[metric]) for metric in with_event]))
        truths.append(marked[with_event].ravel())
        scores.append(score[with_event].ravel())
    return Alone(name, ap, average_precision(np.concatenate(scores), np.concatenate(truths)))


def alone_table(found: Sequence[Alone]) -> str:
    """One row for each detector."""
    head = (f"{np.concatenate(found[0].ap).size} metrics that carry an event, each by itself", "AP", "AP pooled")
    return table(head, [[one.name, number(float(np.concatenate(one.ap).mean()), 3), number(one.pooled, 3)] for one in found])


def alone_differences(ours: Alone, peers: Sequence[Alone], resamples: Resamples) -> str:
    """Our mean AP minus each peer's with 95 % intervals: machines are drawn."""
    own = resamples.mean_by_machines(ours.ap)
    rows = {peer.name: [difference(own, resamples.mean_by_machines(peer.ap))] for peer in peers}
    return differences(ours.name, ("AP, machines drawn",), rows)
