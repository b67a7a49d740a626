"""Whether a claimed number is in the numbers seen: directly, in another unit, rounded, or derived from two of them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations, permutations

from lens_exporter.baseline.quoted import Quoted, Unit, quoted

_TIME_WORDS = {"at", "time", "times", "since", "onset", "start", "end", "started", "created", "timestamp"}
_RATE_NAMES = {"per_second": 1.0, "per_minute": 60.0, "per_hour": 3600.0, "per_day": 86_400.0}
# Statistics of one series that people set against each other. Any two would do for any claim: of the nine numbers of a series
# some pair gives nearly every small percentage.
_PAIRS = frozenset(
    {
        frozenset({"first", "last"}),
        frozenset({"before", "after"}),
        frozenset({"min", "max"}),
    }
)
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9/`'\"(])")
_FEW_GROUPS = 3  # as many series may be compared with each other, by the same statistic


@dataclass(frozen=True, slots=True)
class Seen:
    """One number of a receipt. group is the series or object it belongs to, statistic its last name: r2.1 and first."""

    group: str
    statistic: str
    value: float
    receipt: str

    @property
    def is_time(self) -> bool:
        """Whether it is a moment in Unix seconds, by its name and its size."""
        return 1e9 <= abs(self.value) < 5e9 and self.statistic.rsplit("_", 1)[-1] in _TIME_WORDS


def seen(numbers: Mapping[str, Mapping[str, float]]) -> tuple[Seen, ...]:
    """Flatten {receipt: {name: value}}."""
    return tuple(
        Seen(".".join([receipt, *name.split(".")[:-1]]), name.rsplit(".", 1)[-1], float(value), receipt)
        for receipt, values in numbers.items()
        for name, value in values.items()
    )


def sentences(text: str) -> list[str]:
    """Part a text into its sentences, so that one can be struck without the others."""
    return _SENTENCE.split(text)


def unproved(text: str, numbers: Sequence[Seen]) -> list[str]:
    """List the numbers of `text`, as written, that are in none of `numbers`."""
    return [number.text for number in quoted(text) if not proved(number, numbers)]


def proved(number: Quoted, numbers: Sequence[Seen]) -> bool:
    """Whether some seen or derived value, shown with the digits of `number`, reads as `number`."""
    if number.unit is Unit.CLOCK:
        return any(_same_moment(number, one.value) for one in numbers if one.is_time)
    return any(_reads_as(number, value, scale) for value, scale in _candidates(number, numbers))


def _reads_as(number: Quoted, value: float, scale: float) -> bool:
    claimed, actual = number.value, value / scale
    if not number.signed:
        claimed, actual = abs(claimed), abs(actual)
    return abs(claimed - actual) <= number.half * (1 + 1e-9) + abs(actual) * 1e-12


def _same_moment(number: Quoted, at: float) -> bool:
    moment = datetime.fromtimestamp(at, UTC)
    if number.date and not moment.date().isoformat().endswith(number.date):
        return False
    if not number.has_time:
        return True
    # To the minute, cut or rounded.
    return any(int(shown) % 1440 == number.value for shown in (at // 60, (at + 30) // 60))


def _candidates(number: Quoted, numbers: Sequence[Seen]) -> Iterator[tuple[float, float]]:
    """Yield (value, scale): a value in base units and the factor from the claim's unit to base units."""
    values = [one for one in numbers if not one.is_time]
    for one in values:
        yield from ((one.value, scale) for scale in _direct_scales(number, one))
    if number.rate is not None:
        yield from _rates(number, number.rate, numbers)
        return
    if number.unit is Unit.SECONDS:
        moments = [one for one in numbers if one.is_time]
        spans = ((a, b) for a, b in combinations(moments, 2) if a.group == b.group or a.statistic == b.statistic)
        yield from ((a.value - b.value, scale) for a, b in spans for scale in number.scales)
    if number.unit is Unit.NONE and number.digits < 2 and not number.per:
        return  # a bare digit would be the difference of some pair or other: it must have been seen itself
    pairs = list(_comparable(values))
    if number.unit in {Unit.PERCENT, Unit.TIMES} or number.per:
        ratios = [*pairs, *_per_piece(values)] if number.per else pairs
        yield from ((a.value / b.value, scale) for a, b in ratios if b.value for scale in number.scales)
    if number.unit is Unit.PERCENT:
        yield from ((a.value / b.value - 1, scale) for a, b in pairs if b.value for scale in number.scales)
    if number.unit is not Unit.TIMES:
        yield from ((a.value - b.value, scale) for a, b in pairs for scale in number.scales)


def _direct_scales(number: Quoted, one: Seen) -> Iterator[float]:
    if number.rate is not None and one.statistic in _RATE_NAMES:
        yield from (scale * _RATE_NAMES[one.statistic] / number.rate for scale in number.scales)
        return
    yield from number.scales
    if number.rate is not None:  # one.value is per second, as PromQL's rate() gives it
        yield from (scale / number.rate for scale in number.scales)
    words = re.split(r"[._]", one.statistic.lower())
    if number.written and number.written in words:  # rss_mb, lag_ms: seen in the claim's own unit
        yield 1.0
    if number.unit is Unit.PERCENT and (abs(number.value) > 1 or words[-1] == "percent"):  # a metric that counts in percent
        yield 1.0


def _comparable(values: Sequence[Seen]) -> Iterator[tuple[Seen, Seen]]:
    """Yield ordered pairs that one would compare: before and after, use and limit of one thing, or the same of two things."""
    few = len({one.group for one in values}) <= _FEW_GROUPS
    for a, b in permutations(values, 2):
        named = frozenset({a.statistic, b.statistic}) in _PAIRS or _is_part(a, b) or _is_part(b, a)
        if named if a.group == b.group else few and a.statistic == b.statistic:
            yield a, b


def _per_piece(values: Sequence[Seen]) -> Iterator[tuple[Seen, Seen]]:
    """Yield what "0.9 MB per open file" divides: two numbers of one live answer, or the same statistic of two series."""
    shapes = frozenset[str]().union(*_PAIRS)
    for a, b in permutations(values, 2):
        if a.statistic == b.statistic or (a.group == b.group and not shapes & {a.statistic, b.statistic}):
            yield a, b


def _is_part(part: Seen, whole: Seen) -> bool:
    """Whether the names say so: memory_bytes of memory_limit_bytes, used of limit, files of a pattern of all files."""
    words = whole.statistic.split("_")
    if "limit" in words or "total" in words:
        rest = [word for word in words if word not in {"limit", "total"}]
        return part.statistic.split("_") in (rest, [*rest, "used"], ["used", *rest], ["used"])
    return part.statistic.startswith("pattern:") and not whole.statistic.startswith("pattern:")


def _rates(number: Quoted, per: float, numbers: Sequence[Seen]) -> Iterator[tuple[float, float]]:
    """Yield the slopes between two points of one series, where each value has its time beside it: first and first_at."""
    at = {(one.group, one.statistic.removesuffix("_at")): one.value for one in numbers if one.is_time}
    points = [(one, at[one.group, one.statistic]) for one in numbers if (one.group, one.statistic) in at and not one.is_time]
    for (a, a_at), (b, b_at) in combinations(points, 2):
        if a.group == b.group and a_at != b_at:
            yield from (((a.value - b.value) / (a_at - b_at), scale / per) for scale in number.scales)
