"""One investigation: what was found, and the receipt for every number."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from lens_exporter.exposition.documents import parse_time
from lens_exporter.exposition.html import Child, Html, el, link
from lens_exporter.exposition.pages.frame import badge, empty, facts, label_set, moment, page, plain, section, top, unit_of
from lens_exporter.exposition.ports import Document

_REFRESH = 5  # seconds, while there is no answer yet
_HOLDING = {"confirmed", "recorded"}
_VALUES = ("first", "last", "min", "max", "before", "after")
_STILL = 1e-6  # of the largest value, a minute: a percent in a week
# How tools name the numbers of one series: "1.first", "2 process_open_fds.before", "steady 1 process_threads.after".
_GROUPED = re.compile(r"((?:[a-z]+ )?\d+(?: [\w:]+)?)\.(\w+)")
_BARE = re.compile(r"\s*([a-zA-Z_:][\w:]*)\s*(?:\{.*\})?\s*", re.DOTALL)
_SAID = {"alertname", "severity"}  # labels that stand elsewhere
_OVER = {"done", "cancelled", "failed"}


class Brief:
    """What every list says about an investigation; fields an unfinished one lacks are empty."""

    def __init__(self, document: Document) -> None:
        self.id = _text(document, "id")
        self.state = _text(document, "state")
        self.verdict = _text(document, "verdict")
        self.summary = _text(document, "summary")
        self.source = _text(_map(document, "source"), "alertname")
        labels = _map(_map(document, "source"), "labels")
        self.about = {str(name): str(value) for name, value in labels.items() if name not in _SAID}
        self.at = _at(_map(document, "source").get("starts_at") or document.get("created_at"))
        analyst = _text(document, "analyst")
        confidence = _text(document, "confidence") or _text(_map(document, "review"), "confidence")
        cost = _map(document, "cost")
        parts = [analyst, f"{confidence} confidence" if confidence else "", _spent(cost)]
        self.byline = ", ".join(part for part in parts if part)


def investigation(document: Document, now: float) -> bytes:
    """Write the page of one investigation's document."""
    brief = Brief(document)
    source = _map(document, "source")
    correlation = _text(document, "correlation")
    title = f"{brief.source or 'Investigation'}: {(brief.verdict or brief.state).replace('_', ' ')}"
    return page(
        title,
        "../",
        top(
            "../",
            el("h1", badge(brief.verdict or brief.state), " ", brief.source or "Investigation"),
            label_set(brief.about) if brief.about else None,
        ),
        el(
            "main",
            el("p", brief.summary, class_="lead")
            if brief.summary
            else empty("No answer yet: the investigation is ", brief.state, "."),
            el("p", _reason(document), class_="quiet") if _reason(document) else None,
            _list("Findings", [_finding(one) for one in _maps(document, "findings")]),
            _list("Hypotheses", [_hypothesis(one) for one in _maps(document, "hypotheses")]),
            _list("Next", [el("li", str(one)) for one in _sequence(document, "recommendations")]),
            _receipts(_map(document, "receipts")),
            _review(_map(document, "review"), _map(document, "receipts")),
            _facts(document, brief, source, correlation, now),
        ),
        refresh=None if brief.state in _OVER else _REFRESH,
    )


def missing(what: str, message: str) -> bytes:
    """Write the page for something that is not there."""
    return page(f"No such {what}", "../", top("../", el("h1", f"No such {what}")), el("main", empty(message)))


def _reason(document: Document) -> str:
    return _text(document, "reason")


def _list(title: str, items: Sequence[Html]) -> Html | None:
    return section(title, el("ol", *items, class_="claims")) if items else None


def _finding(one: Mapping[str, Any]) -> Html:
    struck = one.get("holds") is False
    claim = _text(one, "claim")
    return el(
        "li",
        el("s", claim) if struck else claim,
        _cited(one),
        el("p", "struck: ", _text(one, "struck") or "its receipts do not show it", class_="error") if struck else None,
        el("small", "speculation") if one.get("kind") == "speculation" else None,
    )


def _hypothesis(one: Mapping[str, Any]) -> Html:
    return el("li", badge(_text(one, "state")), " ", _text(one, "claim"), _cited(one))


def _cited(one: Mapping[str, Any]) -> list[Child]:
    return [[" ", link(f"#{quote(str(name))}", str(name))] for name in _sequence(one, "receipts")]


def _receipts(receipts: Mapping[str, Any]) -> Html | None:
    if not receipts:
        return None
    return section("Receipts", *(_receipt(name, one) for name, one in receipts.items() if isinstance(one, Mapping)))


