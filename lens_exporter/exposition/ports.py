"""What the HTTP surface needs from the rest of lens-exporter, as callables the app passes in."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from prometheus_client.metrics_core import Metric

from lens_exporter.baseline.expected import Declaration
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.model.alert import Alert
from lens_exporter.model.decision import Observation
from lens_exporter.model.event import Event
from lens_exporter.model.labels import Labels

Document = Mapping[str, Any]  # JSON


class Collector(Protocol):
    """A prometheus_client collector or registry."""

    def collect(self) -> Iterable[Metric]: ...


@dataclass(frozen=True, slots=True)
class ReloadOutcome:
    """Whether a new configuration took effect. When not, the last good one stays and message names file, line and key."""

    accepted: bool
    message: str


@dataclass(frozen=True, slots=True)
class WatcherView:
    """A watcher as its page and API show it. Times are Unix seconds, None where there was no such moment yet."""

    name: str
    lens: str
    schedule: str
    state: str  # a word: waiting, running, failed, ...
    last_run: float | None = None
    next_run: float | None = None
    seconds: float | None = None  # how long the last tick took
    series: int = 0
    error: str = ""  # why the last tick failed
    notes: str = ""  # what it remembers in words, and over how long: kept over restarts
    hours: float = 0.0
    looks: int = 0
    intents: Mapping[str, int] | None = None  # decisions of the last tick by intent
    observations: tuple[Observation, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertView:
    """An alert lens-exporter keeps alive."""

    alert: Alert
    origin: str  # watcher or investigation
    correlation: str = ""
    source: str = ""  # of a companion: the fingerprint of the alert it explains


class EventQuery(Protocol):
    """foundation.events.Events.query."""

    def __call__(
        self,
        *,
        correlation: str | None = None,
        kind: str | None = None,
        since: float | None = None,
        until: float | None = None,
        newest_first: bool = False,
        limit: int = 500,
    ) -> Sequence[Event]: ...


@dataclass(frozen=True, slots=True)
class Ports:
    """All callables may block: they are run in threads. Errors are those of lens_exporter.errors."""

    collectors: Sequence[Collector]  # together they are /metrics
    readiness: Callable[[], tuple[bool, Sequence[str]]]  # ready, and why not
    reload: Callable[[], ReloadOutcome]
    webhook: Callable[[bytes], Document]  # stored when it returns; raises BadWebhook, IntakeFull, DatabaseError
    watchers: Callable[[], Sequence[WatcherView]]
    trigger: Callable[[str], str]  # a word for what became of it; raises UnknownWatcher
    alerts: Callable[[], Sequence[AlertView]]  # firing now
    investigations: Callable[[int, str | None], Sequence[Document]]  # newest first: limit, state
    investigation: Callable[[str], Document]  # raises UnknownInvestigation
    expected: Callable[[], Sequence[Declaration]]
    # watcher, labels, begin, end, comment, who asks; raises UnknownWatcher, DeclarationInvalid, DeclarationsFull
    declare: Callable[[str, Labels, float, float, str, str], Declaration]
    covered: Callable[[Declaration], int | None]  # series whose alerts it keeps back; None: not known
    withdraw: Callable[[str], Declaration]  # raises UnknownDeclaration, DeclaredElsewhere
    events: EventQuery
    record: Callable[..., None]  # foundation.events.Events.append
    telemetry: Telemetry
    origin: Callable[[], str] = lambda: "lens"  # a reload may change it
    version: str = ""
