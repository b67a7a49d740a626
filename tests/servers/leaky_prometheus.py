"""A local Prometheus over one process whose open files can be made to leak, and that can be told to misbehave."""

import math
import time
from typing import Any

from tests.servers.faulty import Reply, Request
from tests.servers.gate import GatedPrometheus

METRIC = "demo_open_files"


class LeakyPrometheus(GatedPrometheus):
    """Answers range queries with about a hundred open files for each instance, and 400 while they leak. `failing` answers everything."""

    def __init__(self, *instances: str) -> None:
        super().__init__()
        self._instances = instances or ("api-7:9000",)
        self._leaks: list[tuple[float, float]] = []
        self.failing: Reply | None = None

    def leak(self) -> None:
        self._leaks.append((time.time(), math.inf))

    def recover(self) -> None:
        self._leaks[-1] = (self._leaks[-1][0], time.time())

    def _answer(self, request: Request) -> Reply:
        return self.failing or super()._answer(request)

    def _matrix(self, request: Request) -> list[dict[str, Any]]:
        start, end, step = (float(request.form[name][0]) for name in ("start", "end", "step"))
        times = [start + i * step for i in range(round((end - start) / step) + 1)]
        values = [[at, str(self._files(at))] for at in times]
        return [{"metric": {"__name__": METRIC, "instance": instance}, "values": values} for instance in self._instances]

    def _files(self, at: float) -> int:
        leaks = any(begin <= at < end for begin, end in self._leaks)
        return 400 if leaks else 95 + int(at) * 7919 % 11


def watcher(name: str, **settings: Any) -> dict[str, Any]:
    """Configure a watcher of that metric that looks once a second."""
    metrics = {"open_files": {"query": METRIC, "direction": "up", "category": "files"}}
    learnt = {"window": "10m", "step": "1s"}
    return {"name": name, "lens": "promql", "schedule": "* * * * * */1", **learnt, "metrics": metrics, **settings}
