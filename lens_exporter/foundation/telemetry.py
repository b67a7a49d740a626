"""lens-exporter's own metrics: built from the catalogue, in a registry of their own."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from lens_exporter.foundation.catalogue import METRICS, Kind, MetricSpec
from lens_exporter.foundation.tracing import exemplar


class Telemetry:
    """Counters, gauges and histograms by their documented names. An undocumented name or label raises KeyError or ValueError."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._metrics = {spec.name: _build(spec, self.registry) for spec in METRICS}

    def inc(self, name: str, amount: float = 1.0, **labels: str) -> None:
        """Add to a counter or gauge."""
        metric = self._metrics[name]
        (metric.labels(**labels) if labels else metric).inc(amount)  # type: ignore[union-attr]

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        metric = self._metrics[name]
        (metric.labels(**labels) if labels else metric).set(value)  # type: ignore[union-attr]

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Add one observation to a histogram, with the trace it was made in as its exemplar."""
        metric = self._metrics[name]
        (metric.labels(**labels) if labels else metric).observe(value, exemplar())  # type: ignore[union-attr]

    def forget(self, name: str, **labels: str) -> None:
        """Drop the series of one label set, for things that are gone (a watcher removed by a reload)."""
        metric = self._metrics[name]
        known = next(spec.labels for spec in METRICS if spec.name == name)
        try:
            metric.remove(*(labels[label] for label in known))
        except KeyError:
            return  # it never had a value

    def value(self, name: str, **labels: str) -> float | None:
        """Read one sample back by its exposed name (for counters with _total)."""
        return self.registry.get_sample_value(name, labels)


def _build(spec: MetricSpec, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    if spec.kind is Kind.COUNTER:
        return Counter(spec.name, spec.help, spec.labels, registry=registry)
    if spec.kind is Kind.GAUGE:
        return Gauge(spec.name, spec.help, spec.labels, registry=registry)
    return Histogram(spec.name, spec.help, spec.labels, buckets=spec.buckets, registry=registry)
