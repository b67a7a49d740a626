"""Spans of the story, under the correlation id: its 128 bits are the trace id, also across a restart."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.propagate import inject
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags

from lens_exporter.foundation.clock import correlation_of, trace_id

_LOW_64_BITS = (1 << 64) - 1


@contextmanager
def span(name: str, *, correlation: str = "", **attributes: str | float | bool) -> Iterator[Span]:
    """Run the body in a span. With a correlation id the span joins that trace; without, it joins the span around it.

    Without an SDK (no otlp_endpoint configured) this costs a few microseconds and records nothing.
    """
    context = None
    if correlation:
        identity = trace_id(correlation)
        if trace.get_current_span().get_span_context().trace_id != identity:
            parent = SpanContext(identity, identity & _LOW_64_BITS or 1, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
            context = trace.set_span_in_context(NonRecordingSpan(parent))
    tracer = trace.get_tracer("lens_exporter")
    with tracer.start_as_current_span(name, context=context, attributes=attributes) as current:
        yield current


@contextmanager
def asking(name: str, attributes: Mapping[str, str]) -> Iterator[Span]:
    """Run the body, which asks another service, in a client's span."""
    tracer = trace.get_tracer("lens_exporter")
    with tracer.start_as_current_span(name, kind=SpanKind.CLIENT, attributes=attributes) as current:
        yield current


def propagated() -> dict[str, str]:
    """Give the headers by which a server asked within a recorded span joins its trace; none where nothing is recorded."""
    headers: dict[str, str] = {}
    if trace.get_current_span().is_recording():
        inject(headers)
    return headers


def exemplar() -> dict[str, str] | None:
    """Give what links an observation made now to its trace: the labels that Grafana follows. None outside any."""
    context = trace.get_current_span().get_span_context()
    return {"trace_id": f"{context.trace_id:032x}"} if context.trace_id else None


def written(correlation: str) -> str:
    """Write the trace id of a correlation id as OpenTelemetry does, 32 hexadecimal digits."""
    return f"{trace_id(correlation):032x}"


def current_correlation() -> str:
    """Give the correlation id of the span around the caller, "" outside any. Works without an SDK too."""
    identity = trace.get_current_span().get_span_context().trace_id
    return correlation_of(identity) if identity else ""
