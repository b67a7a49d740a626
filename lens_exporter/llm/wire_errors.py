"""What went wrong on the way to a model, in lens-exporter's own errors. Imported only after the SDKs have been."""

import concurrent.futures
from collections.abc import Callable, Iterator

from pydantic_ai import exceptions as foreign

from lens_exporter.errors import LensError, ModelError, ModelOverloaded, ModelTimeout, ModelUnavailable
from lens_exporter.llm.transport import AnswerTooLong

_REASON_CHARACTERS = 300
_OVERLOADED = {429, 503, 529}
_PASSING = {408, 409, 425}  # 4xx that another try may not meet


def translate(error: Exception, *, client: str, seconds: float, clean: Callable[[str], str]) -> LensError:
    """Name a failed call. `clean` takes secrets out of what the server said (a provider may echo the key it refused)."""

    def told(text: object) -> str:
        return clean(" ".join(str(text).split()))[:_REASON_CHARACTERS]

    match error:
        case LensError():
            return error
        case TimeoutError() | foreign.ModelTimeoutError() | foreign.ModelRequestTimeout():
            return ModelTimeout(client=client, seconds=round(seconds, 1))
        case concurrent.futures.CancelledError():
            return ModelError(client=client, reason="lens-exporter is stopping")
        case foreign.ModelQuotaExceededError():
            return ModelError(client=client, reason=f"the account's quota or credit is used up: {told(_said(error))}")
        case foreign.ModelHTTPError():
            return _by_status(error, client, told(_said(error)))
    too_long = next((cause for cause in _causes(error) if isinstance(cause, AnswerTooLong)), None)
    if too_long is not None:
        return ModelError(client=client, reason=str(too_long))
    if isinstance(error, foreign.ModelConnectionError):
        return ModelUnavailable(client=client, reason=f"no connection: {told(_innermost(error))}")
    # What is left met an answer that is not the protocol: no JSON, or JSON of another shape.
    return ModelUnavailable(client=client, reason=f"its answer is not the protocol's: {told(error)}")


def _by_status(error: foreign.ModelHTTPError, client: str, reason: str) -> LensError:
    status = error.status_code
    if status in _OVERLOADED:
        return ModelOverloaded(client=client, status=status, reason=reason, retry_after=error.retry_after)
    if status >= 500 or status in _PASSING:
        return ModelUnavailable(client=client, reason=f"status {status}: {reason}", retry_after=error.retry_after)
    return ModelError(client=client, reason=f"the request was refused with {status}: {reason}", status=status)


def _said(error: foreign.ModelAPIError) -> object:
    body = error.body
    if isinstance(body, dict):
        inner = body.get("error", body)
        return inner.get("message", inner) if isinstance(inner, dict) else inner
    return body or error


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _innermost(error: BaseException) -> str:
    messages = [str(cause) for cause in _causes(error) if str(cause)]
    return messages[-1] if messages else type(error).__name__
