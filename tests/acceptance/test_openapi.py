"""The OpenAPI document is true: a program that reads it is never surprised."""

import pytest

from tests.servers.openapi_fuzz import fuzz, running

pytestmark = pytest.mark.acceptance


def test_every_answer_is_documented_and_none_is_a_fault(tmp_path):
    """Right and wrong requests to every operation: no 5xx, and each answer has a status, a type and a shape that the document names."""
    with running(tmp_path) as lens:
        answers = fuzz(lens, 320, seed=1)
        log = lens.tail()
    assert sum(answers.values()) > 200
    operations = {answer.rsplit(" ", 1)[0] for answer in answers}
    assert {
        "POST /webhook",
        "POST /api/v1/expected",
        "DELETE /api/v1/expected/{id}",
        "POST /-/reload",
        "GET /api/v1/events",
    } <= operations
    assert any(answer == "POST /webhook 200" for answer in answers)
    assert not {answer for answer in answers if answer.rsplit(" ", 1)[1] in {"401", "403", "429"}}
    assert "Traceback" not in log
