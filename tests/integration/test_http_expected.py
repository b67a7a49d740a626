"""Declaring by HTTP what is expected: every answer over a real server."""

import json

import pytest
import requests

from lens_exporter.baseline.expected import Declaration, DeclarationSource
from lens_exporter.errors import (
    DatabaseError,
    DeclarationInvalid,
    DeclarationsFull,
    DeclaredElsewhere,
    UnknownDeclaration,
    UnknownWatcher,
)
from lens_exporter.exposition import documents
from lens_exporter.model.matcher import Matcher
from tests.servers.lens_http import NOW, plain_ports, serving

pytestmark = pytest.mark.integration

SAID = Declaration(
    "01JD",
    DeclarationSource.SILENCE,
    (Matcher("instance", "api-.*", regex=True), Matcher("job", "web", equal=False)),
    NOW,
    NOW + 3600,
    "alice",
    "expected: load test",
)
WISH = {"watcher": "host", "labels": {"instance": "api-7:9000"}, "from": "2026-11-20T14:02:00Z", "to": NOW + 60, "comment": "why"}
NO_TIME = "expected Unix seconds or a time like 2026-11-20T14:02:00Z"


def raising(error):
    def port(*_arguments):
        raise error

    return port


def problem(answer, status, kind):
    assert answer.status_code == status, answer.text
    said = documents.Problem.model_validate(answer.json()).error
    assert said.type == kind
    return said.message


def post(url, body=WISH, **options):
    data = body if isinstance(body, bytes) else json.dumps(body)
    headers = {"Content-Type": "application/json", **options.pop("headers", {})}
    return requests.post(url + "/api/v1/expected", data=data, headers=headers, timeout=5)


def test_declarations_are_listed_whole():
    """Who, why, when and about whom, in the published shape."""
    with serving(plain_ports(expected=lambda: [SAID])) as url:
        listed = requests.get(url + "/api/v1/expected", timeout=5).json()
    documents.ExpectedShape.model_validate(listed)
    assert listed["expected"] == [
        {
            "id": "01JD",
            "source": "silence",
            "matchers": [
                {"name": "instance", "value": "api-.*", "is_regex": True, "is_equal": True},
                {"name": "job", "value": "web", "is_regex": False, "is_equal": False},
            ],
            "starts_at": "2026-11-20T14:02:00Z",
            "ends_at": "2026-11-20T15:02:00Z",
            "by": "alice",
            "comment": "expected: load test",
        }
    ]


def test_what_is_asked_for_is_declared():
    """The wish arrives as it was written and from whom, times in either form; the answer is the declaration and what it is about."""
    asked, counts = [], iter((0, None))
    ports = plain_ports(declare=lambda *said: asked.append(said) or SAID, covered=lambda one: next(counts) if one is SAID else 9)
    with serving(ports) as url:
        answer = post(url, headers={"X-Forwarded-For": "10.9.9.9", "Authorization": "Basic YWxpY2U6cHc="})
        assert answer.status_code == 201
        made = documents.AskedShape.model_validate(answer.json())
        assert (made.id, made.series) == ("01JD", 0)
        other = post(url, {key: value for key, value in WISH.items() if key != "comment"} | {"labels": {}, "from": str(NOW)})
        assert other.json()["series"] is None
    who = "API from 127.0.0.1"  # the other end of the connection: whatever the headers say, nobody has checked it
    assert asked == [("host", {"instance": "api-7:9000"}, NOW, NOW + 60, "why", who), ("host", {}, NOW, NOW + 60, "", who)]


