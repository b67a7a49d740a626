"""One outside HTTP service: a session, its credentials, its limits, its breaker. The one place where HTTP is retried."""

import time
from base64 import b64encode
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast
from urllib.parse import urlsplit

import orjson
import requests
import structlog
from opentelemetry.trace import Span
from urllib3.util.retry import Retry
from urllib3.util.timeout import Timeout

from lens_exporter.errors import (
    AnswerTooLarge,
    BadAnswer,
    LensError,
    RemoteError,
    RemoteRefused,
    RemoteTimeout,
    RemoteUnavailable,
    Unreachable,
)
from lens_exporter.foundation import conventions, tracing
from lens_exporter.foundation.breaker import CircuitBreaker
from lens_exporter.foundation.credentials import sent_secrets, without
from lens_exporter.foundation.deadline import DeadlineAdapter, KeptConnectionEnded, hang_up_after
from lens_exporter.foundation.logs import without_secrets
from lens_exporter.foundation.telemetry import Telemetry

_log = structlog.get_logger("lens_exporter.remote")

_CHUNK = 64 * 1024
_REASON_CHARACTERS = 300
_READ_BYTES = 4096  # of an error page, when secrets are looked for
_CONNECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """How we show who we are. bearer and basic are called per request, so a rotated secret file is picked up."""

    headers: Mapping[str, str] = field(default_factory=dict)  # tenant header and other constants
    bearer: Callable[[], str] | None = None
    basic: Callable[[], tuple[str, str]] | None = None
    ca_file: str | None = None
    client_cert: tuple[str, str] | None = None
    verify: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    content_type: str

    def json(self) -> Any:
        """Parse the body. Raises orjson.JSONDecodeError."""
        return orjson.loads(self.body)


