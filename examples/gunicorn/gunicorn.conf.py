"""The arbiter serves one page that tells of all workers, each with its pid."""

import os
import tempfile
from typing import Any

import lens_exporter

bind = os.environ.get("BIND", "127.0.0.1:8000")
workers = 4

# Of this server alone, and open to nobody else. In the environment, because a reload (HUP) runs this file again.
if "LENS_SIBLINGS" not in os.environ:
    os.environ["LENS_SIBLINGS"] = tempfile.mkdtemp(prefix="shop-lens-")


def when_ready(server: Any) -> None:
    port = int(os.environ.get("METRICS_PORT", "9464"))
    try:
        lens_exporter.instrument("shop", port=port, siblings=os.environ["LENS_SIBLINGS"])
    except OSError as error:  # while it is upgraded (USR2) the old arbiter has the port: it tells of the new one too, until it ends
        server.log.warning("metrics are not served on port %s: %s", port, error)


def post_fork(_server: Any, _worker: Any) -> None:
    lens_exporter.instrument("shop", siblings=os.environ["LENS_SIBLINGS"])
