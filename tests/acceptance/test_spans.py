"""The story as spans, received by a local OTLP endpoint from the real program."""

import gzip

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.servers.faulty import FaultyServer, Reply
from tests.servers.gate import GatedAlertmanager, GatedPrometheus
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
        spans = [
            span
            for request in collector.requests
            if request.path == "/v1/traces"
            for resource in ExportTraceServiceRequest.FromString(_plain(request)).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
    story = {span.name for span in spans if span.trace_id.hex() == document["trace_id"]}
    assert {"investigation", "invoke_agent investigator", "check receipts"} <= story


def _plain(request):
    return gzip.decompress(request.body) if request.headers.get("Content-Encoding") == "gzip" else request.body
