"""What a watcher is given: collaborators it calls, and what it was configured to watch."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from lens_exporter.baseline.bands import BandCollector
from lens_exporter.baseline.notes import Notes
from lens_exporter.baseline.reading.reader import Reader
from lens_exporter.foundation.clock import Clock, NewId, monotonic, new_ulid
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.model.alert import Alert
from lens_exporter.model.labels import Labels
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import Window
from lens_exporter.watch.cooldown import Cooldown

Announce = Callable[[Alert, str], object]  # alert, correlation: hands a new alert to the intake; may raise LensError


class RowSource(Protocol):
    """Where history comes from; prometheus.history.History is one. Times are Unix seconds."""

    def rows(self, metric: BaselineMetric, start: float, end: float, *, step: float) -> Window:
        """Give every multiple of step from start to end. Raises RemoteError and QueryError families."""

    def points_per_block(self, metric: BaselineMetric, at: float, *, step: float) -> int:
        """Say how many points of this metric one block may have. Raises RemoteError."""


class OpenAlert(Protocol):
    """An alert that is kept alive, as the lifecycle stores it."""

    @property
    def alert(self) -> Alert: ...

    @property
    def correlation(self) -> str: ...


class Lifecycle(Protocol):
    """Keeps alerts alive; publish.lifecycle.AlertLifecycle is one. Each method raises DatabaseError."""

    def fire(self, alert: Alert, *, correlation: str, origin: str, source: str = "") -> OpenAlert: ...

    def resolve(self, fingerprint: str, at: float) -> object: ...

    def firing(self, origin: str | None = None) -> Sequence[OpenAlert]: ...

    def batch(self) -> AbstractContextManager[None]: ...  # what is stored inside is delivered together at its end


@dataclass(frozen=True, slots=True)
class Watched:
    """What one watcher is configured to do."""

    name: str
    metrics: tuple[BaselineMetric, ...]  # their queries may hold the literal $selector
    selector: str = ""  # PromQL matchers without braces
    window: float = 14 * 86_400.0  # seconds of history
    step: float = 60.0
    external_url: str = ""  # where people reach this process; links to stories need it
    external_labels: Labels = field(default_factory=dict)  # on every alert that has no label of that name itself
    runbook_url: str = ""
    traced: bool = False  # spans are kept somewhere, so alerts name their trace
    resolve_after: int = 3  # normal readings in a row
    missing_after: float = 300.0  # seconds without any value
    published: int | None = None  # most series, beside the anomalies, whose band is published

    @property
    def asked(self) -> tuple[BaselineMetric, ...]:
        """The metrics with the selector in their queries."""
        return tuple(metric.selecting(self.selector) for metric in self.metrics)


@dataclass(frozen=True, slots=True)
class Collaborators:
    """Whom one watcher works with."""

    cooldown: Cooldown
    notes: Notes
    alerts: Lifecycle
    announce: Announce
    over: Callable[[Alert], object]  # hands an ended alert to the intake; may raise LensError
    events: Events
    telemetry: Telemetry
    bands: BandCollector
    reader: Reader | None = None  # a model's reading of new anomalies, where one is configured
    new_id: NewId = new_ulid
    stopwatch: Clock = monotonic
