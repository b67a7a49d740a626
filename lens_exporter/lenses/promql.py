"""Any metric the user's Prometheus holds: nothing to collect, the tracked metrics are the user's own queries."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from prometheus_client.metrics_core import Metric

from lens_exporter.model.metric import BaselineMetric

if TYPE_CHECKING:
    from lens_exporter.model.tool import Tool


class PromqlLens:
    """A domain that publishes itself already."""

    name = "promql"

    def __init__(self, metrics: Sequence[BaselineMetric]) -> None:
        self._metrics = tuple(metrics)

    def collect(self) -> Iterable[Metric]:
        return ()

    def baseline_metrics(self) -> Sequence[BaselineMetric]:
        return self._metrics

    def tools(self) -> "Sequence[Tool]":
        return ()
