"""The demo's four processes on loopback: Prometheus, Alertmanager, a service that can leak, and lens-exporter between them."""

import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
import yaml

from lens_exporter.demo.servers import LocalServer, free_port, start_alertmanager, start_prometheus
from lens_exporter.errors import ServerGone

JOB = "export-service"
OWN_MEMORY, OWN_FILES, THEIRS = "LensMemory", "LensFiles", "TooManyOpenFiles"
_THEIR_LIMIT = 150  # open files; the alert rule a user of Prometheus would have written


class Stack:
    """Starts in the order in which they need one another; a context manager that leaves nothing running."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running = ExitStack()
        self.servers: list[LocalServer] = []
        self.workload: LocalServer
        self.alertmanager: LocalServer
        self.prometheus: LocalServer
        self.lens: LocalServer

    def start(self) -> Self:
        """Start all four.

        Raises:
            ServerMissing, ServerNotReady.

        """
        lens_port = free_port()
        lens_url = f"http://127.0.0.1:{lens_port}"
        self.workload = self._keep(self._python("workload", "lens_exporter.demo.workload", ready="/metrics"))
        self.alertmanager = self._keep(
            start_alertmanager(
                self.folder / "alertmanager", webhook_url=f"{lens_url}/webhook", group_wait="8s", group_interval="2s"
            )
        )
        scrapes = [_scrape(JOB, self.workload.port), _scrape("lens-exporter", lens_port)]
        self.prometheus = self._store(scrapes, [their_rules()], self.alertmanager.url)
        config = self.folder / "lens.yml"
        settings = lens_config(self.prometheus.url, self.alertmanager.url, lens_url, self.folder / "lens.db")
        config.write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")
        arguments = ("run", f"--config.file={config}")
        self.lens = self._keep(self._python("lens-exporter", "lens_exporter.cli", *arguments, ready="/-/healthy", port=lens_port))
        return self

    def leak(self, what: str) -> None:
        """Make the service leak "memory" or "files". Raises ServerGone."""
        self._tell(f"/leak/{what}")

    def recover(self) -> None:
        """Make the service give everything back. Raises ServerGone."""
        self._tell("/recover")

    def stop(self) -> None:
        """Stop whatever was started, in reverse order."""
        self._running.close()

    def leave_running(self) -> None:
        """Let `stop` and the end of the block stop nothing."""
        self._running.pop_all()

    def _tell(self, path: str) -> None:
        with requests.Session() as session:
            session.trust_env = False  # a proxy of the user's has no business on loopback
            try:
                session.post(self.workload.url + path, timeout=5).raise_for_status()
            except requests.RequestException as error:
                log = self.workload.tail()
                raise ServerGone(program="workload", url=self.workload.url, reason=str(error), log=log) from error

    def _python(self, name: str, module: str, *arguments: str, ready: str, port: int | None = None) -> LocalServer:
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return LocalServer(name, [sys.executable, "-m", module, *arguments], folder=folder, port=port, ready=ready).start()

    def _store(self, scrapes: list[dict[str, Any]], rules: list[dict[str, Any]], alertmanager: str) -> LocalServer:
        """Start what scrapes, stores and evaluates. Another server with Prometheus' API can stand here."""
        folder = self.folder / "prometheus"
        return self._keep(start_prometheus(folder, scrape_configs=scrapes, rules=rules, alertmanagers=[alertmanager]))

    def _keep(self, server: LocalServer) -> LocalServer:
        self.servers.append(server)
        self._running.callback(server.stop)
        return server

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def lens_config(prometheus: str, alertmanager: str, lens: str, database: Path) -> dict[str, Any]:
    """Write lens-exporter's configuration: like a small site's, but with seconds where a site has minutes."""
    return {
        "origin": "demo",
        "prometheus": {"url": prometheus},
        "alertmanager": {"urls": [alertmanager], "resend_interval": "5s"},
        "watchers": [
            {
                "python": {
                    "schedule": "* * * * * */2",
                    "selector": f'job="{JOB}"',
                    "window": "2m",
                    "step": "1s",
                    "min_observations": 15,
                }
            }
        ],
        "lenses": {"python_processes": [{"name": JOB, "match": "lens_exporter.demo.workload"}]},
        "investigate": {"settle": "5s", "debounce": "5s", "webhook_grace": "20s"},
        "web": {"external_url": lens},
        "database_url": f"sqlite:///{database}",
    }


def _scrape(job: str, port: int) -> dict[str, Any]:
    return {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}


def their_rules() -> dict[str, Any]:
    """Write the alert rule that a user of Prometheus would have without lens-exporter, as a rule group."""
    rule = {
        "alert": THEIRS,
        "expr": f'lens_python_open_fds_used{{job="{JOB}"}} > {_THEIR_LIMIT}',
        "labels": {"severity": "warning", "team": "exports"},
        "annotations": {"summary": f"{{{{ $labels.instance }}}} has {{{{ $value }}}} files open, more than {_THEIR_LIMIT}"},
    }
    return {"name": "exports", "rules": [rule]}
