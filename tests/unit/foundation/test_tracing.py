"""Spans under the correlation id."""

import traceback

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from lens_exporter.errors import RemoteError, RemoteUnavailable
from lens_exporter.foundation import tracing
from lens_exporter.foundation.clock import correlation_of, new_ulid, trace_id
from lens_exporter.foundation.http import Credentials
from tests.servers.endpoints import endpoint
from tests.servers.faulty import FaultyServer, Reply
from tests.servers.raw import RawServer


@pytest.fixture
def spans(monkeypatch):
    """The spans that ended, through a provider that only this test sees."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing.trace, "get_tracer", provider.get_tracer)
    return exporter.get_finished_spans


def test_a_correlation_id_is_a_trace_id_and_back():
    """128 bits, the same in both writings."""
    correlation = new_ulid()
    assert correlation_of(trace_id(correlation)) == correlation


def test_spans_of_one_story_share_its_trace_also_across_a_restart(spans):
    """Two spans with nothing in common but the id are in one trace; one inside the other is its child."""
    correlation = new_ulid()
    with tracing.span("watch", correlation=correlation, watcher="host"), tracing.span("history", correlation=correlation):
        assert tracing.current_correlation() == correlation
    with tracing.span("investigate", correlation=correlation):
        pass
    history, watch, investigate = spans()
    assert {span.context.trace_id for span in spans()} == {trace_id(correlation)}
    assert history.parent.span_id == watch.context.span_id
    assert investigate.parent.span_id == watch.parent.span_id
    assert dict(watch.attributes) == {"watcher": "host"}


def test_a_span_without_an_id_joins_the_one_around_it(spans):
    """And outside any it begins a trace of its own."""
    correlation = new_ulid()
    with tracing.span("outer", correlation=correlation), tracing.span("inner"):
        pass
    with tracing.span("alone"):
        pass
    inner, _outer, alone = spans()
    assert inner.context.trace_id == trace_id(correlation)
    assert alone.parent is None


def test_without_an_sdk_nothing_is_recorded_and_the_id_still_travels():
    """No otlp_endpoint: the body runs, and tools below still find the correlation id."""
    assert tracing.current_correlation() == ""
    correlation = new_ulid()
    with tracing.span("watch", correlation=correlation) as current:
        assert not current.is_recording() or trace.get_tracer_provider().__class__.__name__ != "ProxyTracerProvider"
        assert tracing.current_correlation() == correlation


def test_what_is_asked_of_others_is_a_client_span_and_they_may_join(spans):
    """One span a request, with the conventions' attributes; the server is told the trace, and only while it is recorded."""
    correlation = new_ulid()
    with FaultyServer(Reply(b"{}")) as server:
        asked = endpoint(server.url, "alertmanager")
        with tracing.span("alert", correlation=correlation):
            asked.request("GET", "/api/v2/status")
        server.respond = lambda _request: Reply(status=500)
        with pytest.raises(RemoteUnavailable):
            asked.request("POST", "/api/v2/alerts", json=[])
    good, _alert, failed = spans()
    assert (good.name, good.kind) == ("GET alertmanager", trace.SpanKind.CLIENT)
    assert dict(good.attributes) == {
        "http.request.method": "GET",
        "server.address": "127.0.0.1",
        "url.path": "/api/v2/status",
        "http.response.status_code": 200,
    }
    given = server.requests[0].headers["traceparent"].split("-")
    assert given[1:3] == [tracing.written(correlation), f"{good.context.span_id:016x}"]
    assert failed.status.status_code is trace.StatusCode.ERROR
    assert failed.attributes["error.type"] == "RemoteUnavailable"
    assert failed.events == ()


@pytest.mark.parametrize(
    "reply", [b"HTTP/1.1 400 %s\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 302 Found\r\nLocation: /%s\r\n\r\n", b"%s\r\n\r\n"]
)
def test_what_a_server_repeats_of_us_is_in_no_error_and_no_span(spans, reply):
    """Its status line, its reason and its Location are its own words: the token it was sent is taken out of them."""
    token = "Qx7Zw3Kp9markQx7Zw3Kp9"
    said = reply.replace(b"%s", token.encode())
    with RawServer(lambda connection, _closing: connection.sendall(said)) as server:
        asked = endpoint(server.url, credentials=Credentials(bearer=lambda: token))
        with pytest.raises(RemoteError) as error:
            asked.request("GET", "/api/v1/alerts")
    (span,) = spans()
    assert token not in "".join(traceback.format_exception(error.value))
    assert token not in f"{span.to_json()}"


def test_a_span_that_leaves_a_trace_is_linked_to_where_it_began(spans):
    """From the anomaly's story to the tick that saw it."""
    with tracing.span("watcher.tick"), tracing.span("anomaly", correlation=new_ulid()):
        pass
    anomaly, tick = spans()
    assert [link.context.span_id for link in anomaly.links] == [tick.context.span_id]
    assert tick.links == ()


def test_without_an_sdk_no_server_is_told_of_a_trace_that_nobody_keeps():
    """The id travels in our own records only."""
    with FaultyServer(Reply(b"{}")) as server, tracing.span("alert", correlation=new_ulid()):
        endpoint(server.url).request("GET", "/api/v1/alerts")
    assert "traceparent" not in server.requests[0].headers
