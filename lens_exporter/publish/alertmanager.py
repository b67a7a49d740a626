"""Alertmanagers, by their API v2 (v1 is gone since 0.27)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import orjson

from lens_exporter.errors import BadAnswer, MatcherInvalid, RemoteError
from lens_exporter.foundation.clock import rfc3339
from lens_exporter.foundation.http import Answer, Endpoint
from lens_exporter.model.alert import Alert
from lens_exporter.model.labels import Labels, matchers
from lens_exporter.model.matcher import Matcher
from lens_exporter.model.silence import Silence


@dataclass(frozen=True, slots=True)
class HeldAlert:
    """An alert as Alertmanager holds it. state is active, suppressed or unprocessed."""

    alert: Alert
    state: str
    silenced_by: tuple[str, ...] = ()
    inhibited_by: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Holdings:
    """What several Alertmanagers hold together, each alert once, and those of them that did not answer."""

    alerts: tuple[HeldAlert, ...] = ()
    failures: tuple[RemoteError, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertmanagerStatus:
    version: str
    cluster: str  # ready, settling, disabled
    started: str  # RFC 3339


class Alertmanager:
    """One instance; alerts do not gossip between instances, so each is told itself."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    @property
    def name(self) -> str:
        """The address without any password in it, for labels and events."""
        split = urlsplit(self._endpoint.url)
        return split._replace(netloc=split.netloc.rpartition("@")[2]).geturl()

    def post(self, alerts: Sequence[Alert]) -> None:
        """Hand over alerts, each with its startsAt and endsAt: what ends in the future fires.

        With one bad alert among them the answer is 400, but the valid ones were accepted. A page to sign in at, with a 200, is no
        sign that anything was taken: Alertmanager answers with nothing.

        Raises:
            RemoteRefused, RemoteError.

        """
        # To Alertmanager the same alerts once more are what every re-sending is.
        body = [wire(alert) for alert in alerts]
        self._endpoint.request("POST", "/api/v2/alerts", json=body, repeatable=True, check=self._taken)

    def alerts(self, labels: Labels | None = None) -> tuple[HeldAlert, ...]:
        """List the alerts it holds: all, or those with these labels. Raises RemoteError."""
        held: list[HeldAlert] = []
        self._endpoint.request(
            "GET",
            "/api/v2/alerts",
            params={"filter": matchers(labels or {})},
            check=lambda answer: held.extend(self._held(answer)),
        )
        return tuple(held)

    def silences(self) -> tuple[Silence, ...]:
        """List the silences it knows, also expired ones, which it keeps for its --data.retention. Raises RemoteError."""
        found: list[Silence] = []
        self._endpoint.request("GET", "/api/v2/silences", check=lambda answer: found.extend(self._silences(answer)))
        return tuple(found)

    def status(self) -> AlertmanagerStatus:
        """Say which version it is and how its cluster stands. Raises RemoteError."""
        answer = self._endpoint.request("GET", "/api/v2/status")
        try:
            body = answer.json()
            return AlertmanagerStatus(body["versionInfo"]["version"], body["cluster"]["status"], body["uptime"])
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise self._unread(answer, error) from error

    def _taken(self, answer: Answer) -> None:
        if answer.body.lstrip().startswith(b"<") or _is_error(answer):
            raise self._bad(answer, "no answer of Alertmanager")

    def _held(self, answer: Answer) -> list[HeldAlert]:
        try:
            return [_held_alert(entry) for entry in answer.json()]
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise self._unread(answer, error) from error

    def _silences(self, answer: Answer) -> list[Silence]:
        try:
            return [_silence(entry) for entry in answer.json()]
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise self._unread(answer, error) from error

    def _unread(self, answer: Answer, error: Exception) -> BadAnswer:
        not_json = isinstance(error, orjson.JSONDecodeError)
        return self._bad(answer, "not JSON" if not_json else f"JSON of an unknown shape, {type(error).__name__} {error}")

    def _bad(self, answer: Answer, what: str) -> BadAnswer:
        kind = answer.content_type.partition(";")[0] or "no content type"
        shown = " ".join(answer.body[:120].decode("utf-8", "replace").split())
        return BadAnswer(
            service=self._endpoint.service, url=self._endpoint.url, reason=f"{what} ({answer.status}, {kind}): {shown}"
        )


