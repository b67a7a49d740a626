"""One anomaly's story: every event with its correlation id, in order."""

from collections.abc import Container, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from lens_exporter.exposition.html import Child, Html, el, link
from lens_exporter.exposition.pages.frame import facts, moment, page, plain, section, top
from lens_exporter.foundation.catalogue import EVENTS
from lens_exporter.model.event import Event

_REFRESH = 10  # seconds, while the story goes on
_BRIEF = 80  # characters of a fact shown without unfolding
_OVER = {"alert.resolved", "anomaly.over"}
_WHEN = {spec.type: spec.when for spec in EVENTS}
_TOLD = ("summary", "error", "reason")  # the field that says it best comes first
_TONES = {"failed": "bad", "refused": "bad", "rejected": "bad", "detected": "warn", "fired": "warn", "opened": "warn"}


def anomaly(correlation: str, events: Sequence[Event], now: float) -> bytes:
    """Write the story's page. `events` are in order of time and not empty."""
    first = events[0]
    title = next((str(event.data["summary"]) for event in events if event.data.get("summary")), "Anomaly")
    over = any(event.type in _OVER for event in events)
    investigations = {event.subject for event in events if event.type.startswith("investigation.")}
    return page(
        title,
        "../",
        top("../", el("h1", title), el("p", "began ", moment(first.at, now), " ", el("small", correlation), class_="quiet")),
        el(
            "main",
            section("What happened", el("ol", *(_step(event, first.at, investigations) for event in events), class_="story")),
            el("p", link(f"../api/v1/events?correlation={quote(correlation)}", "the same as JSON"), class_="quiet"),
        ),
        refresh=None if over else _REFRESH,
    )


def _step(event: Event, begin: float, investigations: Container[str]) -> Html:
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
        facts(brief) if brief else None,
        _more(long) if long else None,
        class_=tone,
    )


def _more(known: Mapping[str, Any]) -> Html:
    pairs = ([el("dt", key.replace("_", " ")), el("dd", plain(key, value))] for key, value in known.items())
    return el("details", el("summary", "more"), el("dl", *pairs))
