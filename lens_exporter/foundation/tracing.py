"""Spans of the story, under the correlation id: its 128 bits are the trace id, also across a restart."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, TraceFlags

from lens_exporter.foundation.clock import correlation_of, trace_id

_LOW_64_BITS = (1 << 64) - 1


@contextmanager
def span(name: str, *, correlation: str = "", **attributes: str | float | bool) -> Iterator[Span]:
    """Run the body in a span. With a correlation id the span joins that trace; without, it joins the span around it.

    Without an SDK (no otlp_endpoint configured) this costs a few microseconds and records nothing.
    """
    tracer = trace.get_tracer("lens_exporter")
    context = None
    if correlation:
        identity = trace_id(correlation)
        if trace.get_current_span().get_span_context().trace_id != identity:
            parent = SpanContext(identity, identity & _LOW_64_BITS or 1, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
            context = trace.set_span_in_context(NonRecordingSpan(parent))
    with tracer.start_as_current_span(name, context=context, attributes=attributes) as current:
        yield current


def current_correlation() -> str:
    """Give the correlation id of the span around the caller, "" outside any. Works without an SDK too."""
    identity = trace.get_current_span().get_span_context().trace_id
    return correlation_of(identity) if identity else ""