class Endpoint:
    """Requests to one configured base URL. Redirects are not followed: they would take credentials to another host."""

    def __init__(
        self,
        service: str,
        url: str,
        *,
        telemetry: Telemetry,
        breaker: CircuitBreaker,
        credentials: Credentials | None = None,
        timeout: float = 30.0,
        max_bytes: int = 64 * 1024 * 1024,
        connect_retries: int = 1,
    ) -> None:
        self.service = service
        self.url = url.rstrip("/")
        self._telemetry = telemetry
        self._breaker = breaker
        self._credentials = credentials or Credentials()
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._connect_retries = connect_retries
        self._session = self._open()

    def _open(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False  # the environment is read in one file; no .netrc, no surprise proxy
        # Connection errors only: a query that timed out once must not be put on the server twice. `read` would repeat that too.
        retry = Retry(total=None, connect=self._connect_retries, read=0, status=0, redirect=0, other=0, backoff_factor=0.2)
        for scheme in ("http://", "https://"):
            session.mount(scheme, DeadlineAdapter(max_retries=retry))
        if self._credentials.client_cert:
            session.cert = self._credentials.client_cert
        session.verify = (self._credentials.ca_file or True) if self._credentials.verify else False
        return session

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        form: Mapping[str, Any] | list[tuple[str, Any]] | None = None,
        json: Any = None,
        timeout: float | None = None,
        accept: Collection[int] = (),
        check: Callable[[Answer], object] | None = None,
        repeatable: bool | None = None,
    ) -> Answer:
        """Send one request and read its answer whole, within `timeout` seconds in all.

        One that is `repeatable`, which is what does no harm when it arrives twice (by itself only GET), is sent once more, on a
        new connection, where a kept one ended without an answer.

        An answer of 2xx, or with a status in `accept`, is returned; every other one is raised. `check` may raise BadAnswer for
        one that is not the service's protocol; inside the guarded call, so that it counts as the service's failure.

        Raises:
            Unreachable, RemoteTimeout, RemoteUnavailable (5xx, 429), RemoteRefused (other 4xx, redirects), AnswerTooLarge,
            BadAnswer (connection broken inside the body), BreakerOpen.

        """
        try:
            with self._breaker.call(counts=_held_against_the_service):
                headers = self._headers(json is not None)
                with self._told(method, path) as asking, self._counted():
                    headers |= tracing.propagated()
                    data = orjson.dumps(json) if json is not None else form
                    asked = requests.Request(method, self.url + path, params=params, data=data, headers=headers)
                    again = method == "GET" if repeatable is None else repeatable
                    answer = self._send(asked, timeout or self._timeout, accept, again)
                    asking.set_attribute(conventions.HTTP_STATUS, answer.status)
                if check is not None:
                    check(answer)
                return answer
        except LensError as error:
            self.count_failure(error)
            raise

    def count_failure(self, error: LensError) -> None:
        """Count a request that failed, or that its client did not send."""
        self._telemetry.inc("lens_remote_requests_failed_total", service=self.service, error=type(error).__name__)

    def _send(self, asked: requests.Request, timeout: float, accept: Collection[int], repeatable: bool) -> Answer:
        deadline = time.monotonic() + timeout
        hide = partial(_hidden, tuple(sent_secrets(asked.headers)))
        try:
            try:
                response, body = self._exchange(self._session, asked, deadline)
            except requests.ConnectionError as error:
                if not (repeatable and _kept_connection_ended(error) and time.monotonic() < deadline):
                    raise
                _log.debug("a kept connection ended, asking again on a new one", service=self.service, url=self.url)
                with self._open() as fresh:  # others of the old session's may have ended as well
                    response, body = self._exchange(fresh, asked, deadline)
        except requests.ConnectTimeout as error:
            reason = f"no connection within {min(timeout, _CONNECT_SECONDS):g} s"
            raise Unreachable(service=self.service, url=self.url, reason=reason) from error
        except requests.RequestException as error:
            if isinstance(error, requests.Timeout) or time.monotonic() >= deadline:
                raise RemoteTimeout(service=self.service, url=self.url, seconds=timeout) from error
            raise self._broken(error, hide) from None  # the library's own error may quote the server, which may quote us
        if time.monotonic() >= deadline:  # hung up on; what was read may be a part that looks like a whole
            raise RemoteTimeout(service=self.service, url=self.url, seconds=timeout)
        if 200 <= response.status_code < 300 or response.status_code in accept:
            kept = body if response.ok else without(body, sent_secrets(asked.headers))
            return Answer(response.status_code, kept, response.headers.get("Content-Type", ""))
        raise self._refusal(response, body[:_READ_BYTES].decode("utf-8", "replace"), hide)

    def _exchange(self, session: requests.Session, asked: requests.Request, deadline: float) -> tuple[requests.Response, bytes]:
        left = max(deadline - time.monotonic(), 0.001)  # urllib3 takes nothing below
        # requests hands an urllib3 Timeout on as it is; its annotation does not know.
        timeout = cast("Any", Timeout(total=left, connect=min(left, _CONNECT_SECONDS)))
        prepared = session.prepare_request(asked)
        with session.send(prepared, timeout=timeout, allow_redirects=False, stream=True) as response:
            return response, self._read(response, deadline)

    def _told(self, method: str, path: str) -> AbstractContextManager[Span]:
        host = urlsplit(self.url).hostname or ""
        facts = {conventions.HTTP_METHOD: method, conventions.SERVER_ADDRESS: host, conventions.URL_PATH: path}
        return tracing.asking(f"{method} {self.service}", facts)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        # Only around what is sent: not when the breaker refuses, nor when a secret cannot be read.
        self._telemetry.inc("lens_remote_requests_total", service=self.service)
        started = time.monotonic()
        try:
            yield
        finally:
            self._telemetry.observe("lens_remote_request_duration_seconds", time.monotonic() - started, service=self.service)

    def _headers(self, sends_json: bool) -> dict[str, str | bytes]:
        headers: dict[str, str | bytes] = {"User-Agent": "lens-exporter", "Accept": "application/json", **self._credentials.headers}
        if sends_json:
            headers["Content-Type"] = "application/json"
        # As bytes: text would be encoded further down, where a failure shows the secret.
        if self._credentials.bearer:
            headers["Authorization"] = b"Bearer " + self._credentials.bearer().encode()
        elif self._credentials.basic:
            headers["Authorization"] = b"Basic " + b64encode(":".join(self._credentials.basic()).encode())
        return headers

    def _read(self, response: requests.Response, deadline: float) -> bytes:
        body = bytearray()
        with hang_up_after(deadline - time.monotonic(), response.raw.shutdown):
            for chunk in response.iter_content(_CHUNK):
                body += chunk
                if len(body) > self._max_bytes:
                    raise AnswerTooLarge(service=self.service, url=self.url, limit=self._max_bytes)
        return bytes(body)

    def _broken(self, error: requests.RequestException, hide: Callable[[str], str]) -> RemoteError:
        if isinstance(error, requests.exceptions.ChunkedEncodingError):
            return BadAnswer(service=self.service, url=self.url, reason="the connection broke inside the answer")
        kind = Unreachable if isinstance(error, requests.ConnectionError) else BadAnswer
        return kind(service=self.service, url=self.url, reason=hide(_innermost(error)))

    def _refusal(self, response: requests.Response, body: str, hide: Callable[[str], str]) -> RemoteError:
        reason = hide(" ".join(body.split()) or response.reason or "")[:_REASON_CHARACTERS]
        if response.is_redirect:
            reason = f"redirects to {hide(response.headers['Location'])}, which is not followed; configure that address"
        kind = RemoteUnavailable if response.status_code >= 500 or response.status_code == 429 else RemoteRefused
        return kind(service=self.service, url=self.url, status=response.status_code, reason=reason)


def _hidden(secrets: Iterable[bytes], said: str) -> str:
    """Copy what a server said without what it was sent, and without what looks like a secret of its own."""
    return without_secrets(without(said.encode("utf-8", "replace"), secrets).decode("utf-8", "replace"))


def _held_against_the_service(error: Exception) -> bool | None:
    # Anything but a RemoteError (a secret that cannot be read) happened before the service was asked.
    return error.retryable if isinstance(error, RemoteError) else None


def _kept_connection_ended(error: BaseException) -> bool:
    return any(isinstance(each, KeptConnectionEnded) for each in _causes(error))


def _innermost(error: BaseException) -> str:
    *_, last = _causes(error)
    return getattr(last, "strerror", None) or str(last) or type(last).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    # requests wraps urllib3, which wraps http.client or the system's error; the last one says it in words.
    inner: BaseException | None = error
    while inner is not None:
        yield inner
        given = (getattr(inner, "reason", None), inner.__cause__, *inner.args)
        inner = next((each for each in given if isinstance(each, BaseException)), None)
