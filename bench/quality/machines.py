"""Measures for groups of metrics with labelled events: per row without point adjustment, and per event.

An *alarm-hour* is an hour of the test part (counted from its first row) in which an alarm stands outside labelled events and the
half hour around them. Rates are alarm-hours per day of the whole test part.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .data import BoolArray, Event, FloatArray, Machine

_HOUR = 3600.0
_MARGIN = 1800.0  # seconds around an event in which an alarm is neither right nor wrong


@dataclass(frozen=True, slots=True)
class Caught:
    """What a threshold catches. caught [event]; delay [event] in minutes from the event's first row, NaN where it is missed."""

    threshold: float
    caught: BoolArray
    delay: FloatArray


@dataclass(frozen=True, slots=True)
class Realised:
    """What a detector's own alarms do. hours_per_day: false alarm-hours per machine-day; caught, delay as in Caught."""

    hours_per_day: float
    caught: BoolArray
    delay: FloatArray


def average_precision(scores: FloatArray, label: BoolArray) -> float:
    """Area under the precision-recall steps, sum of (recall gained) x (precision reached) over thresholds; ties count as one.

    scores, label [time]; higher is more anomalous. No point adjustment. NaN without a labelled row.
    """
    order = np.argsort(-scores, kind="stable")
    falling, hits = scores[order], np.cumsum(label[order])
    if not len(hits) or not hits[-1]:
        return float("nan")
    ends = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
    precision, recall = hits[ends] / (ends + 1), hits[ends] / hits[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def quiet(machine: Machine) -> BoolArray:
    """Rows [time] of the test part outside labelled events and the half hour around them."""
    rows = np.ones(len(machine.test), dtype=np.bool_)
    margin = round(_MARGIN / machine.step)
    for event in machine.events:
        rows[max(0, event.start - margin) : event.end + margin] = False
    return rows


def caught_at(scores: FloatArray, machine: Machine, hours_per_day: float) -> Caught:
    """Set the lowest threshold with at most so many false alarm-hours a day on this very test part (an oracle's), and use it.

    scores [time] of the test part; a row alarms where its score exceeds the threshold.
    """
    highest = np.sort(_hourly(np.where(quiet(machine), scores, -np.inf), machine.step))[::-1]
    allowed = min(int(hours_per_day * machine.days), len(highest) - 1)
    threshold = float(highest[allowed])
    return Caught(threshold, *_events_met(scores > threshold, machine))


def realised(alarm: BoolArray, machine: Machine) -> Realised:
    """Judge alarms that a detector raised by itself, without knowing the labels. alarm [time] of the test part."""
    hours = _hourly((alarm & quiet(machine)).astype(np.float64), machine.step)
    return Realised(float(hours.sum()) / machine.days, *_events_met(alarm, machine))


def hit_rate(series_scores: FloatArray, machine: Machine, share: float = 1.0) -> FloatArray:
    """Of each event's true columns, the part found among as many (times share) highest columns. [event], NaN without causes.

    series_scores [metric, time] of the test part; columns are ranked by their highest score inside the event. Where columns tie
    at the border, the mean over their orders counts, so that a constant score gets what chance gets. Source: OmniAnomaly's
    HitRate@P% (Su et al., KDD 2019), with one ranking per event.
    """
    return np.array([_hit_rate(series_scores[:, event.start : event.end].max(axis=1), event, share) for event in machine.events])


def _hit_rate(highest: FloatArray, event: Event, share: float) -> float:
    wanted = int(share * len(event.causes))
    if not wanted:
        return float("nan")
    true = np.zeros(len(highest), dtype=np.bool_)
    true[list(event.causes)] = True
    border = np.sort(highest)[::-1][min(wanted, len(highest)) - 1]
    above, tied = highest > border, highest == border
    places = (min(wanted, len(highest)) - above.sum()) / tied.sum()
    return float((true & above).sum() + places * (true & tied).sum()) / len(event.causes)


def _hourly(values: FloatArray, step: float) -> FloatArray:
    """Highest value of each hour; the last hour may be short."""
    starts = np.unique(np.ceil(np.arange(0, len(values) * step, _HOUR) / step).astype(np.int64))
    highest: FloatArray = np.maximum.reduceat(values, starts[starts < len(values)])
    return highest


def _events_met(alarm: BoolArray, machine: Machine) -> tuple[BoolArray, FloatArray]:
    first = [np.flatnonzero(alarm[event.start : event.end])[:1] for event in machine.events]
    delay = np.array([rows[0] * machine.step / 60 if len(rows) else np.nan for rows in first], dtype=np.float64)
    return np.isfinite(delay), delay


@dataclass(frozen=True, slots=True)
class Quality:
    """One detector on one set of machines.

    ap: mean over machines; ap_pooled: over all rows of all machines together, so it also asks for scores that mean the same on
    each; ev1, ev02: share of all events caught at 1 and 0.2 false alarm-hours per machine-day, thresholds per machine by an
    oracle; ev1_mean, ev02_mean: the mean of the machines' own shares; delay: median minutes of the events caught at 1 (delay02:
    at 0.2); hr100, hr150: mean HitRate over events.
    """

    ap: float
    ap_pooled: float
    ev1: float
    ev02: float
    ev1_mean: float
    ev02_mean: float
    delay: float
    delay02: float
    hr100: float
    hr150: float


def quality(
    machines: Sequence[Machine], scores: Sequence[FloatArray], series_scores: Sequence[FloatArray] | None = None
) -> Quality:
    """Measure one detector on one set. scores: [time] per machine; series_scores: [metric, time] per machine, for HitRate."""
    wide = [caught_at(each, machine, 1.0) for each, machine in zip(scores, machines, strict=True)]
    narrow = [caught_at(each, machine, 0.2) for each, machine in zip(scores, machines, strict=True)]
    ranked = [(np.nan, np.nan)]
    if series_scores is not None:
        pairs = list(zip(series_scores, machines, strict=True))
        ranked = [(a, b) for each, m in pairs for a, b in zip(hit_rate(each, m), hit_rate(each, m, 1.5), strict=True)]
    return Quality(
        ap=float(np.mean([average_precision(each, machine.label) for each, machine in zip(scores, machines, strict=True)])),
        ap_pooled=average_precision(np.concatenate(scores), np.concatenate([machine.label for machine in machines])),
        ev1=_pooled(wide),
        ev02=_pooled(narrow),
        ev1_mean=float(np.mean([each.caught.mean() for each in wide])),
        ev02_mean=float(np.mean([each.caught.mean() for each in narrow])),
        delay=_median_delay(wide),
        delay02=_median_delay(narrow),
        hr100=_mean(a for a, _ in ranked),
        hr150=_mean(b for _, b in ranked),
    )


@dataclass(frozen=True, slots=True)
class Field:
    """A detector's own alarms on one set: false alarm-hours per machine-day (all, and per machine), recall of events, delay."""

    hours_per_day: float
    per_machine: tuple[float, ...]
    recall: float
    delay: float


def field(machines: Sequence[Machine], alarms: Sequence[BoolArray]) -> Field:
    """Judge alarms [time] per machine. hours_per_day is over all machine-days; delay is the median minutes of caught events."""
    each = [realised(alarm, machine) for alarm, machine in zip(alarms, machines, strict=True)]
    days = np.array([machine.days for machine in machines])
    rates = np.array([one.hours_per_day for one in each])
    return Field(float(rates @ days / days.sum()), tuple(rates.tolist()), _pooled(each), _median_delay(each))


def _pooled(each: Sequence[Caught | Realised]) -> float:
    return float(np.concatenate([one.caught for one in each]).mean())


def _median_delay(each: Sequence[Caught | Realised]) -> float:
    delays = np.concatenate([one.delay[one.caught] for one in each])
    return float(np.median(delays)) if len(delays) else float("nan")


def _mean(values: Iterable[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
