"""What the human pages share: the frame, times as people read them, badges, label sets."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

import orjson

from lens_exporter.baseline.numbers import number
from lens_exporter.exposition.html import Child, Html, document, el, link
from lens_exporter.foundation.clock import rfc3339
from lens_exporter.model.labels import selector

_TONES = {
    "bad": {"critical", "failed", "error", "not_ready"},
    "warn": {"warning", "retry", "inconclusive", "not_investigated", "changed", "struck", "truncated"},
    "good": {
        "ready",
        "healthy",
        "cause_found",
        "nothing_wrong",
        "delivered",
        "confirmed",
        "accept",
        "holds",
        "supported",
        "resolved",
    },
}

_MOMENT = re.compile(r"(^|[._])(at|since|until|due)$")
_PLAUSIBLE = (1e9, 1e10)  # Unix seconds from 2001 on
_IDENTITY = re.compile(r"(^|_)(pid|port|fingerprint|attempts?|id)$")  # figures that are a name
_UNITS = {"bytes": re.compile(r"bytes"), "seconds": re.compile(r"(^|_)seconds$"), "ratio": re.compile(r"(_ratio|utilization)$")}
# What a receipt tells of a series has the unit of the series; its score and how many points it has do not.
_MEASURED = re.compile(r"^(before|after|first|last|min|max|mean|value|limit|per_minute|jump_from|jump_to)$")


def page(title: str, root: str, *content: Child, refresh: int | None = None) -> bytes:
    """Frame a page. `root` is the way back to / ("" or "../"): relative, so that a proxy may serve us under any prefix."""
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", http_equiv="refresh", content=str(refresh)) if refresh else None,
        el("title", title),
        el("link", rel="icon", href="data:,"),
        el("link", rel="stylesheet", href=f"{root}static/lens.css"),
    )
    return document(el("html", head, el("body", *content), lang="en"))


def top(root: str, *more: Child) -> Html:
    """Head every page below the first with the way back."""
    return el("header", el("p", link(root, "lens-exporter"), class_="brand"), *more)


def section(title: str, *content: Child, note: str = "") -> Html:
    return el("section", el("h2", title, el("small", note) if note else None), *content)


def badge(word: str) -> Html:
    """Show one word of a closed set, in the colour of what it means."""
    tone = next((tone for tone, words in _TONES.items() if word in words), "plain")
    return el("span", word.replace("_", " "), class_=f"badge {tone}")


def moment(at: float | None, now: float | None = None) -> Html:
    """Show a time of day in UTC, with how long ago where `now` is given, and the date where it is not today's."""
    if at is None:
        return el("span", "never", class_="quiet")
    then = datetime.fromtimestamp(at, UTC)
    today = now is None or datetime.fromtimestamp(now, UTC).date() == then.date()
    shown = then.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")
    distance = "" if now is None else f" ({apart(now - at)})"
    return el("time", f"{shown} UTC{distance}", datetime=rfc3339(at))


def apart(seconds: float) -> str:
    """Say how far a moment is: "4 min ago", "in 12 s"."""
    size = abs(seconds)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if size >= 2 * length:
            text = f"{size / length:.0f} {unit}"
            break
    else:
        text = f"{size:.0f} s"
    if text == "0 s":
        return "now"
    return f"{text} ago" if seconds > 0 else f"in {text}"


def label_set(labels: Mapping[str, str]) -> Html:
    """Show labels as name=value chips, in order of name."""
    return el("ul", *(el("li", el("b", name), "=", el("bdi", labels[name])) for name in sorted(labels)), class_="labels")


def empty(*children: Child) -> Html:
    """Say that there is nothing, and what to do about it."""
    return el("p", *children, class_="empty")


def facts(pairs: Mapping[str, object], now: float | None = None, unit: str = "") -> Html:
    """Show short named values in a row; what is None or empty is left out. `unit` is that of the values whose name tells none."""
    shown = ((name, value) for name, value in pairs.items() if value not in ("", None, [], {}))
    return el(
        "p",
        *(el("span", spaced(name), " ", el("bdi", plain(name, value, now, unit))) for name, value in shown),
        class_="facts",
    )


def spaced(name: str) -> str:
    """Write the name of a field as words; a path or an address stays as it is."""
    return name.replace("_", " ") if name.isidentifier() else name


def plain(name: str, value: object, now: float | None = None, unit: str = "") -> str:
    """Write a value as people read it: moments as times, numbers with the unit their name has, label sets as selectors."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, int | float):
        if _MOMENT.search(name) and _PLAUSIBLE[0] < value < _PLAUSIBLE[1]:
            return _moment(value, now)
        if _IDENTITY.search(name):
            return f"{value:g}" if isinstance(value, float) else str(value)
        return number(float(value), unit_of(name) or (unit if _MEASURED.search(name) else ""))
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and value and all(isinstance(one, str) for one in value.values()):
        return selector({str(key): str(one) for key, one in value.items()})
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode("utf-8", "replace")


def unit_of(name: str) -> str:
    """Give the unit that the name of a field or a metric tells, "" where it tells none."""
    if name.endswith("_total"):
        return ""  # of a counter one sees rates
    return next((unit for unit, words in _UNITS.items() if words.search(name)), "")


def _moment(at: float, now: float | None) -> str:
    then = datetime.fromtimestamp(at, UTC)
    today = now is not None and datetime.fromtimestamp(now, UTC).date() == then.date()
    return then.strftime("%H:%M:%S UTC" if today else "%Y-%m-%d %H:%M:%S UTC")
