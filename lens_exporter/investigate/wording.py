"""Series, numbers and moments in the words of a claim: short, and so that code finds every number of it in a receipt."""

import re
from collections.abc import Mapping, Sequence

from lens_exporter.baseline import numbers as words
from lens_exporter.baseline.naming import cleaned
from lens_exporter.baseline.quoted import quoted
from lens_exporter.investigate.course import Came, Course
from lens_exporter.investigate.families import family_of
from lens_exporter.investigate.limits import is_limit
from lens_exporter.investigate.notebook import Notebook, Noted
from lens_exporter.investigate.selectors import BRACES
from lens_exporter.model import labels as label_sets

_LABELS = 3  # of a series in a claim
_EXACT, _WHOLE_MINUTES = 60.0, 120.0  # seconds
_LABEL_VALUE = re.compile(r"[^{}\"\\\s]{1,60}")
_CPU_TIME = re.compile(r"cpu.*_seconds(_total|_sum)?$")
_TIME_SPENT = re.compile(r"_seconds(_total|_sum)?$")
_UNITS = (("_bytes", "bytes"), ("_ratio", "ratio"), ("_seconds", "seconds"))
_NAME = re.compile(r"[a-zA-Z_:][\w:]*")
_RATES = {"rate", "irate", "increase"}
_KEEP_UNITS = {"sum", "min", "max", "avg", "topk", "histogram_quantile", "max_over_time", "min_over_time", "avg_over_time"}


def unit_of(metric: str) -> str:
    """Give the unit that a metric's name ends in, "" where it names none."""
    name = metric.removesuffix("_total")
    return next((unit for ending, unit in _UNITS if name.endswith(ending)), "")


def value(number: float, metric: str, *, per_second: bool = False) -> str:
    """Write a value of a metric with its unit; of a counter, its rate."""
    if not per_second:
        return words.number(number, unit_of(metric))
    if _CPU_TIME.search(metric):
        return f"{round(number, 2):g} cores"
    if _TIME_SPENT.search(metric):
        return f"{words.number(number, 'ratio')} of the time"
    if unit_of(metric) == "bytes":
        return f"{words.number(number, 'bytes')}/s"
    return words.number(number, "per_second")


def measured(one: Course | Came) -> str:
    """Give the metric whose unit the values of a query have, "" where that cannot be told."""
    if one.labels.get("__name__"):
        return one.labels["__name__"]
    metrics = [name.removesuffix("_bucket") for name in _named(one.query)]
    return metrics[0] if len(metrics) == 1 else ""


def measured_rate(one: Course) -> tuple[str, bool]:
    """Give the metric whose values a query gives, or whose rate in a second: then the second is true. "" where it is neither."""
    return (one.labels["__name__"], False) if one.labels.get("__name__") else measured_by(one.query)


def measured_by(query: str) -> tuple[str, bool]:
    """Give the metric whose values a query gives, or whose rate in a second: then the second is true. "" where it is neither."""
    match _named(query):
        case ["rate" | "irate", metric]:
            return metric, True
        case [metric]:
            return metric.removesuffix("_bucket"), False
        case _:
            return "", False


def _named(query: str) -> list[str]:
    names = _NAME.findall(re.sub(rf"{BRACES}|\[[^\[\]]*\]|\b(?:by|without)\s*\([^()]*\)", " ", query))
    of_buckets = "histogram_quantile" in names  # their rate is no unit: a quantile has that of what was observed
    return [name for name in names if name not in _KEEP_UNITS and not (of_buckets and name in _RATES)]


def change(one: Noted) -> str:
    """Write how a series moved: "61 -> 1,461 of 4,096"; "steady at 18" where it did not."""
    before, after = (value(number, one.metric, per_second=one.per_second) for number in (one.before, one.after))
    if before == after:
        return f"steady at {after}"
    limit = f" of {value(one.limit, one.metric)}" if one.limit is not None and unit_of(one.metric) != "ratio" else ""
    return f"{before} -> {after}{limit}"


