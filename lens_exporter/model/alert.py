"""An alert as Alertmanager knows it."""

from dataclasses import dataclass, field
from enum import StrEnum

from lens_exporter.model import labels as label_sets
from lens_exporter.model.labels import Labels

COMPANION = "LensInvestigation"  # the alert name of findings; such alerts are never work


class AlertState(StrEnum):
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Alert:
    """labels are its identity, annotations its prose. Times are Unix seconds; ends_at is None while it fires.

    given is the fingerprint its sender calls it by; without one it is computed from the labels as Alertmanager does. external
    names the labels that were put on it because of who sends it (external_labels): what it is about is told by the others.
    """

    labels: Labels
    annotations: Labels = field(default_factory=dict)
    starts_at: float = 0.0
    ends_at: float | None = None
    generator_url: str = ""
    given: str = ""
    external: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        return self.given or label_sets.fingerprint(self.labels)

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "")

    @property
    def state(self) -> AlertState:
        return AlertState.FIRING if self.ends_at is None else AlertState.RESOLVED


@dataclass(frozen=True, slots=True)
class AlertGroup:
    """The unit of work: what one webhook delivered, or what a watcher raised together."""

    key: str  # Alertmanager's groupKey, or "watcher:NAME:FINGERPRINT OF THE TARGET"
    alerts: tuple[Alert, ...]
    receiver: str = ""
    truncated: int = 0  # alerts Alertmanager left out (max_alerts)
    external_url: str = ""
    labels: Labels = field(default_factory=dict)  # what the group is grouped by

    @property
    def common(self) -> dict[str, str]:
        """The labels that all its alerts have alike, as Alertmanager's commonLabels: what the group as a whole is about."""
        first, *others = [alert.labels for alert in self.alerts] or [{}]
        return {name: value for name, value in first.items() if all(other.get(name) == value for other in others)}
