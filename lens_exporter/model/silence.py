"""A silence as Alertmanager knows it."""

from dataclasses import dataclass

from lens_exporter.model.matcher import Matcher


@dataclass(frozen=True, slots=True)
class Silence:
    """It holds for alerts that all its matchers match. Times are Unix seconds; one that was ended early ends there."""

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: float
    ends_at: float
    comment: str = ""
    created_by: str = ""