def held_alerts(alertmanagers: Sequence[Alertmanager], labels: Labels | None = None) -> Holdings:
    """Ask every Alertmanager for the alerts it holds (with these labels): alerts do not gossip, so each may know others.

    Raises:
        RemoteError: none of them answered; the last one's error.

    """
    held: dict[str, HeldAlert] = {}
    failures: list[RemoteError] = []
    for alertmanager in alertmanagers:
        try:
            for one in alertmanager.alerts(labels):
                held.setdefault(one.alert.fingerprint, one)
        except RemoteError as error:
            failures.append(error)
    if failures and len(failures) == len(alertmanagers):
        raise failures[-1]
    return Holdings(tuple(held.values()), tuple(failures))


def wire(alert: Alert) -> dict[str, Any]:
    """Write an alert as API v2 takes it."""
    body: dict[str, Any] = {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": rfc3339(alert.starts_at),
    }
    if alert.ends_at is not None:
        body["endsAt"] = rfc3339(alert.ends_at)
    if alert.generator_url:
        body["generatorURL"] = alert.generator_url
    return body


def _is_error(answer: Answer) -> bool:
    try:
        told = answer.json()
    except orjson.JSONDecodeError:
        return False
    return isinstance(told, dict) and (bool(told.get("error")) or told.get("status") == "error")


def _held_alert(entry: Any) -> HeldAlert:
    alert = Alert(
        labels=dict(entry["labels"]),
        annotations=dict(entry["annotations"]),
        starts_at=datetime.fromisoformat(entry["startsAt"]).timestamp(),
        ends_at=None,  # it lists what fires; endsAt is when it would stop believing so
        generator_url=str(entry.get("generatorURL", "")),
        given=str(entry["fingerprint"]),
    )
    status = entry["status"]
    receivers = tuple(str(receiver["name"]) for receiver in entry["receivers"])
    return HeldAlert(alert, str(status["state"]), tuple(status["silencedBy"]), tuple(status["inhibitedBy"]), receivers)


def _silence(entry: Any) -> Silence:
    # isEqual came with 0.22; before, every matcher was one of equality.
    given = [
        (str(one["name"]), str(one["value"]), bool(one["isRegex"]), bool(one.get("isEqual", True))) for one in entry["matchers"]
    ]
    silence = Silence(
        id=str(entry["id"]),
        matchers=(),
        starts_at=datetime.fromisoformat(entry["startsAt"]).timestamp(),
        ends_at=datetime.fromisoformat(entry["endsAt"]).timestamp(),
        comment=str(entry.get("comment", "")),
        created_by=str(entry.get("createdBy", "")),
        updated_at=datetime.fromisoformat(entry["updatedAt"]).timestamp() if entry.get("updatedAt") else 0.0,
    )
    try:
        return replace(silence, matchers=tuple(Matcher(name, value, regex, equal) for name, value, regex, equal in given))
    except MatcherInvalid as error:
        return replace(silence, unreadable=str(error))  # it must not hide all the others


def known_silences(alertmanagers: Sequence[Alertmanager]) -> tuple[tuple[Silence, ...], tuple[RemoteError, ...]]:
    """Ask every Alertmanager for its silences, each in its newest state, and give also why some of them did not answer."""
    silences: dict[str, Silence] = {}
    failures: list[RemoteError] = []
    for alertmanager in alertmanagers:
        try:
            for one in alertmanager.silences():
                known = silences.get(one.id)
                if known is None or known.updated_at < one.updated_at:
                    silences[one.id] = one
        except RemoteError as error:
            failures.append(error)
    return tuple(silences.values()), tuple(failures)
