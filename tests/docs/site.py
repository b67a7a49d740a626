"""What the documentation assumes: Prometheus, Alertmanager and lens-exporter at their usual places, and a folder with their files."""

import math
import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import requests
import yaml

from lens_exporter.demo.backfill import Series
from tests.docs.blocks import ROOT, Block, blocks
from tests.servers.alertmanager import AlertmanagerServer
from tests.servers.lens_process import LensProcess
from tests.servers.prometheus import PrometheusServer
from tests.servers.waiting import until

_ERRORS = {"query": "sum by (pod) (rate(http_requests_total[5m]))", "direction": "up"}


class Site:
    """Servers on other ports than the usual ones; commands are told where."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        lens = LensProcess(self._folder / "lens", {})
        scrape = {"job_name": "lens-exporter", "static_configs": [{"targets": [f"127.0.0.1:{lens.port}"]}]}
        prometheus = self._opened.enter_context(PrometheusServer(self._folder / "p", scrape_configs=[scrape], history=[_orders()]))
        alertmanager = self._opened.enter_context(AlertmanagerServer(self._folder / "a", webhook_url=f"{lens.url}/webhook"))
        self._where = {
            "localhost:9090": prometheus.url.removeprefix("http://"),
            "localhost:9093": alertmanager.url.removeprefix("http://"),
            "localhost:10077": lens.url.removeprefix("http://"),
            "--from -7d": "--from -5h --to -4h",  # ten thousand looks take minutes
        }
        lens.configure(self._settings(prometheus.url, alertmanager.url))
        self._opened.enter_context(lens.start())
        until(lambda: self._samples(prometheus.url) > 5, 60.0, 0.5, what="some history")
        self._where["FINGERPRINT"] = self._alert(alertmanager.url, f"127.0.0.1:{lens.port}")
        self._files(lens)
        return self

    def __exit__(self, *_error: object) -> None:
        self._opened.close()

    def run(self, block: Block) -> str:
        """Run a block as a user would, in the folder with the files that its page shows; give what went wrong."""
        command = block.text
        for usual, here in self._where.items():
            command = command.replace(usual, here)
        for shown in blocks("yaml"):
            if shown.page == block.page and shown.line < block.line and shown.file == "lens.yml":
                self._write_configuration(yaml.safe_load(shown.text))
        env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "TERM": "dumb"}
        ran = subprocess.run(
            ["bash", "-eu", "-c", command],
            cwd=self._folder / "work",
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self._write_configuration({})
        return "" if ran.returncode == 0 else f"exit {ran.returncode}\n{ran.stdout[-1500:]}{ran.stderr[-1500:]}"

    def _settings(self, prometheus: str, alertmanager: str) -> dict[str, Any]:
        return {
            "prometheus": {"url": prometheus},
            "alertmanager": {"urls": [alertmanager]},
            "watchers": [
                {"host": "* * * * *"},
                {"python": "* * * * *"},
                {"beam": {"schedule": "* * * * *", "source": "exporter"}},
                {"name": "checkout", "schedule": "* * * * *", "metrics": {"errors": _ERRORS}},
                {"name": "api", "schedule": "* * * * *", "metrics": {"orders": {"query": "orders_waiting"}}},
            ],
            "investigate": {"settle": "1s"},
        }

    def _files(self, lens: LensProcess) -> None:
        work = self._folder / "work"
        (work / "data").mkdir(parents=True)
        self._own = yaml.safe_load(lens.config_file.read_text(encoding="utf-8"))
        self._write_configuration({})
        (work / "incidents.csv").write_text("start,end\n2026-11-20T10:00:00Z,2026-11-20T11:00:00Z\n", encoding="utf-8")
        for name in ("host", "python", "beam"):
            shutil.copy(ROOT / "rules" / f"{name}.yml", work / f"lens-{name}.yml")
        shutil.copy(ROOT / "rules" / "lens-exporter.yml", work)

    def _write_configuration(self, shown: dict[str, Any]) -> None:
        """Write lens.yml: as the page shows it, with the servers that are here; else this site's own."""
        whole = {**self._own, **{name: value for name, value in shown.items() if name not in {"prometheus", "alertmanager", "web"}}}
        (self._folder / "work" / "lens.yml").write_text(yaml.safe_dump(whole), encoding="utf-8")

    def _samples(self, prometheus: str) -> float:
        query = {"query": "min(count_over_time(lens_python_memory_used_bytes[5m]))"}
        found = requests.get(f"{prometheus}/api/v1/query", params=query, timeout=10).json()["data"]["result"]
        return float(found[0]["value"][1]) if found else 0.0

    def _alert(self, alertmanager: str, instance: str) -> str:
        """Let an alert fire, and give its fingerprint."""
        labels = {"alertname": "TooMuchMemory", "severity": "warning", "instance": instance, "job": "lens-exporter"}
        alert = {"labels": labels, "startsAt": datetime.now(UTC).isoformat()}
        requests.post(f"{alertmanager}/api/v2/alerts", json=[alert], timeout=10).raise_for_status()

        def listed() -> str:
            found = requests.get(f"{alertmanager}/api/v2/alerts", timeout=10).json()
            return next((one["fingerprint"] for one in found if one["labels"]["alertname"] == "TooMuchMemory"), "")

        return until(listed, 20.0, what="the alert")


def _orders() -> Series:
    """Give a metric that has a past: an hour and a half of it, as old as Prometheus takes it."""
    end = math.floor(time.time() / 60) * 60 - 4 * 3600
    return Series("orders_waiting", {"instance": "shop"}, [(end - 60 * back, 20.0 + back % 7) for back in reversed(range(90))])
