"""A term in Erlang's own notation, short enough for a line of text."""

from typing import Any

from lens_exporter.lenses.beam.terms import Atom, Export, ImproperList, MapPairs, Term

_LONGEST = 300
_MOST_BITS = 1000


def show(term: Term, longest: int = _LONGEST) -> str:
    """Write a term; what does not fit is left out, and three dots say so. Never raises, and looks at no more than it writes."""
    parts: list[str] = []
    left = [longest]
    _write(term, parts, left)
    text = "".join(parts)
    return text if len(text) <= longest else text[: max(longest - 3, 0)] + "..."


def _write(term: Any, parts: list[str], left: list[int]) -> None:
    if left[0] < 0:
        return
    if isinstance(term, tuple):
        _row("{", term, "}", parts, left)
    elif isinstance(term, list):
        if term and all(isinstance(each, int) and 32 <= each < 127 for each in term[:_LONGEST]):
            _add('"' + "".join(chr(each) if 32 <= each < 127 else "?" for each in term[:_LONGEST]) + '"', parts, left)
        else:
            _row("[", term, "]", parts, left)
    elif isinstance(term, ImproperList):
        _row("[", term.items, "|...]", parts, left)
    elif isinstance(term, dict | MapPairs):
        _row("#{", [key for key, _ in (term.items() if isinstance(term, dict) else term.pairs)], " => ...}", parts, left)
    elif isinstance(term, bytes):
        _add(f'<<"{term[:_LONGEST].decode("utf-8", "replace")}">>', parts, left)
    elif isinstance(term, Atom):
        _add(str(term), parts, left)
    elif isinstance(term, Export):
        _add(f"fun {term.module}:{term.function}/{term.arity}", parts, left)
    elif isinstance(term, int) and term.bit_length() > _MOST_BITS:
        _add(f"an integer of {term.bit_length():,} bits", parts, left)  # Python refuses to write very long ones
    else:
        _add(str(term), parts, left)


def _row(opening: str, items: Any, closing: str, parts: list[str], left: list[int]) -> None:
    _add(opening, parts, left)
    for index, item in enumerate(items):
        if left[0] < 0:
            return
        if index:
            _add(",", parts, left)
        _write(item, parts, left)
    _add(closing, parts, left)


def _add(text: str, parts: list[str], left: list[int]) -> None:
    parts.append(text)
    left[0] -= len(text)
