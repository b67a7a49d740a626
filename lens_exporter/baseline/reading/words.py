"""A model's words as others may see them: one line, no addresses, and no number that the window does not show."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lens_exporter.baseline.evidence import Seen, sentences, unproved
from lens_exporter.baseline.numbers import clock
from lens_exporter.baseline.reading.contract import Said, SaidAnomaly, SaidContinue

_LONGEST = 600  # characters in all


@dataclass(frozen=True, slots=True)
class Words:
    """text is what is left; struck are the sentences that are not, each with the reason."""

    text: str
    struck: tuple[str, ...] = ()


def checked(said: Said, numbers: Sequence[Seen]) -> Words:
    """Take an answer's words, and strike each sentence with a number that is in none of `numbers`, or with an address."""
    kept, struck = [], []
    for line in _lines(said):
        for sentence in sentences(_one_line(line)):
            problem = _problem(sentence, numbers)
            if problem:
                struck.append(f'"{sentence}": {problem}')
            elif sentence:
                kept.append(sentence if sentence.endswith((".", "!", "?")) else f"{sentence}.")
    text = " ".join(kept)
    return Words(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}...", tuple(struck))


def annotation(client: str, text: str, at: float, *, held_from: float | None = None, lowered_until: float | None = None) -> str:
    """Write what a reading did and said, marked as a model's; "" where there is nothing to tell. Times are Unix seconds."""
    parts = []
    if held_from is not None:
        parts.append(f"Held back from {clock(held_from, at)} to {clock(at, at)} UTC on a model's word.")
    if lowered_until is not None:
        parts.append(f"Lowered to info on a model's word, until {clock(lowered_until, at)} UTC at the latest.")
    if text:
        parts.append(f"{client} (a model; code checked only its numbers): {text}")
    return " ".join(parts)


def _lines(said: Said) -> Iterable[str]:
    match said:
        case SaidContinue():
            return (said.notes,)
        case SaidAnomaly():
            return (said.summary, *said.evidence)
        case _:
            return (said.summary,)


def _problem(sentence: str, numbers: Sequence[Seen]) -> str:
    if "://" in sentence or "www." in sentence.lower():
        return "an address"  # a window shows none, and chat programs turn it into a link
    missing = unproved(sentence, numbers)
    return f"{', '.join(missing)} not in the window" if missing else ""


def _one_line(text: str) -> str:
    return " ".join("".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text).split())
