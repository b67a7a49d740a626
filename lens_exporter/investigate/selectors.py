"""What a PromQL text selects: the metrics it names, with the matchers beside them. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lens_exporter.errors import MatcherInvalid
from lens_exporter.model.labels import Labels
from lens_exporter.model.matcher import Matcher, all_match

LONGEST_QUERY = 4096  # characters: nobody's rule is longer, and no text of strangers is worth more time
QUOTED = r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`[^`]*`"
# A brace within braces is none of PromQL's: a text of braces alone would be read to its end from each of them.
BRACES = rf"\{{((?:[^{{}}\"'`]|{QUOTED})*)\}}"
_SELECTOR = re.compile(rf"(?:([a-zA-Z_:][\w:]*)\s*)?{BRACES}|([a-zA-Z_:][\w:]*)")
MATCHER = re.compile(rf"\b([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*({QUOTED})")
# Quoted text comes first: what looks like a range or a grouping in there is part of a matcher, and stays.
# What begins a quoted text that never ends is dropped with all that follows: it would be looked for again from each quote.
_RANGES_AND_GROUPINGS = re.compile(
    rf"({QUOTED})|(?s:[\"'`].*)|\[[^\[\]]*\]|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)"
)
# What re2 makes of \p{...} is thousands of steps, times a thousand where it is repeated: 0.2 s and 7 MB for each "\PN{999}".
_COSTLY = re.compile(r"\\[pP]")
_EXPRESSIONS = 32  # different ones of a query; a text of strangers has room for hundreds that take some 10 ms each


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric as a query names it; functions look the same and match nothing."""

    metric: str
    matchers: tuple[Matcher, ...] = ()

    def takes(self, labels: Labels) -> bool:
        """Whether it selects a series of its metric that has these labels."""
        return all_match([one for one in self.matchers if one.name != "__name__"], labels)


def selectors(query: str) -> Iterator[Selector]:
    """Give everything that a query may select; nothing for a text that is too long to be one.

    A matcher whose expression is none, or would take too long to compile, is left out: it selects everything.
    """
    if len(query) > LONGEST_QUERY:
        return
    expressions: set[str] = set()
    for found in _SELECTOR.finditer(_RANGES_AND_GROUPINGS.sub(lambda one: one[1] or " ", query)):
        matchers = tuple(_matchers(found[2] or "", expressions))
        named = next((one.value for one in matchers if one.name == "__name__" and one.equal and not one.regex), "")
        yield Selector(found[1] or found[3] or named, matchers)


def _matchers(inside: str, expressions: set[str]) -> Iterator[Matcher]:
    for label, how, quoted in MATCHER.findall(inside):
        text, regex = unquoted(quoted), how.endswith("~")
        if regex and (_COSTLY.search(text) or len(expressions | {text}) > _EXPRESSIONS):
            continue
        if regex:
            expressions.add(text)
        try:
            yield Matcher(label, text, regex, how.startswith("="))
        except MatcherInvalid:
            continue


def unquoted(text: str) -> str:
    """Give the text that a string of PromQL stands for."""
    return text[1:-1] if text.startswith("`") else re.sub(r"\\(.)", r"\1", text[1:-1])
