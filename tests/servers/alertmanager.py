"""A real Alertmanager for one test."""

from pathlib import Path
from typing import Any

from lens_exporter.demo.servers import LocalServer, start_alertmanager
from tests.servers.missing import skip_or_fail


def AlertmanagerServer(tmp_path: Path, *, name: str = "alertmanager", **options: Any) -> LocalServer:  # noqa: N802 - as above
    """Start Alertmanager under `tmp_path/name`; options are those of start_alertmanager. Without it: skip at a desk, fail in CI."""
    with skip_or_fail():
        return start_alertmanager(tmp_path / name, **options)
