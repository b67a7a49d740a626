"""Endpoints with everything a test wants to look at afterwards."""

from typing import Any

from lens_exporter.foundation.breaker import CircuitBreaker
from lens_exporter.foundation.http import Endpoint
from lens_exporter.foundation.telemetry import Telemetry


def endpoint(url: str, service: str = "prometheus", *, telemetry: Telemetry | None = None, **options: Any) -> Endpoint:
    breaker = options.pop("breaker", None) or CircuitBreaker(service, url)
    return Endpoint(service, url, telemetry=telemetry or Telemetry(), breaker=breaker, connect_retries=0, **options)
