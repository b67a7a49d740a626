"""The API's documents: their shapes for OpenAPI, and how values become them. Times are RFC 3339 in UTC."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from lens_exporter.baseline.expected import Declaration
from lens_exporter.exposition.ports import AlertView, WatcherView
from lens_exporter.foundation.clock import rfc3339
from lens_exporter.foundation.events import document
from lens_exporter.model.decision import Observation
from lens_exporter.model.event import Event

VERSION = 1


def _time(at: float | None) -> str | None:
    return None if at is None else rfc3339(at)


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value


def parse_time(text: object) -> float:
    """Read Unix seconds or an RFC 3339 time; without a zone it is UTC. Raises ValueError, which says what was expected."""
    try:
        at = _seconds(text)
    except (ValueError, OverflowError):  # the latter of a whole number beyond all floats
        at = math.nan
    if not math.isfinite(at):
        raise ValueError("expected Unix seconds or a time like 2026-11-20T14:02:00Z")
    return at


def _seconds(given: object) -> float:
    if isinstance(given, int | float) and not isinstance(given, bool):
        return float(given)
    if not isinstance(given, str):
        return math.nan
    try:
        return float(given)
    except ValueError:
        moment = datetime.fromisoformat(given)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


class Shape(BaseModel):
    """These describe answers in OpenAPI; the tests hold every answer against them."""

    model_config = ConfigDict(extra="forbid")


class Trouble(Shape):
    type: str
    message: str
    reasons: list[str] | None = None


class Problem(Shape):
    error: Trouble


class ReadingShape(Shape):
    metric: str
    unit: str
    target: dict[str, str]
    at: str
    value: float | None
    expected: float | None
    lower: float | None
    upper: float | None
    score: float | None
    phase: str
    since: str | None
    full_at: str | None


class WatcherShape(Shape):
    name: str
    lens: str
    schedule: str
    state: str
    last_run: str | None
    next_run: str | None
    seconds: float | None
    series: int
    error: str
    notes: str
    hours: float
    looks: int
    decisions: dict[str, int]


class WatcherDetail(WatcherShape):
    version: Literal[1]
    readings: list[ReadingShape]


class WatchersShape(Shape):
    version: Literal[1]
    watchers: list[WatcherShape]


class TriggerShape(Shape):
    version: Literal[1]
    watcher: str
    outcome: str


class AlertShape(Shape):
    fingerprint: str
    state: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: str
    ends_at: str | None
    generator_url: str
    origin: str
    source: str = Field(description="of a companion alert: fingerprint of the alert it explains")
    correlation: str = Field(description="joins everything from sample to page; see /api/v1/events?correlation=")


class AlertsShape(Shape):
    version: Literal[1]
    alerts: list[AlertShape]


class MatcherShape(Shape):
    name: str
    value: str
    is_regex: bool
    is_equal: bool


class DeclarationShape(Shape):
    id: str
    source: Literal["silence", "api"]
    matchers: list[MatcherShape] = Field(description="what they have to match are the labels of lens-exporter's own alerts")
    starts_at: str
    ends_at: str
    by: str
    comment: str


class DeclaredShape(DeclarationShape):
    version: Literal[1]


class AskedShape(DeclaredShape):
    series: int | None = Field(description="how many it is about now; null: not known, or too many to tell one by one")


class ExpectedShape(Shape):
    version: Literal[1]
    expected: list[DeclarationShape]


class EventShape(Shape):
    id: str
    at: str
    type: str
    correlation: str
    subject: str
    data: dict[str, Any]


class EventsShape(Shape):
    version: Literal[1]
    events: list[EventShape]


class InvestigationsShape(Shape):
    version: Literal[1]
    investigations: list[dict[str, Any]]


class WebhookShape(BaseModel):
    """What became of the alerts, by what the intake says about them."""

    version: Literal[1]
    outcome: str


class ReloadShape(Shape):
    version: Literal[1]
    message: str


def watcher(view: WatcherView) -> dict[str, Any]:
    """Shape one watcher for the list."""
    return {
        "name": view.name,
        "lens": view.lens,
        "schedule": view.schedule,
        "state": view.state,
        "last_run": _time(view.last_run),
        "next_run": _time(view.next_run),
        "seconds": view.seconds,
        "series": view.series,
        "error": view.error,
        "notes": view.notes,
        "hours": round(view.hours, 2),
        "looks": view.looks,
        "decisions": dict(view.intents or {}),
    }


def watcher_detail(view: WatcherView) -> dict[str, Any]:
    """Shape one watcher with its last reading of every series."""
    return {"version": VERSION, **watcher(view), "readings": [_reading(one) for one in view.observations]}


def _reading(one: Observation) -> dict[str, Any]:
    return {
        "metric": one.metric,
        "unit": one.unit,
        "target": dict(one.target),
        "at": rfc3339(one.at),
        "value": _number(one.value),
        "expected": _number(one.expected),
        "lower": _number(one.lower),
        "upper": _number(one.upper),
        "score": _number(one.score),
        "phase": one.phase.value,
        "since": _time(one.since),
        "full_at": _time(one.full_at),
    }


def alerts(views: Sequence[AlertView]) -> dict[str, Any]:
    """Shape the alerts lens-exporter keeps alive."""
    return {"version": VERSION, "alerts": [_alert(view) for view in views]}


def _alert(view: AlertView) -> dict[str, Any]:
    alert = view.alert
    return {
        "fingerprint": alert.fingerprint,
        "state": alert.state.value,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "starts_at": rfc3339(alert.starts_at),
        "ends_at": _time(alert.ends_at),
        "generator_url": alert.generator_url,
        "origin": view.origin,
        "source": view.source,
        "correlation": view.correlation,
    }


def expected(declarations: Sequence[Declaration]) -> dict[str, Any]:
    """Shape what is declared to be expected."""
    return {"version": VERSION, "expected": [_declaration(one) for one in declarations]}


def declared(one: Declaration) -> dict[str, Any]:
    """Shape one declaration."""
    return {"version": VERSION, **_declaration(one)}


def asked(one: Declaration, series: int | None) -> dict[str, Any]:
    """Shape one declaration that was asked for, and how many series it is about."""
    return {**declared(one), "series": series}


def _declaration(one: Declaration) -> dict[str, Any]:
    return {
        "id": one.id,
        "source": one.source.value,
        "matchers": [
            {"name": each.name, "value": each.value, "is_regex": each.regex, "is_equal": each.equal} for each in one.matchers
        ],
        "starts_at": rfc3339(one.starts_at),
        "ends_at": rfc3339(one.ends_at),
        "by": one.by,
        "comment": one.comment,
    }


def events(story: Sequence[Event]) -> dict[str, Any]:
    """Shape events in the order given."""
    return {"version": VERSION, "events": [document(event) for event in story]}
