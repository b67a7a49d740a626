"""One anomaly's story: every event with its correlation id, in order."""

import re
from collections.abc import Container, Mapping, Sequence
from itertools import groupby
from typing import Any
from urllib.parse import quote

from lens_exporter.exposition.html import Child, Html, el, link
from lens_exporter.exposition.pages.frame import badge, facts, moment, page, plain, section, spaced, top
from lens_exporter.foundation.catalogue import EVENTS
from lens_exporter.model.event import Event

_REFRESH = 10  # seconds, while the story goes on
_BRIEF = 80  # characters of a fact shown without unfolding
_CALL = "tool.called"
_ALERTNAME = re.compile(r'alertname="((?:[^"\\]|\\.)+)"')
_OVER = {"alert.resolved", "anomaly.over"}
_OURS = {"anomaly.detected", "anomaly.expected"}
_IN_ORDER = (
    "Was this in order? Silence it in Alertmanager with a comment that begins with \u201cexpected:\u201d, or POST its time to ",
    el("code", "/api/v1/expected"),
    ": then it is learnt as normal.",
)
_WHEN = {spec.type: spec.when for spec in EVENTS}
_TOLD = ("summary", "error", "reason")  # the field that says it best comes first
_TONES = {"failed": "bad", "refused": "bad", "rejected": "bad", "detected": "warn", "fired": "warn", "opened": "warn"}


def anomaly(correlation: str, events: Sequence[Event], now: float) -> bytes:
    """Write the story's page. `events` are in order of time and not empty."""
    first = events[0]
    title = _title(events)
    over = any(event.type in _OVER for event in events)
    investigations = {event.subject for event in events if event.type.startswith("investigation.")}
    steps = (
        _calls(run, first.at) if run[0].type == _CALL else [_step(event, first.at, investigations, now) for event in run]
        for run in _runs(events)
    )
    return page(
        title,
        "../",
        top("../", el("h1", title), el("p", "began ", moment(first.at, now), " ", el("small", correlation), class_="quiet")),
        el(
            "main",
            section("What happened", el("ol", *steps, class_="story")),
            el("p", *_IN_ORDER) if any(event.type in _OURS for event in events) else None,
            el("p", link(f"../api/v1/events?correlation={quote(correlation)}", "the same as JSON"), class_="quiet"),
        ),
        refresh=None if over else _REFRESH,
    )


def _title(events: Sequence[Event]) -> str:
    """Give what alerts in the alert's own words; of an alert that is not ours, its name."""
    for event in events:
        if event.type == "anomaly.detected" and event.data.get("summary"):
            return str(event.data["summary"])
    for event in events:
        labels = event.data.get("labels")
        if isinstance(labels, Mapping) and labels.get("source_alertname"):
            return str(labels["source_alertname"])
        named = _ALERTNAME.search(str(event.data.get("group_key", "")))
        if named:
            return named[1]
    return next((str(event.data["summary"]) for event in events if event.data.get("summary")), "Anomaly")


def _runs(events: Sequence[Event]) -> list[list[Event]]:
    """Part the story where its tool calls begin and end: twenty of them in a row are one step of it."""
    return [list(run) for _, run in groupby(events, key=lambda event: event.type == _CALL)]


def _calls(events: Sequence[Event], begin: float) -> Html:
    first = events[0]
    return el(
        "li",
        el("h3", moment(first.at), el("code", _CALL), el("small", f"+{first.at - begin:.1f} s") if first.at > begin else None),
        el("ul", *(_call(event.data) for event in events), class_="calls"),
        class_="plain",
    )


def _call(data: Mapping[str, Any]) -> Html:
    arguments = data.get("arguments")
    known = arguments if isinstance(arguments, Mapping) else {}
    # What was asked is in one of these; the moments of asking are in the receipt.
    asked = next((key for key in ("query", "labels", "match", "sort_by", "pid", "hostname") if known.get(key)), "")
    about = " ".join(filter(None, (asked if asked not in {"query", "labels"} else "", plain(asked, known.get(asked, "")))))
    status = str(data.get("status", ""))
    spent = data.get("seconds")
    return el(
        "li",
        el("b", str(data.get("receipt", ""))),
        " ",
        el("code", str(data.get("tool", ""))),
        " ",
        el("bdi", about),
        el("small", plain("seconds", spent)) if isinstance(spent, int | float) else None,
        [" ", badge(status)] if status != "data" else None,
        el("small", str(data["note"])) if data.get("note") else None,
    )


def _step(event: Event, begin: float, investigations: Container[str], now: float) -> Html:
    told = next((str(event.data[key]) for key in _TOLD if event.data.get(key)), "")
    known = {key: value for key, value in event.data.items() if str(value) != told}
    brief = {key: value for key, value in known.items() if isinstance(value, str | int | float) and len(str(value)) <= _BRIEF}
    long = {key: value for key, value in known.items() if key not in brief and value not in ("", None, [], {})}
    tone = _TONES.get(event.type.rpartition(".")[2].rpartition("_")[2], "plain")
    subject: Child = event.subject
    if event.subject in investigations:
        subject = link(f"../investigations/{quote(event.subject)}", "investigation")
    return el(
        "li",
        el(
            "h3",
            moment(event.at),
            el("code", event.type),
            el("small", f"+{event.at - begin:.1f} s") if event.at > begin else None,
            el("small", subject) if event.subject else None,
        ),
        el("p", _WHEN.get(event.type, ""), ": " if told else None, el("b", told) if told else None),
        facts(brief, now) if brief else None,
        _more(long, now) if long else None,
        class_=tone,
    )


def _more(known: Mapping[str, Any], now: float) -> Html:
    pairs = ([el("dt", spaced(key)), el("dd", plain(key, value, now))] for key, value in known.items())
    return el("details", el("summary", "more"), el("dl", *pairs))
