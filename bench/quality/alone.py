"""Metrics of servers judged one by one, as if each were all there is: how well a score ranks the rows that are labelled."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .bootstrap import Resamples, difference
from .data import BoolArray, FloatArray, Machine
from .machines import average_precision
from .report import differences, number, table


@dataclass(frozen=True, slots=True)
class Alone:
    """One detector. ap: of each metric that carries an event [metric], per machine; pooled: of all their rows together."""

    name: str
    ap: Sequence[FloatArray]
    pooled: float


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
