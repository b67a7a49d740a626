"""The OpenAPI document with what the gate adds to every route: how to show who you are, and how it refuses."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI

from lens_exporter.model.access import needed

_SCHEMES: Final[Mapping[str, Any]] = {
    "token": {"type": "http", "scheme": "bearer", "description": "a token of web.tokens with the scope of the route"},
    "user": {"type": "http", "scheme": "basic", "description": "a user of the web config file"},
}
_PROBLEM: Final[Mapping[str, Any]] = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
# What is read of an Alertmanager's body; whatever else is in it is accepted.
_TEXTS: Final = {"type": "object", "additionalProperties": {"type": "string"}}
WEBHOOK_BODY: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["version", "groupKey", "alerts"],
    "properties": {
        "version": {"const": "4"},
        "groupKey": {"type": "string", "minLength": 1},
        "status": {"enum": ["firing", "resolved"]},
        "receiver": {"type": "string"},
        "externalURL": {"type": "string"},
        "truncatedAlerts": {"type": "integer", "minimum": 0},
        "groupLabels": _TEXTS,
        "alerts": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["status", "labels", "startsAt"],
                "properties": {
                    "status": {"enum": ["firing", "resolved"]},
                    "labels": _TEXTS,
                    "annotations": _TEXTS,
                    "startsAt": {"type": "string", "format": "date-time"},
                    "endsAt": {"type": "string", "format": "date-time"},
                    "generatorURL": {"type": "string"},
                    "fingerprint": {"type": "string"},
                },
            },
        },
    },
}
_METHODS: Final = {"get", "post", "put", "delete", "head", "options", "patch"}


def describe_access(app: FastAPI) -> None:
    """Make the application's description say it."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _with_access(plain())
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's own way to extend it


def _with_access(document: dict[str, Any]) -> dict[str, Any]:
    document.setdefault("components", {})["securitySchemes"] = dict(_SCHEMES)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            scope = needed(method.upper(), path)
            if method not in _METHODS or scope is None:
                continue
            operation["security"] = [{"token": [scope.value]}, {"user": []}, {}]
            answers = operation["responses"]
            # FastAPI's own answer to a bad parameter is not given here: it is 400, in the shape of all others.
            answers.pop("422", None)
            refusals = {
                "401": "Nobody known showed who they are",
                "403": f"Not allowed: it takes the scope {scope.value}",
                "429": "Too many of these in a minute; Retry-After says when to ask again",
            }
            for code, words in refusals.items():
                answers.setdefault(code, {"description": words, "content": dict(_PROBLEM)})
    return document
