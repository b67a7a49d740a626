"""From the page's families to OpenTelemetry's data, and back by the rules of a receiver that writes for Prometheus."""

import pytest
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics, ScopeMetrics
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from lens_exporter.exposition.otel.naming import named
from lens_exporter.exposition.otel.points import metrics
from lens_exporter.foundation.catalogue import BAND_METRICS, LENS_METRICS, METRICS, Kind
from lens_exporter.lenses.beam.families import FAMILIES as BEAM
from lens_exporter.lenses.host.families import FAMILIES as HOST
from lens_exporter.lenses.python.families import FAMILIES as PYTHON

AT = 1_795_000_000.25
UNITS = {"By": "_bytes", "s": "_seconds"}
DOCUMENTED = (*METRICS, *LENS_METRICS, *BAND_METRICS, *PYTHON, *HOST, *BEAM)


def received(name, unit, kind):
    """Name a metric as Prometheus' own OTLP receiver does, with suffixes (its documentation, "UnderscoreEscapingWithSuffixes")."""
    ratio = "_ratio" if unit == "1" and kind is Kind.GAUGE else ""
    return name.replace(".", "_").removesuffix(ratio) + UNITS.get(unit, ratio) + ("_total" if kind is Kind.COUNTER else "")


@pytest.mark.parametrize("spec", DOCUMENTED, ids=lambda spec: spec.name)
def test_every_documented_metric_comes_back_under_its_name(spec):
    """Pushed and scraped metrics have one name in Prometheus, so dashboards and rules hold for both."""
    known = named(spec.name.removesuffix("_total"))
    assert received(known.name, known.unit, spec.kind) == spec.name


def test_a_unit_stands_beside_the_name():
    """Namespaces are dotted, the rest of the name is one word."""
    assert (named("lens_python_memory_used_bytes").name, named("lens_python_memory_used_bytes").unit) == (
        "lens.python.memory_used",
        "By",
    )
    assert (named("lens_up").name, named("lens_up").unit) == ("lens.up", "")
    assert named("somebody_elses_bytes").name == "somebody_elses"


def sent(registry):
    """Encode a registry as it goes over the wire, by name."""
    scope = ScopeMetrics(InstrumentationScope("lens_exporter", "1"), list(metrics(registry.collect(), AT)), "")
    encoded = encode_metrics(MetricsData([ResourceMetrics(Resource({}), [scope], "")]))
    return {metric.name: metric for metric in encoded.resource_metrics[0].scope_metrics[0].metrics}


def labels(point):
    return {each.key: each.value.string_value for each in point.attributes}


def test_what_goes_over_the_wire():
    """Gauges and cumulative counters keep their values and labels; a histogram's buckets are counted apart."""
    registry = CollectorRegistry()
    Gauge("lens_open_fds", "d", ["process"], registry=registry).labels("api").set(7)
    Counter("lens_ticks", "d", registry=registry).inc(3)
    pauses = Histogram("lens_gc_pause_seconds", "d", ["generation"], buckets=(0.1, 1.0), registry=registry)
    for seconds in (0.05, 0.5, 0.7, 30.0):
        pauses.labels("2").observe(seconds)
    pauses.labels("0")
    Gauge("lens_nothing", "d", ["x"], registry=registry)
    found = sent(registry)
    assert found.keys() == {"lens.open_fds", "lens.ticks", "lens.gc_pause"}
    (gauge,) = found["lens.open_fds"].gauge.data_points
    assert (labels(gauge), gauge.as_double, gauge.time_unix_nano) == ({"process": "api"}, 7.0, 1_795_000_000_250_000_000)
    assert found["lens.ticks"].sum.is_monotonic
    assert found["lens.ticks"].sum.aggregation_temporality == 2  # cumulative
    assert [point.as_double for point in found["lens.ticks"].sum.data_points] == [3.0]
    assert found["lens.gc_pause"].unit == "s"
    empty, full = sorted(found["lens.gc_pause"].histogram.data_points, key=lambda point: point.count)
    assert (labels(empty), list(empty.bucket_counts)) == ({"generation": "0"}, [0, 0, 0])
    assert (labels(full), full.count, list(full.bucket_counts)) == ({"generation": "2"}, 4, [1, 2, 1])
    assert (list(full.explicit_bounds), full.sum) == ([0.1, 1.0], 31.25)
    assert not full.HasField("min")
