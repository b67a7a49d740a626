"""Metrics to an OTLP endpoint: what a scrape of /metrics would show, sent instead of fetched."""

import logging
from collections.abc import Callable, Iterable
from typing import Protocol

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData, ResourceMetrics, ScopeMetrics
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client.metrics_core import Metric as Family

from lens_exporter.exposition.otel.points import metrics
from lens_exporter.foundation.clock import Clock, wall
from lens_exporter.foundation.otlp import straight
from lens_exporter.foundation.telemetry import Telemetry

_TIMEOUT = 10.0  # seconds for one export with its repetitions


class Append(Protocol):
    """The part of Events that this needs."""

    def __call__(self, kind: str, **data: str) -> None: ...


class MetricPush:
    """Sends everything once when asked. An endpoint that is away costs these points only: the next ones say the same and more."""

    def __init__(
        self,
        endpoint: str,
        resource: Resource,
        collected: Callable[[], Iterable[Family]],
        *,
        telemetry: Telemetry,
        append: Append,
        version: str,
        clock: Clock = wall,
    ) -> None:
        self._endpoint = endpoint
        self._resource = resource
        self._scope = InstrumentationScope("lens_exporter", version)
        self._collected = collected
        self._telemetry = telemetry
        self._append = append
        self._clock = clock
        self._failing = False
        # It says why an export failed to its own log only, each time: here it is told once, as an event.
        logging.getLogger("opentelemetry.exporter.otlp.proto.http.metric_exporter").setLevel(logging.CRITICAL)
        self._exporter = OTLPMetricExporter(endpoint=f"{endpoint}/v1/metrics", timeout=_TIMEOUT, session=straight())

    def once(self) -> None:
        """Collect and send. A failure is counted, and told when it begins."""
        found = list(metrics(self._collected(), self._clock()))
        data = MetricsData([ResourceMetrics(self._resource, [ScopeMetrics(self._scope, found, "")], "")])
        sent = self._exporter.export(data) is MetricExportResult.SUCCESS
        self._telemetry.inc("lens_otlp_exports_total")
        if not sent:
            self._telemetry.inc("lens_otlp_exports_failed_total")
            if not self._failing:
                self._append("otlp.export_failed", endpoint=self._endpoint)
        self._failing = not sent
