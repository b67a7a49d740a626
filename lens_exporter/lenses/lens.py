"""The contract of a lens."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from prometheus_client.metrics_core import Metric

from lens_exporter.model.metric import BaselineMetric

if TYPE_CHECKING:  # tools bring pydantic; a program that only publishes must not pay for it
    from lens_exporter.model.tool import Tool


class Lens(Protocol):
    """One runtime domain. A lens only reads and emits: the runner around it times, counts, logs and judges success."""

    name: str

    def collect(self) -> Iterable[Metric]:
        """Give metric families read now. Any exception costs this lens's own families only.

        Raises:
            LensUnavailable: there is nothing to read here (no such process, no such file); the reason is shown.

        """

    def baseline_metrics(self) -> Sequence[BaselineMetric]:
        """Give what a watcher of this lens tracks unless configured otherwise."""

    def tools(self) -> "Sequence[Tool]":
        """Give the live, read-only tools for an investigator."""
