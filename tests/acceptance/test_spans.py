"""The story as spans, received by a local OTLP endpoint from the real program."""

import gzip

import pytest
import requests
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.servers.faulty import FaultyServer, Reply
from tests.servers.gate import GatedAlertmanager, GatedPrometheus
from tests.servers.leaky_prometheus import LeakyPrometheus, watcher
from tests.servers.lens_process import LensProcess
from tests.servers.waiting import until

pytestmark = pytest.mark.acceptance

BODY = {
    "version": "4",
    "groupKey": "g",
    "status": "firing",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "FilesLeak", "severity": "critical", "instance": "api-7:9000"},
            "startsAt": "2026-11-20T14:02:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
        }
    ],
}


def test_one_investigation_is_one_trace_with_the_id_its_document_names(tmp_path):
    """Investigation, agent and receipts share the trace whose id stands in the API's document."""
    with FaultyServer(Reply()) as collector, GatedPrometheus() as prometheus, GatedAlertmanager() as alertmanager:
        config = {
            "prometheus": {"url": prometheus.url},
            "alertmanager": {"urls": [alertmanager.url]},
            "otlp_endpoint": collector.url,
            "watchers": [],
        }
        with LensProcess(tmp_path, config) as lens:
            lens.start()
            assert lens.post("/webhook", json=BODY).status_code == 200
            done = until(lambda: lens.get("/api/v1/investigations", state="done").json()["investigations"], 60.0)
            document = lens.get(f"/api/v1/investigations/{done[0]['id']}").json()
        spans = _spans(collector)
    story = {span.name for span in spans if span.trace_id.hex() == document["trace_id"]}
    assert {"investigation", "invoke_agent investigator", "check receipts"} <= story


def test_the_story_of_an_anomaly_is_one_trace_from_the_tick_to_the_finding(tmp_path):
    """Decision, posted alert, investigation, its tools, its check and what is published share the trace that the alert names."""
    with FaultyServer(Reply()) as collector, LeakyPrometheus() as prometheus, GatedAlertmanager() as alertmanager:
        config = {
            "prometheus": {"url": prometheus.url},
            "alertmanager": {"urls": [alertmanager.url]},
            "otlp_endpoint": collector.url,
            "watchers": [watcher("files")],
            "investigate": {"settle": "1s", "debounce": "1s", "webhook_grace": "1s"},
        }
        with LensProcess(tmp_path, config) as lens:
            lens.start()
            prometheus.leak()
            until(lambda: lens.get("/api/v1/investigations", state="done").json()["investigations"], 60.0, what="an investigation")
            (finding,) = until(lambda: lens.events("finding.published"), 60.0, what="a finding")
            page = requests.get(f"{lens.url}/metrics", headers={"Accept": "application/openmetrics-text"}, timeout=10).text
        posted = [one for request in alertmanager.requests if request.method == "POST" for one in request.json()]
    traces = {one["labels"]["alertname"]: one["annotations"]["lens_trace_id"] for one in posted}
    assert traces.keys() == {"LensFiles", "LensInvestigation"}
    (trace,) = set(traces.values())
    spans = _spans(collector)
    names = {span.name for span in spans if span.trace_id.hex() == trace}
    assert {"anomaly", "POST alertmanager", "investigation", "invoke_agent investigator", "execute_tool rank_suspects"} <= names
    assert {"POST prometheus", "check receipts", "publish"} <= names
    ticks = {span.span_id for span in spans if span.name == "watcher.tick"}
    (anomaly,) = [span for span in spans if span.name == "anomaly"]
    assert [link.span_id in ticks for link in anomaly.links] == [True]
    assert finding["correlation"]
    buckets = [line for line in page.splitlines() if line.startswith("lens_investigation_duration_seconds_bucket")]
    assert any(f'trace_id="{trace}"' in line for line in buckets)


def test_what_the_page_shows_is_pushed_too(tmp_path):
    """As often as configured, once each, under names that become those of the page; an endpoint that refuses is told once."""
    with FaultyServer(Reply(status=400)) as collector, GatedPrometheus() as prometheus:
        config = {
            "prometheus": {"url": prometheus.url},
            "otlp_endpoint": collector.url,
            "otlp_metrics_interval": "1s",
            "watchers": [],
            "investigate": {"enabled": False},
        }
        with LensProcess(tmp_path, config) as lens:
            lens.start()
            until(lambda: lens.metrics().value("lens_otlp_exports_failed_total") >= 2, 30.0, what="two refusals")
            (told,) = lens.events("otlp.export_failed")
            assert told["data"]["endpoint"] == collector.url
            assert "400" in told["data"]["error"]
            collector.respond = lambda _request: Reply()
            before = len(collector.requests)
            until(lambda: len(_pushed(collector)) > before + 1, 30.0, what="an export")
            until(lambda: lens.events("otlp.export_recovered"), 10.0, what="the end of it")
            page = lens.get("/metrics").text
        (resource,) = _pushed(collector)[-1].resource_metrics
    about = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert about["service.name"] == "lens-exporter"
    assert about["service.instance.id"]
    names = [metric.name for scope in resource.scope_metrics for metric in scope.metrics]
    assert len(names) == len(set(names))
    shown = {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE")}
    of_units = {"By": "_bytes", "s": "_seconds"}
    units = {metric.name: of_units.get(metric.unit, "") for scope in resource.scope_metrics for metric in scope.metrics}
    kinds = {metric.name: metric.WhichOneof("data") for scope in resource.scope_metrics for metric in scope.metrics}
    total = {name: "_total" if kinds[name] == "sum" else "" for name in names}
    assert {name.replace(".", "_") + units[name] + total[name] for name in names} == shown


def _pushed(collector):
    asked = [request for request in list(collector.requests) if request.path == "/v1/metrics"]
    return [ExportMetricsServiceRequest.FromString(_plain(request)) for request in asked]


def _spans(collector):
    return [
        span
        for request in collector.requests
        if request.path == "/v1/traces"
        for resource in ExportTraceServiceRequest.FromString(_plain(request)).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _plain(request):
    return gzip.decompress(request.body) if request.headers.get("Content-Encoding") == "gzip" else request.body