def _receipt(name: str, one: Mapping[str, Any]) -> Html:
    word = _text(one, "recheck") or ("confirmed" if one.get("rechecked") is True else "")
    arguments = {key: value for key, value in _map(one, "arguments").items() if value is not None}
    return el(
        "article",
        el("h3", el("code", f"{name} {_text(one, 'tool')}"), badge(word) if word else None, el("small", _text(one, "note"))),
        el("dl", *([el("dt", key), el("dd", plain(key, value))] for key, value in arguments.items())) if arguments else None,
        _seen(_map(one, "seen"), _text(arguments, "query"), _at(one.get("at"))),
        class_="card",
        id=name,
    )


def _seen(seen: Mapping[str, Any], query: str, at: float | None) -> list[Child]:
    """Show the numbers of a receipt: those of the whole answer in a row, then those of each series with its metric."""
    plain_ones: dict[str, Any] = {}
    groups: dict[str, dict[str, Any]] = {}
    for name, value in seen.items():
        grouped = _GROUPED.fullmatch(name)
        if grouped:
            groups.setdefault(grouped[1], {})[grouped[2]] = value
        else:
            plain_ones[name] = value
    bare = _BARE.fullmatch(query)
    unit = unit_of(bare[1]) if bare else ""
    rows = (
        [el("dt", el("code", group)), el("dd", facts(_moving(numbers), at, unit_of(group) or unit))]
        for group, numbers in groups.items()
    )
    return [facts(_moving(plain_ones), at, unit) if plain_ones else None, el("dl", *rows) if groups else None]


def _moving(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the slope of what goes nowhere: "per minute 0 %" is no news, and 1e-15 % is the arithmetic's."""
    largest = max((abs(value) for name in _VALUES if isinstance(value := numbers.get(name), int | float)), default=0.0)
    slope = numbers.get("per_minute")
    still = isinstance(slope, int | float) and abs(slope) <= _STILL * largest
    return {name: value for name, value in numbers.items() if not (still and name == "per_minute")}


def _review(review: Mapping[str, Any], receipts: Mapping[str, Any]) -> Html | None:
    if not review:
        return None
    judges = [str(one) for one in _sequence(review, "by")]
    holding = sum(isinstance(one, Mapping) and one.get("recheck") in _HOLDING for one in receipts.values())
    who = f"by {', '.join(judges)}, attempt {_text(review, 'attempts') or '1'}" if set(judges) - {"receipts"} else "no reviewer"
    said = el("p", badge(_text(review, "verdict")), f" {who}; {holding} of {len(receipts)} receipts hold")
    issues = [el("li", str(one)) for one in _sequence(review, "issues")]
    failure = _text(review, "failure")
    return section("Review", said, el("ul", *issues) if issues else None, el("p", failure, class_="error") if failure else None)


def _facts(document: Document, brief: Brief, source: Mapping[str, Any], correlation: str, now: float) -> Html:
    rows: list[tuple[str, Child]] = [
        ("investigated by", brief.byline),
        ("alert began", moment(brief.at, now) if brief.at else None),
        ("fingerprint", _text(source, "fingerprint")),
        ("the whole story", link(f"../anomalies/{quote(correlation)}", "every event, in order") if correlation else None),
        ("as JSON", link(f"../api/v1/investigations/{quote(brief.id)}", brief.id)),
        *(
            ("sent to", f"{_text(one, 'target')}: {_text(one, 'state')} {_text(one, 'detail')}")
            for one in _maps(document, "deliveries")
        ),
    ]
    return section("Record", el("dl", *([el("dt", name), el("dd", value)] for name, value in rows if value)))


def _spent(cost: Mapping[str, Any]) -> str:
    if not cost:
        return ""
    model_calls, tool_calls = cost.get("model_calls") or 0, cost.get("tool_calls") or 0
    money = f"${cost.get('dollars') or 0:.3f}, {model_calls} model calls, " if model_calls else ""
    return f"{money}{tool_calls} tool calls, {cost.get('seconds') or 0:.1f} s"


def _text(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    return "" if value is None else str(value)


def _map(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    return value if isinstance(value, Mapping) else {}


def _sequence(document: Mapping[str, Any], key: str) -> Sequence[Any]:
    value = document.get(key)
    return value if isinstance(value, list | tuple) else ()


def _maps(document: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    return [one for one in _sequence(document, key) if isinstance(one, Mapping)]


def _at(value: object) -> float | None:
    try:
        return None if value is None else parse_time(value)
    except ValueError:
        return None
