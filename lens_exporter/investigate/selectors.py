"""What a PromQL text selects: the metrics it names, with the matchers beside them. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_QUOTED = r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'"
_SELECTOR = re.compile(rf"([a-zA-Z_:][\w:]*)?\s*\{{((?:[^}}\"']|{_QUOTED})*)\}}|([a-zA-Z_:][\w:]*)")
_MATCHER = re.compile(rf"([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*({_QUOTED})")
_STRINGS_AND_RANGES = re.compile(r"\[[^\[\]]*\]|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)")
_LONGEST, _REPEATS = 200, 4


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
    """Give everything that a query may select."""
    for found in _SELECTOR.finditer(_STRINGS_AND_RANGES.sub(" ", query)):
        matchers = tuple(Matcher(label, how, _unquoted(text)) for label, how, text in _MATCHER.findall(found[2] or ""))
        named = next((one.text for one in matchers if one.label == "__name__" and one.how == "="), "")
        yield Selector(found[1] or found[3] or named, matchers)


def _is_cheap(expression: str) -> bool:
    """Whether trying it takes no time to speak of: expressions come from strangers, and Python's go back to try again."""
    repeats = len(re.findall(r"[*+{]", expression))
    return len(expression) <= _LONGEST and repeats <= _REPEATS and re.search(r"\)[*+?{]", expression) is None


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])
