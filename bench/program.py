"""The real program as a child process, seen from outside: when it answers, what it used, how big it is."""

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from lens_exporter.demo.servers import free_port

_TICKS = os.sysconf("SC_CLK_TCK")
_KIB = 1024
_POLL = 0.01
_PATIENCE = 60.0  # seconds until a program that does not answer is given up
GOOD = (b'lens_up{lens="host"} 1.0', b'lens_up{lens="python"} 1.0')


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes; pss counts pages shared with other processes (here: of the same bench) in part."""

    rss: int
    pss: int
    threads: int


class Process:
    """A child process. A context manager: leaving ends it."""

    def __init__(self, *arguments: str, log: Path) -> None:
        with log.open("ab") as output:
            self.begun = time.monotonic()
            self._process = subprocess.Popen([sys.executable, *arguments], stdin=subprocess.PIPE, stdout=output, stderr=output)
        self._log = log

    def cpu(self) -> float:
        """Seconds of user and system time so far, all threads."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory(self) -> Memory:
        """Read what the kernel accounts to the process."""
        folder = Path(f"/proc/{self._process.pid}")
        rows = dict(line.split(":", 1) for line in (folder / "smaps_rollup").read_text().splitlines()[1:])
        rss, pss = (int(rows[name].split()[0]) * _KIB for name in ("Rss", "Pss"))
        return Memory(rss, pss, len(list((folder / "task").iterdir())))

    def wait_for(self, port: int, path: str, *words: bytes) -> float:
        """Ask until it answers 200 with these words in it; give the seconds since its start."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            status, body = get(port, path)
            if status == http.client.OK and all(word in body for word in words):
                return time.monotonic() - self.begun
            if self._process.poll() is not None:
                break
            time.sleep(_POLL)
        raise SystemExit(f"{path} on port {port} did not come:\n{self._log.read_text()[-2000:]}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)


def get(port: int, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """One request on a connection of its own; (0, b"") where nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET" if body is None else "POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()


class Lens(Process):
    """lens-exporter with the host and python watchers, its database in `folder`."""

    def __init__(self, folder: Path, *, prometheus: str = "http://127.0.0.1:9", port: int | None = None) -> None:
        self.port = port or free_port()
        self._folder = folder
        config = {
            "database_url": f"sqlite:///{folder}/lens.db",
            "web": {"listen_address": f"127.0.0.1:{self.port}"},
            "prometheus": {"url": prometheus},
            "watchers": [{"host": "*/1 * * * *"}, {"python": "*/1 * * * *"}],
        }
        (folder / "lens.yml").write_text(json.dumps(config))  # JSON is YAML
        file = str(folder / "lens.yml")
        super().__init__("-m", "lens_exporter.cli", "run", "--config.file", file, log=folder / "lens.log")

    def first_page(self) -> tuple[float, float]:
        """Wall and CPU seconds from exec to the first page on which both lenses are up."""
        return self.wait_for(self.port, "/metrics", *GOOD), self.cpu()

    def idle(self) -> None:
        """Wait until the durable engine is loaded, each watcher has ticked and nothing grows or works any more."""
        self.wait_for(self.port, "/metrics", b'lens_child_up{child="dispatcher"} 1.0')
        for name in ("host", "python"):
            get(self.port, f"/api/v1/watchers/{name}/trigger", b"")
        before, cpu = self.memory().rss, self.cpu()
        for _ in range(12):
            time.sleep(5.0)
            now, spent = self.memory().rss, self.cpu()
            if now - before < 500 * _KIB and spent - cpu < 1.0 and (self._folder / "lens-durable.db").exists():
                return
            before, cpu = now, spent
        raise SystemExit("it does not become idle")

    def investigate(self, number: int = 1) -> None:
        """Send one alert through the webhook and wait until it is investigated; another number is another alert."""
        labels = {"alertname": f"Bench{number}", "severity": "critical", "instance": f"127.0.0.1:{self.port}", "job": "lens"}
        started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        alert = {
            "status": "firing",
            "labels": labels,
            "annotations": {},
            "startsAt": started,
            "fingerprint": f"{self.port:08x}{number:08x}",
        }
        group = {
            "version": "4",
            "groupKey": f"bench {self.port} {number}",
            "status": "firing",
            "receiver": "lens",
            "alerts": [alert],
        }
        _, answer = get(self.port, "/webhook", json.dumps(group).encode())
        told = json.loads(answer)
        if told.get("outcome") != "accepted":
            raise SystemExit(f"the alert was not accepted: {told}")
        self.wait_for(self.port, f"/api/v1/investigations/{told['investigation']}", b'"state":"done"')


@contextmanager
def folder() -> Iterator[Path]:
    """Give a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="lens-bench-") as path:
        yield Path(path)
