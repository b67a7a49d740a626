"""Spans to an OTLP endpoint. The SDK is set up only where one is configured; without it spans cost next to nothing."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import requests
from opentelemetry import trace

from lens_exporter.errors import ExtraMissing

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource


def resource(*, service: str, version: str) -> "Resource":
    """Say who sends: this lens-exporter, with what OTEL_RESOURCE_ATTRIBUTES adds."""
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - the SDK is for those who ask for it

    return Resource.create({"service.name": "lens-exporter", "service.instance.id": service, "service.version": version})


def straight() -> requests.Session:
    """Give a session that goes where it is sent: through no proxy of the environment's, and after no redirect to another host."""
    session = requests.Session()
    session.trust_env = False
    session.max_redirects = 0  # newer exporters follow none by themselves
    return session


def export_spans(endpoint: str, *, service: str, version: str) -> Callable[[], None]:
    """Send every span to `endpoint`/v1/traces in batches from a thread; give the function that sends the rest and ends it.

    A collector that is away costs spans and nothing else: the queue is bounded.

    Raises:
        ExtraMissing: the exporter is not installed.

    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ExtraMissing(setting="otlp_endpoint", extra="otlp") from error
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(resource=resource(service=service, version=version), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", timeout=10, session=straight())
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return provider.shutdown
