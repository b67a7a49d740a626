"""Reading what a node has answered: what is not of the shape it has in OTP 25 to 27 is a BadTerm that names the call."""

from math import isfinite
from typing import Any

from lens_exporter.errors import BadTerm
from lens_exporter.lenses.beam.show import show
from lens_exporter.lenses.beam.terms import Term, text

_SHOWN = 50  # letters of what was answered instead


def unlike(node: str, call: str) -> BadTerm:
    return BadTerm(node=node, reason=f"{call} answered something else than it does in OTP 25 to 27")


def amount(node: str, term: Any, call: str) -> float:
    """Read a number; it is finite. Raises BadTerm."""
    value = _number(term)
    if value is None:
        raise unlike(node, f"{call}, which was {show(term, _SHOWN)},")
    return value


def pairs(node: str, term: Any, call: str) -> dict[str, Any]:
    """Read a list of items and their values, or a map of them. Raises BadTerm."""
    listed = list(term.items()) if isinstance(term, dict) else term
    if not isinstance(listed, list) or not all(_is_pair(each) for each in listed):
        raise unlike(node, f"{call}, which was {show(term, _SHOWN)},")
    return dict(listed)


def printable(term: Term, longest: int) -> str:
    """Read text and cut it to so many letters; "" for what is no text, or none that can be printed."""
    found = (text(term) or "")[:longest]
    return found if found.isprintable() else ""


def _is_pair(term: Any) -> bool:
    return isinstance(term, tuple) and len(term) == 2 and isinstance(term[0], str)


def _number(term: Any) -> float | None:
    if isinstance(term, bool) or not isinstance(term, int | float):
        return None
    try:
        value = float(term)
    except OverflowError:
        return None
    return value if isfinite(value) else None
