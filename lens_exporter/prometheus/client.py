"""Questions to one server that speaks the Prometheus HTTP API: Prometheus 2.x and 3.x, Thanos, Mimir, VictoriaMetrics."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import orjson

from lens_exporter.errors import BadAnswer, ConcurrencyReached, QueryError, RemoteTimeout
from lens_exporter.foundation.clock import Clock, wall
from lens_exporter.foundation.http import Answer, Endpoint
from lens_exporter.prometheus import cost, parse, table
from lens_exporter.prometheus.answers import ActiveAlert, MetricMetadata, QueryAnswer, SeriesAnswer, ServerRule, Table
from lens_exporter.prometheus.cost import QueryLimits

# 400 bad_data and 422 execution carry a JSON error that says what is wrong with the query.
_SPOKEN_REFUSALS = (400, 422)
_SHOWN_CHARACTERS = 120


class Prometheus:
    """One server. At most `limits.concurrency` requests are in flight; the others wait their turn, for as long as one may take."""

    def __init__(self, endpoint: Endpoint, limits: QueryLimits, *, clock: Clock = wall) -> None:
        self._endpoint = endpoint
        self._limits = limits
        self._clock = clock
        self._turns = threading.BoundedSemaphore(limits.concurrency)
        self._begun: dict[int, float] = {}  # when each query in flight began, by its thread
        # The server is told to give up a little before we do, so that its own words for it reach us.
        self._server_timeout = f"{limits.timeout * 0.9:g}"

    @property
    def url(self) -> str:
        return self._endpoint.url

    @property
    def limits(self) -> QueryLimits:
        return self._limits

    def query(self, query: str, at: float | None = None, *, series: int | None = None) -> QueryAnswer:
        """Evaluate an expression at one time (default: now). `series` is the number per selector where it is known.

        Raises:
            QueryTooExpensive: before sending, when the estimate is above the limits.
            QueryError: the server refused the query.
            RemoteError: its subclasses say how the server failed.

        """
        cost.check_instant(query, self._limits, series)
        moment = self._clock() if at is None else at
        form = {"query": query, "time": f"{moment:.3f}", "timeout": self._server_timeout}
        answer, warnings = self._evaluate("/api/v1/query", form, query)
        with self._protocol():
            return parse.query_answer(answer, warnings, self._limits.max_series)

    def query_range(self, query: str, start: float, end: float, step: float, *, series: int | None = None) -> QueryAnswer:
        """Evaluate an expression from start to end (Unix seconds, both included) every `step` seconds.

        Raises:
            QueryTooExpensive: before sending; says which step would fit.
            QueryError, RemoteError: as query().

        """
        answer, warnings = self.range_table(query, start, end, step, series=series)
        with self._protocol():
            return parse.query_answer(answer, warnings, self._limits.max_series)

    def range_table(
        self, query: str, start: float, end: float, step: float, *, series: int | None = None
    ) -> tuple[Table, tuple[str, ...]]:
        """Evaluate as query_range; give the whole answer as columns, with its warnings. max_series cuts nothing here."""
        cost.check_range(query, start, end, step, self._limits, series)
        form = {
            "query": query,
            "start": f"{start:.3f}",
            "end": f"{end:.3f}",
            "step": f"{step:.3f}",
            "timeout": self._server_timeout,
        }
        return self._evaluate("/api/v1/query_range", form, query)

    def series(self, match: str, start: float, end: float) -> SeriesAnswer:
        """List the label sets that match a selector and have samples between start and end (Unix seconds).

        Raises:
            QueryError, RemoteError: as query().

        """
        form = {"match[]": match, "start": f"{start:.3f}", "end": f"{end:.3f}"}
        data, warnings = self._ask("POST", "/api/v1/series", form, match)
        with self._protocol():
            return parse.label_sets(data, warnings, self._limits.max_series)

    def metadata(self, metric: str = "") -> dict[str, MetricMetadata]:
        """Give type, help and unit of one metric or of all; an unknown metric has no entry. Raises RemoteError."""
        data, _warnings = self._ask("GET", "/api/v1/metadata", {"metric": metric} if metric else {}, metric)
        with self._protocol():
            return parse.metadata(data)

    def rules(self) -> tuple[ServerRule, ...]:
        """List the server's alerting and recording rules. Raises RemoteError."""
        data, _warnings = self._ask("GET", "/api/v1/rules", {}, "")
        with self._protocol():
            return parse.rules(data)

    def alerts(self) -> tuple[ActiveAlert, ...]:
        """List the alerts that the server's own rules hold pending or firing. Raises RemoteError."""
        data, _warnings = self._ask("GET", "/api/v1/alerts", {}, "")
        with self._protocol():
            return parse.active_alerts(data)

    def bad_shape(self, error: Exception) -> BadAnswer:
        """Give the error for an answer whose JSON has another shape than documented, as `error` says."""
        return self._bad(f"JSON of an unknown shape: {type(error).__name__} {error}")

    def _evaluate(self, path: str, form: Mapping[str, str], query: str) -> tuple[Table, tuple[str, ...]]:
        data, warnings = self._ask("POST", path, form, query)
        with self._protocol():
            answer = data if isinstance(data, Table) else table.of(data)
            return answer, (*warnings, *parse.left_out(answer))

    def _ask(self, method: str, path: str, fields: Mapping[str, str], query: str) -> tuple[Any, tuple[str, ...]]:
        sent = {"form": fields} if method == "POST" else {"params": fields}
        decoded: list[dict[str, Any]] = []
        with self._turn():
            self._endpoint.request(
                method,
                path,
                timeout=self._limits.timeout,
                accept=_SPOKEN_REFUSALS,
                check=lambda answer: decoded.append(self._decode(answer)),
                repeatable=True,  # also by POST, which is for queries too long for a URL
                **sent,
            )
        (body,) = decoded
        if body.get("status") == "error":
            kind, reason = str(body.get("errorType", "error")), str(body.get("error", ""))
            if kind in {"timeout", "canceled"}:
                raise RemoteTimeout(service=self._endpoint.service, url=self.url, seconds=self._limits.timeout)
            raise QueryError(kind=kind, reason=reason, query=query)
        if body.get("status") != "success" or "data" not in body:
            raise self._bad("no status and data in the JSON")
        with self._protocol():
            return body["data"], (*parse.texts(body.get("warnings")), *parse.texts(body.get("infos")))

    def _decode(self, answer: Answer) -> dict[str, Any]:
        shown = " ".join(answer.body[:_SHOWN_CHARACTERS].decode("utf-8", "replace").split())
        try:
            body = table.read(answer.body) or answer.json()
        except orjson.JSONDecodeError:
            kind = answer.content_type.partition(";")[0] or "no content type"
            raise self._bad(f"not JSON ({answer.status}, {kind}): {shown}") from None
        if not isinstance(body, dict):
            raise self._bad(f"not a JSON object ({answer.status}): {shown}")
        return body

    def _bad(self, reason: str) -> BadAnswer:
        return BadAnswer(service=self._endpoint.service, url=self.url, reason=reason)

    @contextmanager
    def _protocol(self) -> Iterator[None]:
        # JSON of another shape than documented is the server's fault, not a bug of ours.
        try:
            yield
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise self.bad_shape(error) from error

    @contextmanager
    def _turn(self) -> Iterator[None]:
        seconds, limit = self._limits.timeout, self._limits.concurrency
        if not self._turns.acquire(timeout=seconds):
            # Where one takes as long as it may, it is the server that hangs.
            longest = round(time.monotonic() - min(self._begun.copy().values(), default=time.monotonic()))
            where = {"service": self._endpoint.service, "url": self.url}
            error = ConcurrencyReached(**where, seconds=seconds, limit=limit, longest=longest)
            self._endpoint.count_failure(error)
            raise error
        self._begun[threading.get_ident()] = time.monotonic()
        try:
            yield
        finally:
            self._begun.pop(threading.get_ident(), None)
            self._turns.release()
