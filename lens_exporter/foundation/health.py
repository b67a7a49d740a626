"""Whether lens-exporter is ready to work, and if not, why."""

import threading
from typing import NamedTuple

from lens_exporter.foundation.telemetry import Telemetry


class Ready(NamedTuple):
    """The answer of /-/ready. reasons is empty when ok."""

    ok: bool
    reasons: tuple[str, ...]


class Readiness:
    """Named conditions that stand in the way of being ready, each with its reason. Thread-safe; lens_ready follows it."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._lock = threading.Lock()
        self._reasons: dict[str, str] = {}
        telemetry.set("lens_ready", 1.0)

    def fail(self, condition: str, reason: str) -> None:
        """Say that lens-exporter is not ready, and why. A later reason for the same condition replaces the earlier."""
        with self._lock:
            self._reasons[condition] = reason
            self._telemetry.set("lens_ready", 0.0)

    def clear(self, condition: str) -> None:
        """Say that this condition no longer stands in the way, whether it did or not."""
        with self._lock:
            self._reasons.pop(condition, None)
            self._telemetry.set("lens_ready", 0.0 if self._reasons else 1.0)

    def hold(self, condition: str, reason: str) -> None:
        """Say why this condition stands in the way; with no reason, that it does not."""
        if reason:
            self.fail(condition, reason)
        else:
            self.clear(condition)

    def ready(self) -> Ready:
        """Give the present answer, the oldest reason first."""
        with self._lock:
            return Ready(not self._reasons, tuple(f"{condition}: {reason}" for condition, reason in self._reasons.items()))
