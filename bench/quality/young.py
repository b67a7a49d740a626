"""What a watcher makes of servers it has not known for a day: each labelled event, seen by one that began some hours before it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lens_exporter.config.settings import Metric, Watcher
from tests.recordings.rows import RecordedSeries

from .data import Event, Machine
from .pages import watched
from .report import number, table

_WITHIN = 3 * 3600.0  # seconds of an event in which it must be told
_ONE = 1800.0  # seconds: alerts of a machine that begin as close to each other are one alarm, told of several metrics


@dataclass(frozen=True, slots=True)
class Young:
    """One event as a watcher with default settings told it. before: alarms that began before it, and so are of no event."""

    known: float  # hours
    before: int
    alerts_before: int  # an alarm has one for each metric that speaks
    told: int  # alerts that began within the event
    delay: float | None  # seconds to the first of them


def cases(machine: Machine, hours: float) -> list[Event]:
    """Give the events before which a machine was watched for so long without another one."""
    rows = round(hours * 3600 / machine.step)
    return [event for event in machine.events if event.start >= rows and not machine.label[event.start - rows : event.start].any()]


def seen(machine: Machine, event: Event, hours: float) -> Young:
    """Let a watcher begin so many hours before an event, knowing nothing, and go on for its first three hours."""
    first, last = event.start - round(hours * 3600 / machine.step), min(event.end, event.start + round(_WITHIN / machine.step))
    names = tuple(f"m{index}" for index in range(machine.test.shape[1]))
    labels = ({"instance": machine.name},) * len(names)
    recorded = RecordedSeries(machine.step, float(machine.test_times[first]), names, labels, machine.test[first:last].T)
    metrics = {name: Metric(query=name) for name in names}
    schedule = f"*/{machine.step / 60:g} * * * *"
    settings = Watcher(name="young", lens="promql", schedule=schedule, step=machine.step, metrics=metrics)
    delays = [alert.began - machine.test_times[event.start] for alert in watched(recorded, machine.name, settings).alerts]
    told = [delay for delay in delays if delay >= 0.0]
    early = sorted(delay for delay in delays if delay < 0.0)
    return Young(hours, alarms(early), len(early), len(told), min(told, default=None))


def alarms(begun: Sequence[float]) -> int:
    """Count alarms among the seconds, ascending, at which alerts began: one that begins within half an hour of an alarm is its."""
    count, last = 0, -np.inf
    for at in begun:
        if at > last + _ONE:
            count, last = count + 1, at
    return count


def young_table(found: Sequence[Young]) -> str:
    """One row for each time that machines were known."""
    rows = []
    for known in sorted({each.known for each in found}):
        same = [each for each in found if each.known == known]
        delays = [each.delay for each in same if each.delay is not None]
        before = sum(each.before for each in same)
        rows.append(
            [
                f"{known:g} h",
                str(len(same)),
                number(len(delays) / len(same)),
                number(float(np.median(delays)) / 60, 0) if delays else "-",
                number(sum(each.told for each in same) / max(1, len(delays)), 1),
                str(before),
                str(sum(each.alerts_before for each in same)),
                number(7 * before / (len(same) * known / 24), 1),
            ]
        )
    told = ("known for", "events", "told", "median delay, minutes", "alerts of one told")
    return table((*told, "alarms before it", "their alerts", "alarms a week and machine"), rows)
