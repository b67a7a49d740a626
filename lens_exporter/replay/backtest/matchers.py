"""Matchers as people write them: PromQL's, Alertmanager's, and the loose form of amtool without quotes."""

import re

from lens_exporter.errors import MatcherInvalid
from lens_exporter.model.matcher import Matcher

_MATCHER = re.compile(
    r"""\s*(?P<name>[a-zA-Z_][a-zA-Z0-9_]*)\s*(?P<operator>=~|!~|!=|=)\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^",;\s]*))\s*(?:[,;]|$)"""
)
_ESCAPED = re.compile(r"\\([\\\"n])")  # any other backslash stands for itself, as in Alertmanager
EXPECTED = 'expected matchers like instance="api-7:9000",job=~"api.*"'


def matchers_of(text: str) -> tuple[Matcher, ...]:
    """Read matchers as PromQL and Alertmanager write them; braces around and quotes may be left out.

    Raises:
        ValueError: they are none; the message says what was expected.

    """
    text = text.strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1].strip()
    found = []
    at = 0
    while at < len(text):
        match = _MATCHER.match(text, at)
        if match is None:
            raise ValueError(EXPECTED)
        at = match.end()
        value = match["plain"] if match["quoted"] is None else _ESCAPED.sub(_unescaped, match["quoted"])
        found.append(matcher(match["name"], value, match["operator"]))
    return tuple(found)


def matcher(name: str, value: str, operator: str = "=") -> Matcher:
    """Make one matcher. Raises ValueError where its regular expression is none."""
    try:
        return Matcher(name, value, regex="~" in operator, equal=not operator.startswith("!"))
    except MatcherInvalid as error:
        raise ValueError(f"expected a regular expression for {name}: {error.fields['reason']}") from error


def _unescaped(found: "re.Match[str]") -> str:
    return "\n" if found[1] == "n" else found[1]
