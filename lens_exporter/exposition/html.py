"""HTML that is escaped by construction: text that is not Html is escaped wherever it is put, so no label can become markup."""

import html
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

_VOID = {"meta", "link", "br"}
_CLIP = 2000  # characters of one text; a label may carry any amount

_ARROW = '<span class="arrow">-&gt;</span>'  # a narrow page would break the line between the two


@dataclass(frozen=True, slots=True)
class Html:
    """Markup that is finished. Only this file makes it."""

    text: str


Child: TypeAlias = "Html | str | int | float | Iterable[Child] | None"


def el(name: str, /, *children: Child, **attributes: str | None) -> Html:
    """Write one element. class_ is the class attribute, http_equiv is http-equiv; an attribute of None is left out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_escape(value)}"' for key, value in attributes.items() if value is not None
    )
    if name in _VOID:
        return Html(f"<{name}{written}>")
    inner = "".join(_render(child) for child in children)
    if name == "title":  # which holds text only: markup in it would be read out
        inner = inner.replace(_ARROW, "-&gt;")
    return Html(f"<{name}{written}>{inner}</{name}>")


def link(address: str, *children: Child) -> Html:
    """Link to a page of ours or of the web. Any other kind of address (javascript:, data:) stays text."""
    scheme, colon, _ = address.partition(":")
    relative = not colon or any(mark in scheme for mark in "/?#")
    if not relative and scheme.lower() not in {"http", "https"}:
        return el("span", *children)
    return el("a", *children, href=address)


def document(*children: Child) -> bytes:
    """Finish a page."""
    return ("<!doctype html>\n" + "".join(_render(child) for child in children)).encode("utf-8", "replace")


def _render(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child.text
    if isinstance(child, str):
        return _escape(child).replace("-&gt;", _ARROW)
    if isinstance(child, int | float):
        return _escape(str(child))
    return "".join(_render(one) for one in child)


def _escape(text: str) -> str:
    clipped = text if len(text) <= _CLIP else text[:_CLIP] + "…"
    return html.escape(clipped)
