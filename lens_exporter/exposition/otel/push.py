"""Metrics to an OTLP endpoint: what a scrape of /metrics would show, sent instead of fetched."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData, ResourceMetrics, ScopeMetrics
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client.metrics_core import Metric as Family

from lens_exporter.exposition.otel.points import metrics
from lens_exporter.foundation.clock import Clock, wall
from lens_exporter.foundation.logs import without_secrets
from lens_exporter.foundation.otlp import straight
from lens_exporter.foundation.telemetry import Telemetry

_TIMEOUT = 10.0  # seconds for one export with its repetitions
_LOGGERS = ("opentelemetry.exporter.otlp.common.http", "opentelemetry.exporter.otlp.proto.http.metric_exporter")
_LONGEST = 200  # characters of a reason


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
        self._said = _Said()
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self._said)
        self._exporter = OTLPMetricExporter(endpoint=f"{endpoint}/v1/metrics", timeout=_TIMEOUT, session=straight())

    def once(self) -> None:
        """Collect and send. A failure is counted, and told when it begins and when it is over."""
        found = list(metrics(self._collected(), self._clock()))
        data = MetricsData([ResourceMetrics(self._resource, [ScopeMetrics(self._scope, found, "")], "")])
        with self._said.listening():
            sent = self._exporter.export(data) is MetricExportResult.SUCCESS
        self._telemetry.inc("lens_otlp_exports_total")
        if not sent:
            self._telemetry.inc("lens_otlp_exports_failed_total")
            if not self._failing:
                self._append("otlp.export_failed", endpoint=self._endpoint, error=self._said.reason)
        elif self._failing:
            self._append("otlp.export_recovered", endpoint=self._endpoint)
        self._failing = not sent


class _Said(logging.Filter):
    """Keeps what the exporter says of its own failures, which it says to the log only and each time; others' records pass."""

    def __init__(self) -> None:
        super().__init__()
        self.reason = ""
        self._thread: int | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen to this thread."""
        self.reason, self._thread = "", threading.get_ident()
        try:
            yield
        finally:
            self._thread = None

    def filter(self, record: logging.LogRecord) -> bool:
        if record.thread != self._thread:
            return True
        self.reason = without_secrets(" ".join(record.getMessage().split()))[:_LONGEST]
        return False
