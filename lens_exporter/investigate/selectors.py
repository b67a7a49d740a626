"""What a PromQL text selects: the metrics it names, with the matchers beside them. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

LONGEST_QUERY = 4096  # characters: nobody's rule is longer, and no text of strangers is worth more time
QUOTED = r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'"
# A brace within braces is none of PromQL's: a text of braces alone would be read to its end from each of them.
BRACES = rf"\{{((?:[^{{}}\"']|{QUOTED})*)\}}"
_SELECTOR = re.compile(rf"(?:([a-zA-Z_:][\w:]*)\s*)?{BRACES}|([a-zA-Z_:][\w:]*)")
_MATCHER = re.compile(rf"\b([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*({QUOTED})")
# Quoted text comes first: what looks like a range or a grouping in there is part of a matcher, and stays.
# What begins a quoted text that never ends is dropped with all that follows: it would be looked for again from each quote.
_RANGES_AND_GROUPINGS = re.compile(
    rf"({QUOTED})|(?s:[\"'].*)|\[[^\[\]]*\]|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)"
)
_LONGEST, _REPEATS, _BRANCHES = 200, 2, 64


@dataclass(frozen=True, slots=True)
class Matcher:
    """One label's condition: how is =, !=, =~ or !~."""

    label: str
    how: str
    text: str

    def takes(self, value: str) -> bool:
        """Whether it selects a label's value, "" for a label that is not there.

        An expression that is none, or that could take for ever, selects everything.
        """
        if self.how in {"=", "!="}:
            return (value == self.text) == (self.how == "=")
        if len(value) > _LONGEST or not _is_cheap(self.text):
            return True
        try:
            return (re.fullmatch(self.text, value) is not None) == (self.how == "=~")
        except re.error:  # RE2 has some forms that Python does not know
            return True


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric as a query names it; functions look the same and match nothing."""

    metric: str
    matchers: tuple[Matcher, ...] = ()

    def takes(self, labels: Mapping[str, str]) -> bool:
        """Whether it selects a series of its metric that has these labels."""
        return all(one.takes(labels.get(one.label, "")) for one in self.matchers if one.label != "__name__")


def selectors(query: str) -> Iterator[Selector]:
    """Give everything that a query may select; nothing for a text that is too long to be one."""
    if len(query) > LONGEST_QUERY:
        return
    for found in _SELECTOR.finditer(_RANGES_AND_GROUPINGS.sub(lambda one: one[1] or " ", query)):
        matchers = tuple(Matcher(label, how, _unquoted(text)) for label, how, text in _MATCHER.findall(found[2] or ""))
        named = next((one.text for one in matchers if one.label == "__name__" and one.how == "="), "")
        yield Selector(found[1] or found[3] or named, matchers)


def _is_cheap(expression: str) -> bool:
    """Whether trying it takes no time to speak of: expressions come from strangers, and Python's go back to try again."""
    if len(expression) > _LONGEST or re.search(r"\)[*+?{]", expression):
        return False
    groups, branches = expression.count("("), expression.count("|")
    if groups and (branches / groups + 1) ** groups > _BRANCHES:  # the ways through them are multiplied
        return False
    # Alternatives of the whole are tried one after the other: each has its own repeats.
    alone = [expression] if re.search(r"[(\[]", expression) else expression.split("|")
    return all(len(re.findall(r"[*+{]|(?<![(*+?}])\?", one)) <= _REPEATS for one in alone)


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])
