"""Spans of the story, under the correlation id: its 128 bits are the trace id, also across a restart."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.propagate import inject
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from lens_exporter.errors import LensError
from lens_exporter.foundation.clock import correlation_of, trace_id

_LOW_64_BITS = (1 << 64) - 1


@contextmanager
def span(name: str, *, correlation: str = "", **attributes: str | float | bool) -> Iterator[Span]:
    """Run the body in a span. With a correlation id the span joins that trace; without, it joins the span around it.

    One that leaves the trace around it is linked to where it began. Without an SDK (no otlp_endpoint configured) this costs a few
    microseconds and records nothing.
    """
    context, links = None, []
    if correlation:
        identity, around = trace_id(correlation), trace.get_current_span().get_span_context()
        if around.trace_id != identity:
            parent = SpanContext(identity, identity & _LOW_64_BITS or 1, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
            context = trace.set_span_in_context(NonRecordingSpan(parent))
            links = [Link(around)] if around.is_valid else []
    with _opened(name, SpanKind.INTERNAL, attributes, context, links) as current:
        yield current


@contextmanager
def asking(name: str, attributes: Mapping[str, str]) -> Iterator[Span]:
    """Run the body, which asks another service, in a client's span."""
    with _opened(name, SpanKind.CLIENT, attributes) as current:
        yield current


@contextmanager
def _opened(
    name: str,
    kind: SpanKind,
    attributes: Mapping[str, str | float | bool],
    context: Context | None = None,
    links: Sequence[Link] = (),
) -> Iterator[Span]:
    tracer = trace.get_tracer("lens_exporter")
    with tracer.start_as_current_span(
        name,
        context,
        kind,
        attributes,
        links,
        record_exception=False,  # it would take the traceback along: what a server said, or a request
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except Exception as error:
            # Our own errors are written for others to read; a library's may quote anything.
            current.set_status(Status(StatusCode.ERROR, str(error) if isinstance(error, LensError) else None))
            current.set_attribute("error.type", type(error).__name__)
            raise


def propagated() -> dict[str, str]:
    """Give the headers by which a server asked within a recorded span joins its trace; none where nothing is recorded."""
    headers: dict[str, str] = {}
    if trace.get_current_span().is_recording():
        inject(headers)
    return headers


def exemplar() -> dict[str, str] | None:
    """Give what links an observation made now to its trace: the labels that Grafana follows. None where no trace is kept."""
    current = trace.get_current_span()
    return {"trace_id": f"{current.get_span_context().trace_id:032x}"} if current.is_recording() else None


def kept() -> bool:
    """Say whether spans go anywhere: an SDK has been set up in this process."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def written(correlation: str) -> str:
    """Write the trace id of a correlation id as OpenTelemetry does, 32 hexadecimal digits."""
    return f"{trace_id(correlation):032x}"


def current_correlation() -> str:
    """Give the correlation id of the span around the caller, "" outside any. Works without an SDK too."""
    identity = trace.get_current_span().get_span_context().trace_id
    return correlation_of(identity) if identity else ""
