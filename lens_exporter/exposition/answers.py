"""How errors become answers: one JSON shape, {"error": {"type": ..., "message": ...}}, with the code that fits."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from lens_exporter import errors

RETRY_AFTER = 10  # seconds; Alertmanager asks again on its own schedule, others are told

_STATUS: Mapping[type[errors.LensError], int] = {
    errors.BadWebhook: 400,
    errors.BodyTooLarge: 413,
    errors.UnknownWord: 400,
    errors.UnknownWatcher: 404,
    errors.UnknownInvestigation: 404,
    errors.DeclarationInvalid: 400,
    errors.UnknownDeclaration: 404,
    errors.DeclaredElsewhere: 409,
    errors.DeclarationsFull: 409,
}
_WORDS = {400: "bad_request", 404: "not_found", 405: "method_not_allowed"}


def document(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer JSON."""
    body = orjson.dumps(content, default=str, option=orjson.OPT_NON_STR_KEYS)
    return Response(body, status, headers, "application/json")


def problem(
    status: int, kind: str, message: str, *, headers: Mapping[str, str] | None = None, reasons: Sequence[str] | None = None
) -> Response:
    """Answer an error in the one shape all of them have."""
    more = {} if reasons is None else {"reasons": list(reasons)}
    if status == 503:
        headers = {"Retry-After": str(RETRY_AFTER), **(headers or {})}
    return document({"error": {"type": kind, "message": message, **more}}, status, headers)


def status_of(error: errors.LensError) -> int:
    """Pick the code for one of our errors: 503 when asking again can help, 500 when it is ours to mend."""
    for kind in type(error).__mro__:
        if kind in _STATUS:
            return _STATUS[kind]
    return 503 if error.retryable else 500


def kind_of(error: BaseException) -> str:
    """Name an error in snake_case: UnknownWatcher is unknown_watcher."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).lower()


async def on_lens_error(_request: Request, error: Exception) -> Response:
    """Answer one of our own errors."""
    if not isinstance(error, errors.LensError):
        raise error
    return problem(status_of(error), kind_of(error), str(error))


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answer what the router refuses: an unknown path, a method that is not served."""
    if not isinstance(error, HTTPException):
        raise error
    words = {404: f"there is nothing at {request.url.path}", 405: f"{request.method} is not served at {request.url.path}"}
    message = words.get(error.status_code, str(error.detail))
    return problem(error.status_code, _WORDS.get(error.status_code, "refused"), message, headers=error.headers)


async def on_bad_parameter(_request: Request, error: Exception) -> Response:
    """Answer a query parameter that cannot be read."""
    if not isinstance(error, RequestValidationError):
        raise error
    said = "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in error.errors())
    return problem(400, "bad_request", said)
