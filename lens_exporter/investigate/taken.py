"""What can become of alerts that come in, in words."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from lens_exporter.investigate.unit import is_companion, milliseconds
from lens_exporter.model.alert import Alert

AlertKey = tuple[str, int]  # fingerprint, start in milliseconds


class AlertOutcome(StrEnum):
    """The `outcome` label of lens_intake_alerts_total."""

    ACCEPTED = "accepted"
    PROMOTED = "promoted"  # announced by a watcher, now brought by Alertmanager
    DUPLICATE = "duplicate"
    RESOLVED = "resolved"
    COMPANION = "companion"
    POISON = "poison"  # has no labels: nothing tells what it is about
    REFUSED = "refused"  # the queue is full


class GroupOutcome(StrEnum):
    ACCEPTED = "accepted"  # new work, due now
    HELD = "held"  # new work, waits for more of its group
    JOINED = "joined"  # added to work that waits
    PROMOTED = "promoted"  # announced work is due now
    DUPLICATE = "duplicate"
    CANCELLED = "cancelled"  # all of a waiting unit is over
    RESOLVED = "resolved"
    COMPANION = "companion"
    POISON = "poison"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a group. investigation and due are those of the work it became or joined, if any."""

    outcome: GroupOutcome
    alerts: dict[AlertOutcome, int] = field(default_factory=dict)
    investigation: str = ""
    due: float | None = None
    correlation: str = ""

    def document(self) -> dict[str, Any]:
        """Shape the webhook's answer."""
        return {
            "outcome": self.outcome.value,
            "investigation": self.investigation or None,
            "alerts": {outcome.value: count for outcome, count in self.alerts.items()},
        }


@dataclass(frozen=True, slots=True)
class Sorted:
    """A group's alerts by what they can become."""

    firing: dict[AlertKey, Alert]
    resolved: dict[AlertKey, Alert]
    counts: Counter[AlertOutcome]


def sort(alerts: Iterable[Alert]) -> Sorted:
    """Tell work from what never is: companions, alerts without labels, repetitions within one body."""
    found = Sorted({}, {}, Counter())
    for alert in alerts:
        if not alert.labels:
            found.counts[AlertOutcome.POISON] += 1
        elif is_companion(alert):
            found.counts[AlertOutcome.COMPANION] += 1
        else:
            side = found.firing if alert.ends_at is None else found.resolved
            key = (alert.fingerprint, milliseconds(alert.starts_at))
            if key in side:
                found.counts[AlertOutcome.DUPLICATE] += 1
            side[key] = alert
    found.counts[AlertOutcome.RESOLVED] += len(found.resolved)
    return found


def quiet(counts: Counter[AlertOutcome], *, cancelled: bool) -> GroupOutcome:
    """Name what became of a group that is no work."""
    if cancelled:
        return GroupOutcome.CANCELLED
    for alert, group in (
        (AlertOutcome.DUPLICATE, GroupOutcome.DUPLICATE),
        (AlertOutcome.RESOLVED, GroupOutcome.RESOLVED),
        (AlertOutcome.COMPANION, GroupOutcome.COMPANION),
        (AlertOutcome.POISON, GroupOutcome.POISON),
    ):
        if counts[alert]:
            return group
    return GroupOutcome.EMPTY
