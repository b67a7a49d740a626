"""Requests made from the OpenAPI document, right ones and wrong ones, against a lens-exporter that runs: by schemathesis."""

from collections import Counter
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


@contextmanager
def running(folder: Path) -> Iterator[LensProcess]:
    """Run lens-exporter over a Prometheus that has nothing, with a token that may do everything and no limit to how often."""
    with FaultyServer(ok({"status": "success", "data": {"resultType": "matrix", "result": []}})) as prometheus:
        token = {"name": "fuzz", "token_env": "TOKEN", "scopes": ["webhook", "read", "admin"]}
        config = {
            "prometheus": {"url": prometheus.url},
            "watchers": [{"host": "0 0 1 1 *"}],
            "web": {"tokens": [token], "rate_limits": EVERYBODY},
            "investigate": {"max_queue": 1_000_000, "debounce": "1h"},
        }
        showing = {"headers": {"Authorization": f"Bearer {TOKEN}"}}
        with LensProcess(
            folder, config, environment={"TOKEN": TOKEN}, showing=showing, flags=["--log.level=error"]
        ).start() as lens:
            yield lens


def fuzz(lens: LensProcess, count: int, seed: int) -> Counter[str]:
    """Send about `count` requests, as many for each operation; give how often each was answered with what.

    Raises:
        FailureGroup: an answer was a 5xx, or is not in the document as it came.

    """
    headers = {"Authorization": f"Bearer {TOKEN}"}
    schema = schemathesis.openapi.from_url(lens.url + "/api/v1/openapi.json", headers=headers)
    found = [each.ok() for each in schema.get_all_operations()]
    answers: Counter[str] = Counter()
    with requests.Session() as session:
        session.trust_env = False
        for operation in found:
            for mode in _modes(operation):
                each = count // len(found) // len(_modes(operation))
                _operation(operation, mode, session, headers, each, seed, answers)
    return answers


def _modes(operation: Any) -> list[GenerationMode]:
    # A path takes any text: there is nothing wrong to put into it.
    wrong = operation.body or operation.query
    return [GenerationMode.POSITIVE, GenerationMode.NEGATIVE] if wrong else [GenerationMode.POSITIVE]


def _operation(
    operation: Any,
    mode: GenerationMode,
    session: requests.Session,
    headers: dict[str, str],
    count: int,
    seed: int,
    answers: Counter[str],
) -> None:
    @seeded(seed)
    @settings(max_examples=count, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        answer = case.call(session=session, headers=headers, timeout=30)
        answers[f"{operation.method.upper()} {operation.path} {answer.status_code}"] += 1
        case.validate_response(answer, checks=CHECKS)

    ask()
