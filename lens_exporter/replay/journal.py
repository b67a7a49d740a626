"""What a replayed watcher said: its events, and the alerts they tell of."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from lens_exporter.baseline.roster import group_of
from lens_exporter.foundation.clock import Clock
from lens_exporter.foundation.database import Database
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.model.decision import Rule
from lens_exporter.model.event import Event
from lens_exporter.model.labels import Labels

_KINDS = ("anomaly.detected", "anomaly.suppressed", "anomaly.expected", "anomaly.over", "alert.fired")


class Journal(Events):
    """Events of alerts, kept in a list: a replay's report is made of them, and nothing else reads them."""

    def __init__(self, database: Database, telemetry: Telemetry, clock: Clock) -> None:
        super().__init__(database, telemetry, clock=clock)
        self._now = clock
        self.kept: list[Event] = []

    def append(self, kind: str, *, correlation: str = "", subject: str = "", **data: Any) -> None:
        """Keep an event if it is about an alert."""
        if kind in _KINDS:
            self.kept.append(Event(str(len(self.kept)), self._now(), kind, correlation, subject, data))


@dataclass(frozen=True, slots=True)
class Fired:
    """One alert from its first post to its end; a higher severity on the way does not make it another. Times are Unix seconds."""

    labels: Labels  # as Alertmanager would have got them at the beginning
    severity: str  # the highest it came to
    rule: str
    summary: str  # as it began
    metric: str  # that carries it
    series: Labels  # that carries it
    group: Labels  # whose budget of false alarms it counts against
    since: float  # the reading it began with
    began: float  # when it would have been posted
    ended: float | None = None  # None: it still fires at the end of the replay
    reason: str = ""  # why it ended
    escalated: float | None = None

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "")

    @property
    def about(self) -> Labels:
        """The labels of what it is about: of the group where it speaks for all of it."""
        return self.group if self.rule == Rule.GROUP else self.series

    def seconds(self, end: float) -> float:
        """How long it fired, at most until `end`."""
        return (end if self.ended is None else self.ended) - self.began


def alerts(events: Iterable[Event], group_labels: tuple[str, ...] | None) -> tuple[Fired, ...]:
    """Put the events of alerts together, in the order in which they began."""
    begun: dict[str, Event] = {}
    found: dict[str, Fired] = {}
    for event in events:
        match event.type:
            case "anomaly.detected":
                begun[event.correlation] = event
            case "alert.fired" if event.correlation in found:
                severity = event.data["labels"]["severity"]
                found[event.correlation] = replace(found[event.correlation], severity=severity, escalated=event.at)
            case "alert.fired":
                found[event.correlation] = _fired(begun[event.correlation].data, event, group_labels)
            case "anomaly.over":
                found[event.correlation] = replace(found[event.correlation], ended=event.at, reason=event.data["reason"])
    return tuple(found.values())


def _fired(detected: dict[str, Any], event: Event, group_labels: tuple[str, ...] | None) -> Fired:
    carrier = detected["evidence"][0]
    series: Labels = carrier["target"]
    return Fired(
        labels=event.data["labels"],
        severity=detected["severity"],
        rule=detected["rule"],
        summary=detected["summary"],
        metric=carrier["metric"],
        series=series,
        group=dict(group_of(series, group_labels) or series),
        since=event.data["starts_at"],
        began=event.at,
    )


@dataclass(frozen=True, slots=True)
class Suppression:
    """An anomaly that did not become an alert because the same thing had been one a short while ago. Times are Unix seconds."""

    anomaly_type: str
    target: Labels
    summary: str  # as it was first kept back
    at: float  # when first
    until: float  # the end of the cooldown
    times: int  # looks in which it was kept back


def suppressions(events: Iterable[Event]) -> tuple[Suppression, ...]:
    """Put together what was kept back, one for each cooldown, in the order in which it began."""
    found: dict[tuple[object, ...], Suppression] = {}
    for event in events:
        if event.type != "anomaly.suppressed":
            continue
        data = event.data
        key = (data["anomaly_type"], frozenset(data["target"].items()), data["cooldown_until"])
        first = found.get(key)
        if first is None:
            found[key] = Suppression(data["anomaly_type"], data["target"], data["summary"], event.at, data["cooldown_until"], 1)
        else:
            found[key] = replace(first, times=first.times + 1)
    return tuple(found.values())


@dataclass(frozen=True, slots=True)
class Withheld:
    """An anomaly that was not told, or no longer, because somebody has declared it to be expected."""

    anomaly_type: str
    severity: str
    target: Labels
    summary: str
    at: float  # when it was first not told, Unix seconds
    declaration: str  # its id


def withheld(events: Iterable[Event]) -> tuple[Withheld, ...]:
    """Give what was not told, in the order in which it began."""
    expected = ((event.at, event.data) for event in events if event.type == "anomaly.expected")
    return tuple(
        Withheld(data["anomaly_type"], data["severity"], data["target"], data["summary"], at, data["declaration"])
        for at, data in expected
    )