def test_one_is_taken_back_by_its_id():
    """The answer shows what was said."""
    asked = []
    with serving(plain_ports(withdraw=lambda id_: asked.append(id_) or SAID)) as url:
        answer = requests.delete(url + "/api/v1/expected/01JD", timeout=5)
        documents.DeclaredShape.model_validate(answer.json())
    assert (answer.status_code, asked) == (200, ["01JD"])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"watcher": None}, "watcher: "),
        ({"watcher": 7}, "watcher: "),
        ({"labels": {"instance": 7}}, "labels.instance: "),
        ({"labels": ["instance"]}, "labels: "),
        *(({"from": given}, f"from: {NO_TIME}") for given in ("yesterday", True, None, [], {"at": 1})),
        ({"to": "nan"}, f"to: {NO_TIME}"),
        ({"untill": 5}, "untill: "),
        ({"comment": 5}, "comment: "),
    ],
)
def test_a_body_that_cannot_be_read_is_400_and_names_the_field(change, named):
    """Nothing is declared by a body that says something else than was meant."""
    with serving(plain_ports()) as url:
        assert named in problem(post(url, WISH | change), 400, "declaration_invalid")


@pytest.mark.parametrize("missing", ["watcher", "labels", "from", "to"])
def test_what_is_missing_is_named(missing):
    """Each field but the comment has to be there."""
    with serving(plain_ports()) as url:
        body = {key: value for key, value in WISH.items() if key != missing}
        assert problem(post(url, body), 400, "declaration_invalid") == f"{missing}: Field required"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"watcher": "\\ud800"}'])
def test_what_is_no_json_object_is_400(body):
    """Never a 500."""
    with serving(plain_ports()) as url:
        problem(post(url, body), 400, "declaration_invalid")


def test_limits_of_a_body_are_those_of_a_webhook():
    """Too large, of another type, compressed, from a page of another site."""
    with serving(plain_ports(), max_body_bytes=1000) as url:
        assert problem(post(url, b" " * 2000), 413, "body_too_large") == "the body has more than 1000 bytes"
        problem(post(url, headers={"Content-Type": "text/plain"}), 415, "unsupported_media_type")
        problem(post(url, headers={"Content-Encoding": "gzip"}), 415, "unsupported_media_type")
        problem(post(url, headers={"Sec-Fetch-Site": "cross-site"}), 403, "cross_site")


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (UnknownWatcher(name="nope", known="host"), 404, "unknown_watcher"),
        (DeclarationInvalid(what="to", reason="too long"), 400, "declaration_invalid"),
        (DeclarationsFull(limit=1000, whose=""), 409, "declarations_full"),
        (DatabaseError(url="sqlite:///x", reason="locked"), 503, "database_error"),
    ],
)
def test_a_wish_that_is_not_granted_says_why(error, status, kind):
    """Each reason has its code, and the message of the error."""
    with serving(plain_ports(declare=raising(error))) as url:
        assert problem(post(url), status, kind) == str(error)


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (UnknownDeclaration(id="x"), 404, "unknown_declaration"),
        (DeclaredElsewhere(id="x"), 409, "declared_elsewhere"),
        (DatabaseError(url="sqlite:///x", reason="locked"), 503, "database_error"),
    ],
)
def test_what_cannot_be_taken_back_says_why(error, status, kind):
    """A silence is expired where it was made."""
    with serving(plain_ports(withdraw=raising(error), expected=raising(error))) as url:
        assert problem(requests.delete(url + "/api/v1/expected/x", timeout=5), status, kind) == str(error)
        assert requests.get(url + "/api/v1/expected", timeout=5).status_code == status


def test_openapi_describes_the_routes_and_the_body():
    """Who generates a client gets the names that are sent."""
    with serving(plain_ports()) as url:
        paths = requests.get(url + "/api/v1/openapi.json", timeout=5).json()["paths"]
    assert set(paths["/api/v1/expected"]) == {"get", "post"}
    assert set(paths["/api/v1/expected/{id}"]) == {"delete"}
    declare = paths["/api/v1/expected"]["post"]
    schema = declare["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["properties"]) == {"watcher", "labels", "from", "to", "comment"}
    assert set(schema["required"]) == {"watcher", "labels", "from", "to"}
    assert {"201", "400", "404", "408", "409", "413", "415", "503"} <= set(declare["responses"])
