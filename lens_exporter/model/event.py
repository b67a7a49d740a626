"""One thing that happened, as the event table keeps it."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """correlation joins everything from sample to page; it is a ULID, and its 128 bits are the OpenTelemetry trace id."""

    id: str  # ULID: sorts by time
    at: float  # Unix seconds
    type: str  # one of the documented names
    correlation: str = ""
    subject: str = ""  # the watcher, alert fingerprint, client or investigation it is about
    data: dict[str, Any] = field(default_factory=dict)  # JSON
