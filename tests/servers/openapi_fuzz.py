"""Requests made from the OpenAPI document, right ones and wrong ones, against a lens-exporter that runs: by schemathesis."""

import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import seed as seeded
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from tests.servers.faulty import FaultyServer, ok
from tests.servers.lens_process import LensProcess

TOKEN = "f0" * 16
EVERYBODY = {"webhook": 10**9, "admin": 10**9, "failed_logins": 10**9}
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
WATCHER = "host"
_PLAIN = 3  # requests to an operation that takes nothing: they are all the same
_ROUNDS = 20  # hypothesis may run out of ideas before it has sent as many as it may


@contextmanager
def running(folder: Path) -> Iterator[LensProcess]:
    """Run lens-exporter over a Prometheus that has nothing, with a token that may do everything and no limit to how often."""
    with FaultyServer(ok({"status": "success", "data": {"resultType": "matrix", "result": []}})) as prometheus:
        token = {"name": "fuzz", "token_env": "TOKEN", "scopes": ["webhook", "read", "admin"]}
        config = {
            "prometheus": {"url": prometheus.url},
            "watchers": [{WATCHER: "0 0 1 1 *"}],
            "web": {"tokens": [token], "rate_limits": EVERYBODY},
            "investigate": {"max_queue": 1_000_000, "debounce": "1h"},
        }
        showing = {"headers": {"Authorization": f"Bearer {TOKEN}"}}
        with LensProcess(
            folder, config, environment={"TOKEN": TOKEN}, showing=showing, flags=["--log.level=error"]
        ).start() as lens:
            yield lens


class Fuzz:
    """Sends requests to one lens-exporter and counts how often each operation was answered with what.

    Every second request is about something that is there: a name that nobody has says nothing of what happens behind it.
    """

    def __init__(self, lens: LensProcess, seed: int) -> None:
        self.answers: Counter[str] = Counter()
        self._seed = seed
        self._headers = {"Authorization": f"Bearer {TOKEN}"}
        self._schema = schemathesis.openapi.from_url(lens.url + "/api/v1/openapi.json", headers=self._headers)
        self._session = requests.Session()
        self._session.trust_env = False
        self._known = {"declaration": deque[str](["01JD"]), "investigation": deque[str](["01JD"])}

    def send(self, count: int) -> Counter[str]:
        """Send at least `count`, as many for each operation that takes something.

        Raises:
            FailureGroup: an answer was a 5xx, or is not in the document as it came.

        """
        # What makes something first, so that there is something to ask for.
        found = sorted((each.ok() for each in self._schema.get_all_operations()), key=lambda each: each.method != "post")
        taking = [each for each in found if each.body or each.query or each.path_parameters]
        for operation in found:
            if operation not in taking:
                self._run(operation, GenerationMode.POSITIVE, 1, repeated=_PLAIN)
        modes = [(each, mode) for each in taking for mode in _modes(each)]
        left = count - self.answers.total()
        for operation, mode in modes:
            self._run(operation, mode, -(-left // len(modes)))
        self._session.close()
        return self.answers

    def _run(self, operation: Any, mode: GenerationMode, count: int, *, repeated: int = 1) -> None:
        sent = 0

        def ask(case: Any) -> None:
            nonlocal sent
            if sent % 2:
                self._about_something(case)
            for _ in range(repeated):
                answer = case.call(session=self._session, headers=self._headers, timeout=30)
                sent += 1
                self.answers[f"{operation.method.upper()} {operation.path} {answer.status_code}"] += 1
                case.validate_response(answer, checks=CHECKS)
                self._learn(operation.path, answer)

        for number in range(_ROUNDS):
            if sent >= count:
                return
            left = settings(max_examples=count - sent, database=None, deadline=None, suppress_health_check=list(HealthCheck))
            seeded(self._seed + number)(left(given(operation.as_strategy(generation_mode=mode))(ask)))()

    def _about_something(self, case: Any) -> None:
        if case.path_parameters:
            kind = "investigation" if "investigations" in case.path else "declaration"
            known = WATCHER if "name" in case.path_parameters else self._known[kind][0]
            case.path_parameters = dict.fromkeys(case.path_parameters, known)
            self._known[kind].rotate()
        if isinstance(case.body, dict) and "watcher" in case.body:
            now = time.time()
            case.body = {**case.body, "watcher": WATCHER, "labels": {}, "from": now, "to": now + 600}

    def _learn(self, path: str, answer: requests.Response) -> None:
        if path == "/api/v1/expected" and answer.status_code == 201:
            self._known["declaration"].appendleft(answer.json()["id"])
        if path == "/webhook" and answer.status_code == 200 and (made := answer.json().get("investigation")):
            self._known["investigation"].appendleft(made)


def _modes(operation: Any) -> list[GenerationMode]:
    # A path takes any text: there is nothing wrong to put into it.
    wrong = operation.body or operation.query
    return [GenerationMode.POSITIVE, GenerationMode.NEGATIVE] if wrong else [GenerationMode.POSITIVE]
