"""From families of Prometheus to the data of OpenTelemetry's metrics: cumulative, as counted since the start of whoever counts."""

from collections.abc import Iterable, Iterator

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    Sum,
)
from prometheus_client import Metric as Family
from prometheus_client.samples import Sample

from lens_exporter.exposition.otel.naming import named

_UNKNOWN = 0  # since when something is counted is known to its source only; the protocol's word for that
_MILLISECOND = 1_000_000  # nanoseconds; what a float of Unix seconds holds of one second is not much finer


def metrics(families: Iterable[Family], at: float) -> Iterator[Metric]:
    """Give what each family holds at a moment (Unix seconds). A family without samples is left out."""
    now = round(at * 1000) * _MILLISECOND
    for family in families:
        samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
        if not samples:
            continue
        known = named(family.name)
        match family.type:
            case "counter":
                data: Sum | Histogram | Gauge = Sum(_numbers(samples, now), AggregationTemporality.CUMULATIVE, is_monotonic=True)
            case "histogram":
                data = Histogram(_histograms(samples, now), AggregationTemporality.CUMULATIVE)
            case _:
                data = Gauge(_numbers(samples, now))
        yield Metric(known.name, family.documentation, known.unit, data)


def _numbers(samples: Iterable[Sample], now: int) -> list[NumberDataPoint]:
    return [NumberDataPoint(sample.labels, _UNKNOWN, now, float(sample.value)) for sample in samples]


def _histograms(samples: Iterable[Sample], now: int) -> list[HistogramDataPoint]:
    """Put together the series of each label set. Prometheus counts upwards over the buckets, OpenTelemetry in each by itself."""
    found: dict[tuple[tuple[str, str], ...], dict[str, float]] = {}
    for sample in samples:
        labels = tuple(sorted((name, value) for name, value in sample.labels.items() if name != "le"))
        found.setdefault(labels, {})[sample.labels.get("le") or sample.name.rpartition("_")[2]] = float(sample.value)
    return [_histogram(dict(labels), values, now) for labels, values in found.items()]


def _histogram(labels: dict[str, str], values: dict[str, float], now: int) -> HistogramDataPoint:
    bounds = sorted((float(edge), count) for edge, count in values.items() if edge not in {"sum", "count"})
    upwards = [round(count) for _, count in bounds]
    apart = [count - before for count, before in zip(upwards, [0, *upwards], strict=False)]
    edges = [edge for edge, _ in bounds[:-1]]  # the last is infinite, which goes without saying
    return HistogramDataPoint(
        labels,
        _UNKNOWN,
        now,
        count=upwards[-1],
        sum=values.get("sum", 0.0),
        bucket_counts=apart,
        explicit_bounds=edges,
        min=None,  # type: ignore[arg-type]  # nobody keeps it, and the protocol lets it be absent
        max=None,  # type: ignore[arg-type]
    )
