"""What a model is shown of a look, and every number in it: what it says is later held against these."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from lens_exporter.baseline.evidence import Seen, seen
from lens_exporter.baseline.naming import cleaned
from lens_exporter.baseline.numbers import clock, interval, number
from lens_exporter.baseline.reading.course import Course
from lens_exporter.model.decision import Anomaly, Observation, Phase
from lens_exporter.model.labels import Labels

_MOST_LABELS = 12
_MOST_SERIES = 20  # of a look in which nothing is flagged
_UNUSUAL = {Phase.ANOMALY, Phase.DEVIATING}


@dataclass(frozen=True, slots=True)
class Facts:
    text: str  # for a model; names and labels in it come from strangers
    numbers: tuple[Seen, ...]


def flagged(anomaly: Anomaly, course: Course, step: float) -> Facts:
    """Show an anomaly: the series that carries it with its course, then what else moved."""
    carrier, *others = anomaly.evidence
    sheet = _Sheet()
    sheet.line(f"flagged: {anomaly.anomaly_type}, severity {anomaly.severity.value}, rule {anomaly.rule.value}")
    sheet.series("carrier", carrier)
    readings = max(1, round((carrier.at - anomaly.since) / step) + 1)
    sheet.line(f"  since {clock(anomaly.since, carrier.at)} UTC: {readings} readings, one every {number(step, 'seconds')}")
    sheet.note("carrier", readings=readings, step=step, anomaly_since=anomaly.since)
    sheet.readings("last readings, oldest first", course.recent, carrier.unit)
    sheet.hour("same hour the day before", "yesterday", course.yesterday, carrier.unit)
    sheet.hour("same hour the week before", "last_week", course.last_week, carrier.unit)
    sheet.line("moved with it:" if others else "nothing else tracked here moved")
    for place, other in enumerate(others):
        sheet.series(f"other{place}", other)
    return sheet.facts()


def unflagged(observations: Sequence[Observation]) -> Facts:
    """Show a look in which nothing is flagged: the series furthest from normal, and how many there are."""
    sheet = _Sheet()
    furthest = sorted(observations, key=lambda one: -abs(one.score or 0.0))
    shown = furthest[:_MOST_SERIES]
    sheet.line(f"nothing is flagged; the {len(shown)} of {len(observations)} series that are furthest from normal:")
    sheet.note("look", shown=len(shown), series=len(observations))
    for place, one in enumerate(shown):
        sheet.series(f"series{place}", one)
    return sheet.facts()


class _Sheet:
    """Collects lines, and the numbers they show by group and name."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._numbers: dict[str, float] = {}

    def line(self, text: str) -> None:
        self._lines.append(text)

    def note(self, group: str, **numbers: float | None) -> None:
        self._numbers |= {f"{group}.{name}": value for name, value in numbers.items() if value is not None}

    def series(self, group: str, one: Observation) -> None:
        unit = one.unit
        parts = [f"{cleaned(one.metric)} {{{_labels(one.target)}}}: {number(one.value, unit)}"]
        if one.expected is not None and one.lower is not None and one.upper is not None:
            parts.append(f"expected {number(one.expected, unit)}, band {interval(one.lower, one.upper, unit)}")
        if one.score is not None:
            parts.append(f"score {one.score:.1f} (1 is the edge of the band)")
        if one.phase in _UNUSUAL and one.since is not None:
            where = "outside" if one.score is None or abs(one.score) >= 1.0 else "beside what is expected"
            parts.append(f"{where} since {clock(one.since, one.at)} UTC")
        if one.full_at is not None:
            parts.append(f"reaches its limit at {clock(one.full_at, one.at)} UTC")
        self.line("; ".join(parts))
        self.note(group, value=one.value, expected=one.expected, lower=one.lower, upper=one.upper, score=one.score)
        self.note(group, at=one.at, since=one.since, full_at=one.full_at)

    def readings(self, title: str, values: Sequence[float], unit: str) -> None:
        self.line(f"  {title}: {', '.join(number(value, unit) for value in values) or 'not known'}")
        self.note("recent", **{f"reading{place}": value for place, value in enumerate(values)}, **_summary(values))

    def hour(self, title: str, group: str, values: Sequence[float], unit: str) -> None:
        if not values:
            self.line(f"  {title}: not known")
            return
        middle = number(median(values), unit)
        self.line(f"  {title}: {interval(min(values), max(values), unit)}, median {middle}")
        self.note(group, median=median(values), **_summary(values))

    def facts(self) -> Facts:
        return Facts("\n".join(self._lines), seen({"window": self._numbers}))


def _summary(values: Sequence[float]) -> dict[str, float]:
    return {"first": values[0], "last": values[-1], "min": min(values), "max": max(values)} if values else {}


def _labels(target: Labels) -> str:
    pairs: Iterable[str] = (f"{cleaned(name)}={cleaned(value)}" for name, value in sorted(target.items())[:_MOST_LABELS])
    return ", ".join(pairs)