def speed(one: Noted, at: float) -> str:
    """Say how fast it goes since its onset, and when it would be full, where it goes along a line: ", up 38 MB a minute".

    It is read later, too, when the alert is over: so a forecast names its moment, and that it is one.
    """
    if not one.per_minute or one.per_second or one.onset is None or one.over:
        return ""
    pace = words.rate(one.per_minute / 60.0, unit_of(one.metric), at - one.onset)
    end = "full" if one.per_minute > 0 else "used up"
    full = "" if one.full_at is None else f", at that pace {end} at about {words.clock(one.full_at, at)}"
    return f", {'up' if one.per_minute > 0 else 'down'} {pace}{full}"


def when(at: float | None, notes: Notebook) -> str:
    """Write a moment as hours and minutes, with the day where it is another one."""
    return words.clock(at, notes.task.at) if at is not None else "an unknown time"


def onset(one: Noted, notes: Notebook) -> str:
    """Write when a series began to move; of a line that is known less exactly than to the minute."""
    return f"{'about ' if one.within > _EXACT else ''}{when(one.onset, notes)}"


def span(begin: float | None, end: float | None, notes: Notebook) -> str:
    """Write a stretch of time: "14:07 to 14:12"."""
    first, last = when(begin, notes), when(end, notes)
    return f"at {first}" if first == last else f"{first} to {last}"


def comes_and_goes(notes: Notebook, *, beside: bool = False) -> str:
    """Write how what alerts comes and goes; "" where it does not.

    beside: something has left its normal, beside which it is no news that a rule is met now and then as ever.
    """
    one = notes.came
    if one is None or (beside and one.always and not one.even):
        return ""
    if one.by_rule:
        how = "its rule was met"
    else:
        how = " to ".join(value(number, measured(one)) for number in (one.level, one.there)) + ","
    rhythm = f", every {apart(one.between)}" if one.even else ""
    last = f"the last since {when(one.last_at, notes)}" if one.until is None else f"the last {span(one.last_at, one.until, notes)}"
    return f"it comes and goes: {how} {one.times:,} times since {when(one.first_at, notes)}{rhythm}, {last}"


def apart(seconds: float) -> str:
    """Write a distance in time: from two minutes on, nobody needs their quarters."""
    return words.number(seconds if seconds < _WHOLE_MINUTES else 60.0 * round(seconds / 60.0), "seconds")


def resource(one: Noted, notes: Notebook) -> str:
    """Name what a series counts: its family, with what tells it from others where there are others; a limit by its own name."""
    family = family_of(one.metric, one.labels)
    if family is None or is_limit(one.metric):
        return series(one, notes)
    extra = told_apart(one.labels, notes.task.target) if one.alike > 1 else {}
    return f"{family.name}{label_sets.selector(extra) if extra else ''}"


def series(one: Noted, notes: Notebook) -> str:
    """Write a series as PromQL would, without the labels that the whole target has."""
    written = label_sets.selector(told_apart(one.labels, notes.task.target), metric=one.metric)
    return f"mean {written}" if one.mean else written


def told_apart(labels: Mapping[str, str], target: Mapping[str, str]) -> dict[str, str]:
    """Give the labels that are not the target's. Values that would not read as one label are left to the receipt."""
    readable = (name for name, text in sorted(labels.items()) if _LABEL_VALUE.fullmatch(text) and cleaned(text) == text)
    own = [name for name in readable if target.get(name) != labels[name]]
    return {name: labels[name] for name in own[:_LABELS]}


def word(text: str) -> str:
    """Make one word of what strangers named, whose digits claim nothing and whose characters are all to be seen."""
    one = re.sub(r"\s", "_", cleaned(text)) or "unnamed"
    return re.sub(r"\d", "*", one) if quoted(one) else one


def joined(parts: Sequence[str]) -> str:
    """Join clauses: "a, b and c"."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1]))) if parts else ""


def sentence(text: str) -> str:
    """Begin it with a capital, unless it begins with a name of others, and end it with a full stop."""
    plain = re.match(r"[a-z]+[ ,:;]", text)
    return f"{text[:1].upper() if plain else text[:1]}{text[1:].rstrip('.')}."
