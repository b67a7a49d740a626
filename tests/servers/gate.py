"""A local Prometheus and Alertmanager that can hold a request for ever, so that a test knows what is under way when it kills."""

import json
import re
import threading
import time
from collections.abc import Callable
from typing import Any

from tests.servers.fake_alertmanager import FakeAlertmanager
from tests.servers.faulty import FaultyServer, Reply, Request, ok


class Gate:
    """Holds the first request for which `stops` is true until it is opened; says when one has arrived."""

    def __init__(self) -> None:
        self.stops: Callable[[Request], bool] = lambda _request: False
        self.arrived = threading.Event()
        self._open = threading.Event()

    def close_for(self, stops: Callable[[Request], bool]) -> None:
        self.stops = stops

    def open(self) -> None:
        self.stops = lambda _request: False
        self._open.set()

    def pass_through(self, request: Request) -> None:
        if self.stops(request):
            self.arrived.set()
            self._open.wait()


class GatedPrometheus(FaultyServer):
    """Answers every range query with one series that climbed from 61 to 1,480, and every other question with nothing.

    It climbed for fifteen minutes up to two before this server was made: however its past is asked for, in one question or in
    several, it is the same.
    """

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.gate = Gate()
        self._climbed = time.time() - 120

    def _answer(self, request: Request) -> Reply:
        self.gate.pass_through(request)
        if request.path.endswith("/query_range"):
            return ok({"status": "success", "data": {"resultType": "matrix", "result": self._matrix(request)}})
        if request.path.endswith("/query"):
            return ok({"status": "success", "data": {"resultType": "vector", "result": []}})
        empty: Any = {"groups": []} if "rules" in request.path else {} if "metadata" in request.path else []
        return ok({"status": "success", "data": empty})

    def _matrix(self, request: Request) -> list[dict[str, Any]]:
        start, end, step = (float(request.form[name][0]) for name in ("start", "end", "step"))
        times = [start + i * step for i in range(int((end - start) / step) + 1)]
        shares = [min(1.0, max(0.0, 1 - (self._climbed - at) / 900)) for at in times]
        name = re.match(r"[a-z_:]+", request.form["query"][0])
        labels = {"__name__": name.group() if name else "x", "instance": "api-7:9000"}
        values = [str(round(61 + (1480 - 61) * share)) for share in shares]
        return [{"metric": labels, "values": list(map(list, zip(times, values, strict=True)))}]


class GatedAlertmanager(FakeAlertmanager):
    """Takes alerts, lists none, and can hold a post back."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate()

    def _answer(self, request: Request) -> Reply:
        if request.method == "GET":
            return ok([])
        self.gate.pass_through(request)
        return super()._answer(request)

    def companions(self) -> set[str]:
        """The different companions that were ever accepted, each as its labels."""
        found = [alert["labels"] for alert in self.posted if alert["labels"]["alertname"] == "LensInvestigation"]
        return {json.dumps(labels, sort_keys=True) for labels in found}
