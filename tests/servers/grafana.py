"""A local server that speaks Grafana's annotations API as far as lens-exporter uses it."""

from typing import Any

from tests.servers.faulty import FaultyServer, Reply, Request, ok


class FakeGrafana(FaultyServer):
    """Holds annotations by id. `failing` answers everything; `loses_answers` creates and then breaks the connection."""

    def __init__(self, token: str = "glsa_secret") -> None:
        super().__init__(self._answer)
        self.annotations: dict[int, dict[str, Any]] = {}
        self.failing: Reply | None = None
        self.loses_answers = False
        self._token = token

    def _answer(self, request: Request) -> Reply:
        if self.failing is not None:
            return self.failing
        if request.headers.get("Authorization") != f"Bearer {self._token}":
            return ok({"message": "Unauthorized"}, 401)
        head, _, identity = request.path.rpartition("/api/annotations")[2].partition("/")
        assert not head
        if request.method == "GET":
            wanted = set(request.params["tags"])
            return ok([{"id": key, **held} for key, held in self.annotations.items() if wanted <= set(held["tags"])][:1])
        if request.method == "POST":
            key = len(self.annotations) + 1
            self.annotations[key] = request.json()
            return Reply(b'{"id": 1, "message": "Annotation added"}', half=True) if self.loses_answers else ok({"id": key})
        if int(identity) not in self.annotations:
            return ok({"message": "Annotation not found"}, 404)
        self.annotations[int(identity)] |= request.json()
        return ok({"message": "Annotation patched"})
