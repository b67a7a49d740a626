"""Findings as region annotations in Grafana. One port; the HTTP API that every kept Grafana has is its one backend."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from lens_exporter.errors import BadAnswer, RemoteRefused
from lens_exporter.foundation.http import Answer, Endpoint
from lens_exporter.model.alert import AlertGroup
from lens_exporter.model.analysis import Investigated
from lens_exporter.publish import companion
from lens_exporter.publish.acceptable import shortened

_TEXT = 4000  # characters


@dataclass(frozen=True, slots=True)
class Annotation:
    """A stretch of time with a text. Times are Unix seconds; tags[1] is unique to the investigation."""

    starts_at: float
    ends_at: float
    tags: tuple[str, ...]
    text: str  # HTML, as Grafana shows it


class AnnotationPort(Protocol):
    """Where annotations go. All three raise RemoteError."""

    def find(self, tag: str) -> str | None:
        """Give the id of the annotation with this tag: there is no idempotency key, so look before creating."""

    def create(self, annotation: Annotation) -> str:
        """Give the new annotation's id."""

    def end(self, remote_id: str, ends_at: float) -> None:
        """Move the region's end. One that somebody deleted meanwhile is fine."""


class Grafana:
    """POST, GET and PATCH /api/annotations, with a service account's token in the endpoint's credentials."""

    def __init__(self, endpoint: Endpoint, *, dashboard_uid: str | None = None) -> None:
        self._endpoint = endpoint
        self._dashboard_uid = dashboard_uid

    def find(self, tag: str) -> str | None:
        found: list[str] = []
        self._endpoint.request(
            "GET",
            "/api/annotations",
            params={"tags": tag, "limit": 1, "type": "annotation"},
            check=lambda answer: found.extend(self._id(entry, answer) for entry in self._json(answer, list)),
        )
        return found[0] if found else None

    def create(self, annotation: Annotation) -> str:
        body: dict[str, Any] = {
            "time": _milliseconds(annotation.starts_at),
            "timeEnd": _milliseconds(annotation.ends_at),
            "tags": list(annotation.tags),
            "text": annotation.text,
        }
        if self._dashboard_uid:
            body["dashboardUID"] = self._dashboard_uid
        created: list[str] = []
        self._endpoint.request(
            "POST",
            "/api/annotations",
            json=body,
            check=lambda answer: created.append(self._id(self._json(answer, dict), answer)),
        )
        return created[0]

    def end(self, remote_id: str, ends_at: float) -> None:
        try:
            body = {"timeEnd": _milliseconds(ends_at)}
            self._endpoint.request("PATCH", f"/api/annotations/{remote_id}", json=body, repeatable=True)
        except RemoteRefused as error:
            if error.fields.get("status") != 404:
                raise

    def _json(self, answer: Answer, kind: type) -> Any:
        try:
            body = answer.json()
        except orjson.JSONDecodeError:
            body = None
        if not isinstance(body, kind):
            raise self._bad(answer)
        return body

    def _id(self, entry: Any, answer: Answer) -> str:
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), int):
            raise self._bad(answer)
        return str(entry["id"])

    def _bad(self, answer: Answer) -> BadAnswer:
        shown = " ".join(answer.body[:120].decode("utf-8", "replace").split())
        return BadAnswer(service=self._endpoint.service, url=self._endpoint.url, reason=f"not an annotation: {shown}")


def annotation(investigated: Investigated, group: AlertGroup, *, external_url: str, at: float) -> Annotation:
    """Build the annotation of an investigation published at `at`: from the first alert's start to now, moved when it is over."""
    first = group.alerts[0]
    starts_at = min(alert.starts_at for alert in group.alerts)
    if not 0 < starts_at <= at:
        starts_at = at
    tags = ["lens", unique_tag(investigated.id), first.name, first.labels.get("severity", "")]
    return Annotation(starts_at, at, tuple(tag for tag in tags if tag), _text(investigated, group.alerts[0].name, external_url))


def unique_tag(investigation: str) -> str:
    """Give the tag by which an investigation's annotation is found again."""
    return f"lens:{investigation}"


def _text(investigated: Investigated, alertname: str, external_url: str) -> str:
    """Write HTML. What came from a model or from labels is escaped: Grafana shows annotations to everybody."""
    lines: Sequence[str] = [companion.summary(investigated), *companion.evidence(investigated)]
    body = "<br>".join(html.escape(shortened(line, 400)) for line in lines)
    link = companion.story_link(investigated.id, external_url)
    shown = f'<a href="{html.escape(link)}">story</a>' if external_url else html.escape(link)
    head = f"<b>{html.escape(alertname)}: {investigated.analysis.outcome.value}</b>"
    return f"{head}<br>{body}<br>{shown}" if len(body) <= _TEXT else f"{head}<br>{html.escape(lines[0])}<br>{shown}"


def _milliseconds(at: float) -> int:
    return round(at * 1000)
