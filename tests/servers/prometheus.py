"""A real Prometheus for one test."""

from pathlib import Path
from typing import Any

from lens_exporter.demo.servers import LocalServer, start_prometheus
from tests.servers.missing import skip_or_fail


def PrometheusServer(tmp_path: Path, **options: Any) -> LocalServer:  # noqa: N802 - reads as the server it gives
    """Start Prometheus under `tmp_path`; options are those of start_prometheus. Without the binary: skip at a desk, fail in CI."""
    with skip_or_fail():
        return start_prometheus(tmp_path / "prometheus", **options)
