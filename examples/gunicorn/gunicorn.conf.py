"""The arbiter serves one page that tells of all workers, each with its pid."""

import os
import tempfile
from pathlib import Path
from typing import Any

import lens_exporter

bind = os.environ.get("BIND", "127.0.0.1:8000")
workers = 4

# Of this server alone, and open to nobody else. Workers that come later inherit it.
_SIBLINGS = Path(tempfile.mkdtemp(prefix="shop-lens-"))


def when_ready(_server: Any) -> None:
    lens_exporter.instrument("shop", port=int(os.environ.get("METRICS_PORT", "9464")), siblings=_SIBLINGS)


def post_fork(_server: Any, _worker: Any) -> None:
    lens_exporter.instrument("shop", siblings=_SIBLINGS)
