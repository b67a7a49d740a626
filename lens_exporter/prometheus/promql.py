"""Just enough PromQL to know what a query reads: its selectors, their ranges, and the subqueries around them.

Not a parser: the server judges the syntax. What is not understood is counted as an hour, never as nothing.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from lens_exporter.model.duration import UNITS

_TOKEN = re.compile(
    r"""
    (?P<skip> \s+ | \#[^\n]* )
  | (?P<text> "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | `[^`]*` )
  | (?P<braces> \{ (?: "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | `[^`]*` | [^}"'`] )* \} )
  | (?P<brackets> \[ [^\]]* \] )
  | (?P<number> (?:0x[0-9a-fA-F]+ | \d[\d_.]*(?:[eE][+-]?\d+)?(?:[a-z]+[\d.a-z]*)?) )
  | (?P<name> [a-zA-Z_:][a-zA-Z0-9_:.]* )
  | (?P<open> \( )
  | (?P<close> \) )
  | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdwy])")  # more than Prometheus takes: MetricsQL has 1.5h
_UNKNOWN_RANGE = 3600.0
# Words that stand before or between operands and select nothing.
_LABEL_LISTS = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
# What ends the operands of a division: all that binds less, and behind it also what binds alike.
_BEFORE = frozenset({"(", "+", "-", "=", "!", "<", ">", ",", "and", "or", "unless"})
_BEHIND = _BEFORE - {"("} | {")", "*", "/", "%"}
_KEYWORDS = _LABEL_LISTS | {"bool", "offset", "and", "or", "unless", "atan2", "start", "end", "inf", "nan", "limit"}


@dataclass(frozen=True, slots=True)
class Subquery:
    range: float  # seconds
    resolution: float | None  # seconds; None: the server's default


@dataclass(frozen=True, slots=True)
class SelectorReading:
    """One selector. range is how far back it reads at each evaluation (0: the newest sample only); outermost subquery first."""

    range: float
    subqueries: tuple[Subquery, ...] = ()

    @property
    def reach(self) -> float:
        """How far before the evaluated time the oldest sample may lie, in seconds."""
        return self.range + sum(subquery.range for subquery in self.subqueries)


@dataclass(frozen=True, slots=True)
class Selection:
    """A selector as it is written: where it begins and ends in the query, its metric ("" for none), the text between its braces."""

    begin: int
    end: int
    metric: str
    matchers: str


@dataclass(slots=True)
class _Selector:
    at: int  # index of its token
    range: float = 0.0


def readings(query: str) -> list[SelectorReading]:
    """List every selector in the query with its range and its enclosing subqueries."""
    tokens = _tokens(query)
    return list(_read(tokens, _parentheses(tokens)).values())


def selections(query: str) -> list[Selection]:
    """List every selector in the query as it is written, in the order of `readings`."""
    found = [match for match in _TOKEN.finditer(query) if match.lastgroup != "skip"]
    tokens = [(str(match.lastgroup), match.group()) for match in found]
    lists = _label_lists(tokens, _parentheses(tokens))
    selected = []
    for index, (kind, text) in enumerate(tokens):
        if index in lists or not _is_selector(tokens, index, kind, text):
            continue
        last = index + 1 if kind == "name" and index + 1 < len(tokens) and tokens[index + 1][0] == "braces" else index
        inside = tokens[last][1][1:-1] if tokens[last][0] == "braces" else ""
        selected.append(Selection(found[index].start(), found[last].end(), text if kind == "name" else "", inside))
    return selected


def rewritten(query: str, matchers: Callable[[Selection], str]) -> str:
    """Write a query anew, with other matchers in each of its selectors."""
    parts, end = [], 0
    for one in selections(query):
        parts += [query[end : one.begin], f"{one.metric}{{{matchers(one)}}}"]
        end = one.end
    return "".join((*parts, query[end:]))


def filling(query: str) -> list[SelectorReading]:
    """List, of the readings, those that say too little while their range fills.

    Of a ratio whose parts read equally far back both are short of the same, and so are the buckets of a quantile: these are right
    at once.
    """
    tokens = _tokens(query)
    pairs = _parentheses(tokens)
    found = _read(tokens, pairs)
    balanced = _balanced(tokens, pairs, found)
    return [reading for at, reading in found.items() if at not in balanced]


def _tokens(query: str) -> list[tuple[str, str]]:
    return [(str(match.lastgroup), match.group()) for match in _TOKEN.finditer(query) if match.lastgroup != "skip"]


def _read(tokens: list[tuple[str, str]], pairs: dict[int, int]) -> dict[int, SelectorReading]:
    """Give the reading of each selector, by the index of its token."""
    lists = _label_lists(tokens, pairs)
    selectors: list[_Selector] = []
    spans: list[tuple[int, int, Subquery]] = []  # first token, last token, and the subquery over them
    for index, (kind, text) in enumerate(tokens):
        if index in lists:
            continue
        if kind == "brackets":
            _bracket(text, index, selectors, spans, pairs, tokens)
        elif _is_selector(tokens, index, kind, text):
            selectors.append(_Selector(index))
    return {
        selector.at: SelectorReading(
            selector.range, tuple(sub for first, last, sub in reversed(spans) if first <= selector.at <= last)
        )
        for selector in selectors
    }


def _balanced(tokens: list[tuple[str, str]], pairs: dict[int, int], readings: dict[int, SelectorReading]) -> set[int]:
    """Give the indices of all tokens in ratios whose parts both read ranges, equally far back, and in quantiles."""
    closed = {first: last for last, first in pairs.items()}
    found: set[int] = set()
    for index, (kind, text) in enumerate(tokens):
        if text == "histogram_quantile" and index + 1 in closed:
            found.update(range(index, closed[index + 1]))
        if (kind, text) != ("other", "/"):
            continue
        first, last = index, index + 1
        while first and tokens[first - 1][1].lower() not in _BEFORE:
            first = pairs.get(first - 1, first - 1)
        while last < len(tokens) and tokens[last][1].lower() not in _BEHIND:
            last = closed.get(last, last) + 1
        parts = range(first, index), range(index + 1, last)
        above, below = (max((readings[at].reach for at in part if at in readings), default=0.0) for part in parts)
        if above == below > 0.0:
            found.update(*parts)
    return found


def _is_selector(tokens: list[tuple[str, str]], index: int, kind: str, text: str) -> bool:
    following = tokens[index + 1] if index + 1 < len(tokens) else ("", "")
    if kind == "name":
        if text.lower() in _KEYWORDS and following[0] != "braces":
            return False
        # A name before a parenthesis, or before `by (...)`, is a function or an aggregation.
        return following[0] != "open" and following[1].lower() not in {"by", "without"}
    return kind == "braces" and (index == 0 or tokens[index - 1][0] != "name")


def _bracket(
    text: str,
    index: int,
    selectors: list[_Selector],
    spans: list[tuple[int, int, Subquery]],
    pairs: dict[int, int],
    tokens: list[tuple[str, str]],
) -> None:
    length, colon, resolution = text[1:-1].partition(":")
    if not colon:
        if selectors:
            selectors[-1].range = _seconds(length)
        return
    first = _operand(index - 1, pairs, tokens)
    spans.append((first, index, Subquery(_seconds(length), _seconds(resolution) if resolution.strip() else None)))


def _operand(last: int, pairs: dict[int, int], tokens: list[tuple[str, str]]) -> int:
    """Find where the operand begins that ends with token `last`."""
    if last < 0:
        return 0
    kind, _text = tokens[last]
    if kind == "close" and last in pairs:
        first = pairs[last]
        before = tokens[first - 1] if first else ("", "")
        if before[1].lower() in _LABEL_LISTS:  # sum(x) by (y)[1h:1m]: the operand is the aggregation before the list
            return _operand(first - 2, pairs, tokens)
        return first
    if kind == "brackets":  # a subquery of a subquery, or one over a range selector
        return _operand(last - 1, pairs, tokens)
    if kind == "braces" and last and tokens[last - 1][0] == "name":
        return last - 1
    return last


def _parentheses(tokens: list[tuple[str, str]]) -> dict[int, int]:
    """Map the index of each closing parenthesis to that of its opening one."""
    pairs: dict[int, int] = {}
    opened: list[int] = []
    for index, (kind, _text) in enumerate(tokens):
        if kind == "open":
            opened.append(index)
        elif kind == "close" and opened:
            pairs[index] = opened.pop()
    return pairs


def _label_lists(tokens: list[tuple[str, str]], pairs: dict[int, int]) -> set[int]:
    """Give the indices of tokens inside `by (...)` and its like: label names, which select nothing."""

    def inside() -> Iterator[int]:
        for last, first in pairs.items():
            if first and tokens[first - 1][1].lower() in _LABEL_LISTS:
                yield from range(first, last)

    return set(inside())


def _seconds(text: str) -> float:
    text = text.strip()
    parts = _DURATION.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return float(sum(Decimal(number) * UNITS[unit] for number, unit in parts))
    try:
        return float(text)  # Prometheus 3 takes plain seconds
    except ValueError:
        return _UNKNOWN_RANGE
