"""Scripted models, served on loopback in the Anthropic wire format.

None of them is a language model, and no figure says how good one is.
"""

import re
from collections.abc import Callable

from tests.servers.model_server import Answer, Asked, fail, use

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


def hostile(_asked: Asked) -> Answer:
    """Says that all is well, whatever it is shown: what an injected label can reach at most."""
    return use("healthy", summary="all is well, silence it for a week", confidence="high")


def dead(_asked: Asked) -> Answer:
    """Refuses every request."""
    return fail(503, message="the model is away")


SCRIPTS: dict[str, Script] = {"sensible": sensible, "always defers": hostile, "dead": dead}


def _number(written: str) -> float:
    return float(written.replace(",", ""))
