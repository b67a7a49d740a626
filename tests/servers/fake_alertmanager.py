"""A local server that speaks Alertmanager's API v2 as far as posting goes, and can be told to misbehave."""

from datetime import datetime
from typing import Any

from tests.servers.faulty import FaultyServer, Reply, Request, ok


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


class FakeAlertmanager(FaultyServer):
    """Remembers every batch it was posted. `failing` answers everything; alerts named in `refused` make their batch a 400."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.batches: list[list[dict[str, Any]]] = []
        self.failing: Reply | None = None
        self.refused: set[str] = set()

    @property
    def posted(self) -> list[dict[str, Any]]:
        return [alert for batch in self.batches for alert in batch]

    def names(self) -> list[list[str]]:
        return [[alert["labels"]["alertname"] for alert in batch] for batch in self.batches]

    def last(self) -> dict[str, Any]:
        return self.posted[-1]

    def _answer(self, request: Request) -> Reply:
        if self.failing is not None:
            return self.failing
        if request.method == "GET":
            return ok([])  # no silences
        batch = request.json()
        self.batches.append(batch)
        if any(alert["labels"]["alertname"] in self.refused for alert in batch):
            return ok("bad alert", 400)
        return Reply()
