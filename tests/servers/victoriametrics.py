"""A real VictoriaMetrics for one test, and its ruler's command."""

import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import requests
import yaml

from lens_exporter.demo.backfill import Series
from lens_exporter.demo.servers import LocalServer, free_port
from lens_exporter.demo.stack import Stack
from lens_exporter.errors import ServerMissing
from lens_exporter.model.labels import selector
from tests.servers.missing import skip_or_fail


class VictoriaMetricsServer(LocalServer):
    """Start VictoriaMetrics under `folder`. Without the binary: skip at a desk, fail in CI."""

    def __init__(self, folder: Path, *, scrapes: Sequence[Mapping[str, Any]] = (), ruler: str = "") -> None:
        """Take scrapes to be Prometheus' scrape_configs, and ruler the address of a vmalert that answers for rules and alerts."""
        program = _program("victoria-metrics")
        folder.mkdir(parents=True, exist_ok=True)
        argv = [program, f"-storageDataPath={folder / 'data'}", "-retentionPeriod=10y", "-search.latencyOffset=0s"]
        if scrapes:
            config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": list(scrapes)}
            (folder / "scrape.yml").write_text(yaml.safe_dump(config), "utf-8")
            argv.append(f"-promscrape.config={folder / 'scrape.yml'}")
        if ruler:
            argv.append(f"-vmalert.proxyURL={ruler}")
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


class Ruler(LocalServer):
    """vmalert: evaluates rules over a VictoriaMetrics every second and posts what fires."""

    def __init__(self, folder: Path, *, store: str, alertmanager: str, rules: Sequence[Mapping[str, Any]], port: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "rules.yml").write_text(yaml.safe_dump({"groups": list(rules)}), "utf-8")
        argv = [
            _program("vmalert"),
            f"-datasource.url={store}",
            f"-remoteWrite.url={store}",
            f"-notifier.url={alertmanager}",
            f"-rule={folder / 'rules.yml'}",
            "-evaluationInterval=1s",
            "-rule.resendDelay=1s",
            f"-httpListenAddr=127.0.0.1:{port}",
        ]
        super().__init__("vmalert", argv, folder=folder, port=port, ready="/health")

    def _spawn(self, output: IO[bytes]) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(self._argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self.folder)


class VictoriaStack(Stack):
    """The demo's loop with VictoriaMetrics and vmalert where Prometheus was."""

    def _store(self, scrapes: list[dict[str, Any]], rules: list[dict[str, Any]], alertmanager: str) -> LocalServer:
        port = free_port()
        store = VictoriaMetricsServer(self.folder / "store", scrapes=scrapes, ruler=f"http://127.0.0.1:{port}")
        self._keep(store.start())
        ruler = Ruler(self.folder / "ruler", store=store.url, alertmanager=alertmanager, rules=rules, port=port)
        self._keep(ruler.start())
        return store


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
