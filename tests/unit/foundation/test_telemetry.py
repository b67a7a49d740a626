"""lens-exporter's own metrics."""

import pytest
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics

from lens_exporter.foundation import tracing
from lens_exporter.foundation.catalogue import LENS_METRICS, METRICS, Kind
from lens_exporter.foundation.clock import new_ulid
from lens_exporter.foundation.telemetry import Telemetry


def test_every_documented_metric_can_be_used():
    """Each name, with its labels, takes a value of its kind and is exposed under exactly its name."""
    telemetry = Telemetry()
    use = {Kind.COUNTER: telemetry.inc, Kind.GAUGE: telemetry.set, Kind.HISTOGRAM: telemetry.observe}
    for spec in METRICS:
        labels = dict.fromkeys(spec.labels, "x")
        use[spec.kind](spec.name, 1.0, **labels)
        exposed = f"{spec.name}_count" if spec.kind is Kind.HISTOGRAM else spec.name
        assert telemetry.value(exposed, **labels) == 1.0
    assert b"_total_total" not in generate_latest(telemetry.registry)


def test_names_follow_the_conventions():
    """Counters end in _total and nothing else does; nobody uses a label that scrape configuration owns; each has help."""
    specs = [*METRICS, *LENS_METRICS]
    assert len({spec.name for spec in specs}) == len(specs)
    for spec in specs:
        assert spec.name.startswith("lens_")
        assert spec.name.endswith("_total") == (spec.kind is Kind.COUNTER)
        assert spec.help.endswith(".")
        assert not {"job", "instance"} & set(spec.labels)


def test_an_undocumented_name_or_label_is_a_bug():
    """Nothing is emitted that docs/metrics.md does not list."""
    telemetry = Telemetry()
    with pytest.raises(KeyError):
        telemetry.inc("lens_made_up_total")
    with pytest.raises(ValueError, match="label names"):
        telemetry.inc("lens_ticks_total", watcher="x", made_up="y")


def test_a_forgotten_series_is_gone_and_forgetting_twice_is_fine():
    """A watcher removed by a reload leaves no stale series behind."""
    telemetry = Telemetry()
    telemetry.set("lens_child_up", 1.0, child="a")
    telemetry.set("lens_child_up", 1.0, child="b")
    telemetry.forget("lens_child_up", child="a")
    telemetry.forget("lens_child_up", child="a")
    assert telemetry.value("lens_child_up", child="a") is None
    assert telemetry.value("lens_child_up", child="b") == 1.0


def test_two_instances_share_nothing():
    """Each has a registry of its own; none touches the global one."""
    first, second = Telemetry(), Telemetry()
    first.inc("lens_events_lost_total")
    assert second.value("lens_events_lost_total") == 0.0


def test_an_observation_is_linked_to_the_trace_it_was_made_in(monkeypatch):
    """Its bucket carries the trace id as an exemplar, where the format has them; a trace that nobody keeps is not named."""
    telemetry, correlation = Telemetry(), new_ulid()
    telemetry.observe("lens_tick_duration_seconds", 0.2, watcher="alone")
    with tracing.span("watcher.tick", correlation=correlation):
        telemetry.observe("lens_tick_duration_seconds", 0.2, watcher="not kept")
    monkeypatch.setattr(tracing.trace, "get_tracer", TracerProvider().get_tracer)
    with tracing.span("watcher.tick", correlation=correlation):
        telemetry.observe("lens_tick_duration_seconds", 0.2, watcher="host")
    page = openmetrics(telemetry.registry).decode()
    (linked,) = [line for line in page.splitlines() if "# {" in line]
    assert linked.startswith('lens_tick_duration_seconds_bucket{le="0.25",watcher="host"} 1.0 # {')
    assert f'trace_id="{tracing.written(correlation)}"' in linked
