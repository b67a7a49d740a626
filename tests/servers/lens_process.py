"""The real lens-exporter as a process of its own: what a test tells it, asks it and does to it."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import yaml
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from lens_exporter.demo.servers import LocalServer
from tests.servers.waiting import until


class Samples:
    """One page of /metrics, to look things up in."""

    def __init__(self, text: str) -> None:
        self._samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def all(self, name: str, **labels: str) -> list[Sample]:
        """Give the samples of a name (counters with _total) that have at least these labels."""
        return [each for each in self._samples if each.name == name and labels.items() <= each.labels.items()]

    def value(self, name: str, **labels: str) -> float:
        """Add up the samples of a name that have at least these labels; 0 where there is none."""
        return sum(each.value for each in self.all(name, **labels))


class LensProcess(LocalServer):
    """`python -m lens_exporter.cli run --config.file` in `folder`, on a free port: `with LensProcess(folder, config).start() as lens`.

    Without a database_url the database is `folder/lens.db`. `environment` is added to this process' own, `flags` to its command;
    `showing` are attributes of the sessions it is asked by (verify, cert, auth, headers), with any of TLS' it is asked over https.
    """

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any],
        *,
        environment: Mapping[str, str] | None = None,
        flags: Sequence[str] = (),
        showing: Mapping[str, Any] | None = None,
    ) -> None:
        self.showing = dict(showing or {})
        folder.mkdir(parents=True, exist_ok=True)
        self.config_file = folder / "lens.yml"
        self.database = folder / "lens.db"
        argv = [sys.executable, "-m", "lens_exporter.cli", "run", f"--config.file={self.config_file}", *flags]
        variables = [f"{name}={value}" for name, value in (environment or {}).items()]
        super().__init__("lens-exporter", ["env", *variables, *argv], folder=folder, ready="/-/healthy")
        self.configure(config)

    @property
    def url(self) -> str:
        return super().url.replace("http:", "https:" if {"verify", "cert"} & self.showing.keys() else "http:")

    def _session(self) -> requests.Session:
        session = super()._session()
        for name, value in self.showing.items():
            setattr(session, name, value)
        return session

    def configure(self, config: Mapping[str, Any]) -> None:
        """Write the configuration, as YAML; a running process does not see it before a reload."""
        self.config_file.write_text(
            yaml.safe_dump({"database_url": f"sqlite:///{self.database}", **config}, sort_keys=False), "utf-8"
        )

    def get(self, path: str, *, timeout: float = 10.0, **params: Any) -> requests.Response:
        return self._ask("GET", path, timeout=timeout, params=params)

    def post(
        self, path: str, body: bytes | Iterator[bytes] | None = None, *, json: Any = None, timeout: float = 30.0
    ) -> requests.Response:
        """Post JSON: as bytes, as chunks of bytes, or as a value."""
        headers = {"Content-Type": "application/json"}
        return self._ask("POST", path, timeout=timeout, data=body, json=json, headers=headers)

    def _ask(self, method: str, path: str, **options: Any) -> requests.Response:
        with self._session() as session:
            return session.request(method, self.url + path, **options)

    def metrics(self) -> Samples:
        """Scrape it."""
        answer = self.get("/metrics")
        answer.raise_for_status()
        return Samples(answer.text)

    def events(self, kind: str | None = None, correlation: str | None = None, limit: int = 1000) -> list[dict[str, Any]]:
        """Read its events by its API, oldest first."""
        params = {"type": kind, "correlation": correlation, "limit": limit}
        answer = self.get("/api/v1/events", **{key: value for key, value in params.items() if value is not None})
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()["events"]
        return found if correlation is not None else found[::-1]

    def send(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        assert self.pid is not None
        os.kill(self.pid, number)

    def exit_code(self, seconds: float = 15.0) -> int:
        """Wait for the process to end by itself, and give its exit code."""
        process = self._process
        assert process is not None
        until(lambda: process.poll() is not None, seconds, what=f"lens-exporter ends by itself; its log: {self.tail()}")
        return process.returncode

    @contextmanager
    def answering(self, within: float = 3.0) -> Iterator[None]:
        """Scrape and ask for health all the while the block runs; fail the test for an answer that is wrong, missing or later."""
        over, wrong = threading.Event(), list[str]()

        def ask() -> None:
            while not over.wait(0.2):
                for path in ("/metrics", "/-/healthy"):
                    asked = time.monotonic()
                    try:
                        status = self.get(path, timeout=2 * within).status_code
                    except requests.RequestException as error:
                        wrong.append(f"{path}: {error}")
                        continue
                    took = time.monotonic() - asked
                    if status != 200 or took > within:
                        wrong.append(f"{path}: {status} after {took:.1f} s")

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        try:
            yield
        finally:
            over.set()
            asking.join()
        assert wrong == []
