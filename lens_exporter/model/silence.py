"""A silence as Alertmanager knows it."""

from dataclasses import dataclass

from lens_exporter.model.labels import Labels
from lens_exporter.model.matcher import Matcher, all_match


@dataclass(frozen=True, slots=True)
class Silence:
    """It holds for alerts that all its matchers match. Times are Unix seconds; one that was ended early ends there."""

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: float
    ends_at: float
    comment: str = ""
    created_by: str = ""
    updated_at: float = 0.0  # of two that one cluster's members give under one id, the later is true
    unreadable: str = ""  # why its matchers cannot be read: then it has none, and matches nothing

    def matches(self, labels: Labels) -> bool:
        """Say whether it would silence an alert with these labels."""
        return not self.unreadable and all_match(self.matchers, labels)
