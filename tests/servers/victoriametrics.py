"""A real VictoriaMetrics for one test, and its ruler's command."""

import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

import requests

from lens_exporter.demo.backfill import Series
from lens_exporter.demo.servers import LocalServer
from lens_exporter.errors import ServerMissing
from lens_exporter.model.labels import selector
from tests.servers.missing import skip_or_fail


class VictoriaMetricsServer(LocalServer):
    """Start VictoriaMetrics under `folder`. Without the binary: skip at a desk, fail in CI."""

    def __init__(self, folder: Path) -> None:
        program = _program("victoria-metrics")
        folder.mkdir(parents=True, exist_ok=True)
        argv = [program, f"-storageDataPath={folder / 'data'}", "-retentionPeriod=10y", "-search.latencyOffset=0s"]
        super().__init__("victoria-metrics", argv, folder=folder, ready="/health")

    def _spawn(self, output: IO[bytes]) -> "subprocess.Popen[bytes]":
        argv = [*self._argv, f"-httpListenAddr=127.0.0.1:{self.port}"]
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self.folder)

    def write(self, history: Iterable[Series]) -> None:
        """Store samples of any age; they can be read at once."""
        lines = (
            f"{selector(series.labels, metric=series.name)} {value!r} {round(at * 1000)}\n"
            for series in history
            for at, value in series.samples
        )
        requests.post(f"{self.url}/api/v1/import/prometheus", data="".join(lines).encode(), timeout=60).raise_for_status()
        self.flush()

    def flush(self) -> None:
        """Let what was written be read, and forget answers that were given before."""
        requests.get(f"{self.url}/internal/force_flush", timeout=60).raise_for_status()
        requests.get(f"{self.url}/internal/resetRollupResultCache", timeout=60).raise_for_status()

    def query(self, expression: str, at: float) -> list[tuple[Mapping[str, str], float]]:
        """Ask for an instant vector."""
        answer = requests.post(f"{self.url}/api/v1/query", data={"query": expression, "time": at, "step": "5m"}, timeout=60)
        body: dict[str, Any] = answer.json()
        assert body["status"] == "success", (expression, body)
        return [(each["metric"], float(each["value"][1])) for each in body["data"]["result"]]


def vmalert(*arguments: object) -> None:
    """Run its ruler's command to the end; it must succeed."""
    program = _program("vmalert")
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def _program(name: str) -> str:
    path = shutil.which(name)
    with skip_or_fail():
        if path is None:
            raise ServerMissing(program=name, package="victoria-metrics")
    assert path is not None
    return path
