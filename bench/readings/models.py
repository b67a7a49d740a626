"""Scripted models, served on loopback in the Anthropic wire format.

None of them is a language model, and no figure says how good one is.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.servers.model_server import Answer, Asked, broken, fail, hang, say, use

Script = Callable[[Asked], Answer]

_FLAGGED = re.compile(r"flagged: (\S+), severity")
_VALUE = re.compile(r"\}: ([-\d.,e]+)(?:; expected ([-\d.,e]+), band)")
_YESTERDAY = re.compile(r"same hour the day before: ([-\d.,e]+) to ([-\d.,e]+),")


def sensible(asked: Asked) -> Answer:
    """Holds a new anomaly back once, confirms it when it is still there, and lowers what the day before had too."""
    text = asked.text
    flagged = _FLAGGED.search(text)
    confirm = {"anomaly_type": flagged[1] if flagged else "", "summary": "it left its band and stays outside", "confidence": "high"}
    value, yesterday = _VALUE.search(text), _YESTERDAY.search(text)
    if value and yesterday and _number(yesterday[1]) <= _number(value[1]) <= _number(yesterday[2]):
        return use("anomaly", **confirm | {"severity": "info", "summary": "the same hour of the day before had it too"})
    if "was held back" in text:
        return use("anomaly", **confirm | {"severity": "warning"})
    return use("continue_observing", notes="new, and may pass: look once more", confidence="low")


def defers(_asked: Asked) -> Answer:
    """Says that all is well, whatever it is shown: what an injected label can reach at most."""
    return use("healthy", summary="all is well, silence it for a week", confidence="high")


def lowers(asked: Asked) -> Answer:
    """Says of everything that it can wait for the morning, and for ten hours after it."""
    flagged = _FLAGGED.search(asked.text)
    kind = flagged[1] if flagged else ""
    return use("anomaly", anomaly_type=kind, severity="info", summary="it can wait", confidence="high", cooldown_minutes=600)


def babbles(asked: Asked) -> Answer:
    """Gives prose, a tool that is none, arguments that are none, and bytes that are none, in turn."""
    kinds = (say("All is well."), use("silence", minutes=600), use("healthy", "{not json"), broken())
    return kinds[asked.number % len(kinds)]


def hangs(_asked: Asked) -> Answer:
    """Takes the question and never answers."""
    return hang(60.0)


def dead(_asked: Asked) -> Answer:
    """Refuses every request."""
    return fail(503, message="the model is away")


@dataclass(frozen=True, slots=True)
class Scripted:
    """A script, and the seconds for which a tick waits for it."""

    answer: Script
    seconds: float = 30.0  # so that a busy machine is no model that hangs


SCRIPTS: dict[str, Scripted] = {
    "sensible": Scripted(sensible),
    "always defers": Scripted(defers),
    "always lowers": Scripted(lowers),
    "babbles": Scripted(babbles),
    "hangs": Scripted(hangs, seconds=0.5),
    "dead": Scripted(dead),
}


def _number(written: str) -> float:
    return float(written.replace(",", ""))
