"""Real Prometheus and Alertmanager as child processes on loopback: for the demo, and for the tests."""

import contextlib
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import requests
import yaml

from lens_exporter.demo.backfill import Series, backfill
from lens_exporter.errors import ServerMissing, ServerNotReady

_READY_SECONDS = 30.0
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.05
_ATTEMPTS = 3  # another process may take a free port between our look and the server's start
_TAIL = 30
# Below those that Linux gives to whoever asks for any: none of these is given away before a server starts.
_PORTS = range(20_000, 32_768)


def free_port() -> int:
    """Give a loopback port nobody listens on at this moment.

    Raises:
        OSError: none that was tried is free.

    """
    for _ in _PORTS:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port := secrets.choice(_PORTS)))
            return port
    raise OSError(f"no free port from {_PORTS.start} to {_PORTS.stop - 1} on 127.0.0.1")


class LocalServer:
    """One server process, always on the same port. Its output goes to `log`. A context manager: leaving stops it."""

    def __init__(self, name: str, argv: Sequence[str], *, folder: Path, port: int | None = None, ready: str = "/-/ready") -> None:
        """`argv` is the command; `--web.listen-address` is added to it."""
        self.name = name
        self.folder = folder
        self.log = folder / f"{name}.log"
        self._argv = list(argv)
        self._ready = ready
        self._fixed_port = port is not None
        self.port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Start the server and wait until it says it is ready.

        Raises:
            ServerNotReady: it ended, or was not ready in time; carries the end of its log.

        """
        for attempt in range(1, _ATTEMPTS + 1):
            with self.log.open("ab") as output:
                self._process = self._spawn(output)
            try:
                self._wait_until_ready()
            except ServerNotReady as error:
                self.kill()
                if self._fixed_port or attempt == _ATTEMPTS or "address already in use" not in str(error):
                    raise
                self.port = free_port()
            except BaseException:
                self.kill()  # Ctrl-C or anything else: nobody knows of the process yet
                raise
            else:
                break
        self._fixed_port = True  # others know the address now
        return self

    def start_again(self) -> Self:
        """Start a stopped or killed server on the port and the data it had."""
        return self.start()

    def stop(self) -> None:
        """Ask the server to end, and kill it when it does not."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the server as a crash would (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def tail(self) -> str:
        """Give the last lines of the log."""
        with contextlib.suppress(FileNotFoundError):
            return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-_TAIL:])
        return ""

    def _spawn(self, output: IO[bytes]) -> "subprocess.Popen[bytes]":
        argv = [*self._argv, f"--web.listen-address={self._address()}"]
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self.folder)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        with self._session() as session:
            while self.running and time.monotonic() < deadline:
                with contextlib.suppress(requests.RequestException):
                    if session.get(self.url + self._ready, timeout=1.0).status_code == 200:
                        return
                time.sleep(_POLL_SECONDS)
        reason = "not ready in time" if self.running else "it ended"
        raise ServerNotReady(program=self.name, url=self.url, reason=reason, log=self.tail())

    def _address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False  # a proxy of the user's has no business on loopback
        return session

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def start_prometheus(
    folder: Path,
    *,
    scrape_configs: Sequence[Mapping[str, Any]] = (),
    rules: Sequence[Mapping[str, Any]] = (),
    alertmanagers: Sequence[str] = (),
    history: Sequence[Series] = (),
    scrape_interval: str = "1s",
    evaluation_interval: str = "1s",
    port: int | None = None,
) -> LocalServer:
    """Start Prometheus in `folder`.

    scrape_configs and rules (rule groups) are Prometheus' own YAML as values; alertmanagers are URLs; history is written into
    its database before the start.

    Raises:
        ServerMissing, ServerNotReady.

    """
    program = find("prometheus")
    folder.mkdir(parents=True, exist_ok=True)
    if history:
        backfill(folder / "data", history, promtool=find("promtool"))
    config: dict[str, Any] = {
        "global": {
            "scrape_interval": scrape_interval,
            "scrape_timeout": scrape_interval,
            "evaluation_interval": evaluation_interval,
        },
        "scrape_configs": [dict(each) for each in scrape_configs],
    }
    if rules:
        (folder / "rules.yml").write_text(yaml.safe_dump({"groups": [dict(group) for group in rules]}), "utf-8")
        config["rule_files"] = ["rules.yml"]
    if alertmanagers:
        targets = [url.removeprefix("http://") for url in alertmanagers]
        config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": targets}]}]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), "utf-8")
    argv = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=60d",
        "--web.enable-lifecycle",
        # Prometheus learns its Alertmanagers up to 5 s after the start; what fired before must not wait a minute.
        "--rules.alert.resend-delay=1s",
    ]
    return LocalServer("prometheus", argv, folder=folder, port=port).start()


def start_alertmanager(
    folder: Path,
    *,
    webhook_url: str | None = None,
    bearer: str | None = None,
    tls: Mapping[str, Any] | None = None,
    group_by: Sequence[str] = ("alertname",),
    group_wait: str = "1s",
    group_interval: str = "1s",
    repeat_interval: str = "1h",
    max_alerts: int = 0,
    port: int | None = None,
) -> LocalServer:
    """Start one Alertmanager, without gossip, in `folder`; every alert goes to `webhook_url` (none: alerts are only held).

    Raises:
        ServerMissing, ServerNotReady.

    """
    program = find("alertmanager", "prometheus-alertmanager")
    folder.mkdir(parents=True, exist_ok=True)
    receiver: dict[str, Any] = {"name": "lens"}
    if webhook_url is not None:
        webhook: dict[str, Any] = {"url": webhook_url, "send_resolved": True, "max_alerts": max_alerts}
        if bearer is not None:
            webhook["http_config"] = {"authorization": {"credentials": bearer}}
        if tls is not None:
            webhook.setdefault("http_config", {})["tls_config"] = dict(tls)
        receiver["webhook_configs"] = [webhook]
    route = {
        "receiver": "lens",
        "group_by": list(group_by),
        "group_wait": group_wait,
        "group_interval": group_interval,
        "repeat_interval": repeat_interval,
    }
    (folder / "alertmanager.yml").write_text(yaml.safe_dump({"route": route, "receivers": [receiver]}), "utf-8")
    argv = [
        program,
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'data'}",
        "--cluster.listen-address=",
    ]
    return LocalServer("alertmanager", argv, folder=folder, port=port).start()


def find(*names: str) -> str:
    """Give the path of the first of these programs that is on PATH.

    Raises:
        ServerMissing: none is.

    """
    for name in names:
        if path := shutil.which(name):
            return path
    raise ServerMissing(program=names[0], package="prometheus prometheus-alertmanager")
