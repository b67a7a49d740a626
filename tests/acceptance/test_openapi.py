"""The OpenAPI document is true: a program that reads it is never surprised."""

import pytest

from tests.servers.openapi_fuzz import Fuzz, running

pytestmark = pytest.mark.acceptance


def test_every_answer_is_documented_and_none_is_a_fault(tmp_path):
    """Right and wrong requests to every operation: no 5xx, and each answer has a status, a type and a shape that the document names."""
    with running(tmp_path) as lens:
        answers = Fuzz(lens, seed=1).send(160)
        log = lens.tail()
    assert answers.total() >= 160
    operations = {answer.rsplit(" ", 1)[0] for answer in answers}
    assert {
        "POST /webhook",
        "POST /api/v1/expected",
        "DELETE /api/v1/expected/{id}",
        "POST /-/reload",
        "GET /api/v1/events",
    } <= operations
    assert {
        "POST /webhook 200",
        "POST /api/v1/watchers/{name}/trigger 202",
        "GET /api/v1/investigations/{id} 200",
        "POST /api/v1/expected 201",
        "DELETE /api/v1/expected/{id} 200",
    } <= set(answers)
    assert not {answer for answer in answers if answer.rsplit(" ", 1)[1] in {"401", "403", "429"}}
    assert "Traceback" not in log
