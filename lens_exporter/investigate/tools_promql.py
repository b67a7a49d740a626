"""What an investigator may ask Prometheus. Ranges are answered as the shape of each series, never as matrices."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Protocol

import numpy as np
from pydantic import BaseModel, Field, StringConstraints, model_validator

from lens_exporter.foundation.clock import rfc3339
from lens_exporter.investigate.comings import Comings, comings
from lens_exporter.investigate.moments import Moment
from lens_exporter.investigate.shape import Shape, summarise
from lens_exporter.model.labels import Labels
from lens_exporter.model.tool import Tool, ToolResult, ToolStatus
from lens_exporter.prometheus.answers import MetricMetadata, QueryAnswer, Series, SeriesAnswer

_SHOWN_SERIES = 15
_SHOWN_SAMPLES = 40
_SHOWN_METRICS = 120
_POINTS = 480  # a range is asked for in at most this many steps
_LONGEST_QUERY = 4000


class PromqlServer(Protocol):
    """The part of prometheus.Prometheus that the tools use."""

    def query(self, query: str, at: float | None = None) -> QueryAnswer: ...
    def query_range(self, query: str, start: float, end: float, step: float) -> QueryAnswer: ...
    def series(self, match: str, start: float, end: float) -> SeriesAnswer: ...
    def metadata(self, metric: str = "") -> dict[str, MetricMetadata]: ...


Query = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=_LONGEST_QUERY)]


class InstantArguments(BaseModel, extra="forbid"):
    query: Query = Field(description="PromQL")
    at: Moment = Field("now", validate_default=True)


class RangeArguments(BaseModel, extra="forbid"):
    query: Query = Field(description="PromQL that gives an instant vector; counters inside rate()")
    start: Moment = Field("now-1h", validate_default=True)
    end: Moment = Field("now", validate_default=True)
    step: float | None = Field(None, gt=0, description="seconds; chosen when left out")

    @model_validator(mode="after")
    def _ordered(self) -> "RangeArguments":
        if self.start >= self.end:
            raise ValueError("start must be before end, and not in the future")
        return self


class FindArguments(BaseModel, extra="forbid"):
    match: Query = Field(description='a series selector like {instance="api-7:9000"}')
    contains: str = Field("", max_length=100, description="only names that contain this")
    at: Moment = Field("now", validate_default=True)


def promql_tools(source: PromqlServer) -> tuple[Tool, ...]:
    """Give promql_instant, promql_range and find_metrics over one server."""
    return (
        Tool(
            "promql_instant",
            "Evaluate a PromQL expression at one moment. Answers labels and value of each series.",
            lambda arguments: instant(source, arguments),
            InstantArguments,
            repeatable=True,
        ),
        Tool(
            "promql_range",
            "Evaluate a PromQL expression over a time range. Answers each series as a shape: first, last, min, max, mean, twelve "
            "bucket means, the biggest jump and when, gaps, and the trend with its slope a minute.",
            lambda arguments: over_range(source, arguments),
            RangeArguments,
            repeatable=True,
        ),
        Tool(
            "find_metrics",
            "List the metric names that match a series selector, with type and help.",
            lambda arguments: find_metrics(source, arguments),
            FindArguments,
        ),
    )


def instant(source: PromqlServer, arguments: InstantArguments) -> ToolResult:
    """Answer the value of each series, the largest first."""
    answer = source.query(arguments.query, arguments.at)
    series = sorted((one for one in answer.series if one.values.size), key=lambda one: -abs(float(np.nan_to_num(one.values[-1]))))
    rows, seen = [], {"series": float(len(series))}
    for index, one in enumerate(series[:_SHOWN_SAMPLES], 1):
        value, at = float(one.values[-1]), float(one.times[-1])
        rows.append({"labels": dict(one.labels), "value": value})
        prefix = f"{index}." if len(series) > 1 else ""
        seen |= {f"{prefix}value": value, f"{prefix}value_at": at}
    return _result(answer, rows, seen, len(series), _SHOWN_SAMPLES)


def over_range(source: PromqlServer, arguments: RangeArguments) -> ToolResult:
    """Answer the shape of each series, the one that changed most first."""
    step, note = _step(arguments)
    start, end = arguments.start, arguments.end
    answer = source.query_range(arguments.query, start, end, step)
    shapes = [(one, shape) for one in answer.series if (shape := summarise(one.times, one.values, start, end, step)) is not None]
    shapes.sort(key=lambda pair: -_change(pair[1]))
    seen = {"series": float(len(shapes)), "start_at": start, "end_at": end}
    rows = []
    for index, (one, shape) in enumerate(shapes[:_SHOWN_SERIES], 1):
        row, numbers = _row(one, shape, step), _numbers(one.labels, shape)
        if (came := comings(one.times, one.values, start, end, step)) is not None:
            row, numbers = row | {"comes_and_goes": _came(came)}, numbers | came.numbers()
        rows.append(row)
        prefix = f"{index}." if len(shapes) > 1 else ""
        seen |= {f"{prefix}{name}": value for name, value in numbers.items()}
    result = _result(answer, rows, seen, len(shapes), _SHOWN_SERIES)
    return replace(result, note="; ".join(filter(None, (result.note, note))))


def find_metrics(source: PromqlServer, arguments: FindArguments) -> ToolResult:
    """Answer metric names in order, each with its number of series."""
    answer = source.series(arguments.match, arguments.at - 300.0, arguments.at)
    counts: dict[str, int] = {}
    for labels in answer.labels:
        name = labels.get("__name__", "")
        if arguments.contains.lower() in name.lower():
            counts[name] = counts.get(name, 0) + 1
    if not counts:
        return ToolResult(ToolStatus.EMPTY, [], "no metric matches", {"metrics": 0.0})
    described = source.metadata()
    rows = [_described(name, counts[name], described) for name in sorted(counts)[:_SHOWN_METRICS]]
    seen = {"metrics": float(len(counts)), "series": float(sum(counts.values()))}
    if len(counts) > _SHOWN_METRICS:
        return ToolResult(ToolStatus.TRUNCATED, rows, f"{len(counts) - _SHOWN_METRICS} more metrics are not shown", seen)
    return ToolResult(answer.status, rows, answer.note, seen)


def _described(name: str, series: int, described: Mapping[str, MetricMetadata]) -> dict[str, Any]:
    known = described.get(name)
    return {"name": name, "series": series} | ({"type": known.type, "help": known.help[:160]} if known else {})


def _step(arguments: RangeArguments) -> tuple[float, str]:
    span = arguments.end - arguments.start
    coarsest = max(1.0, float(np.ceil(span / _POINTS)))
    if arguments.step is None:
        return coarsest, ""
    if span / arguments.step > _POINTS:
        return coarsest, f"asked every {coarsest:g} s instead of every {arguments.step:g} s, to bound the cost"
    return arguments.step, ""


def _change(shape: Shape) -> float:
    """Say how far a series moved, relative to its size, so that small gauges are not hidden behind big ones."""
    size = max(abs(shape.low), abs(shape.high))
    return (shape.high - shape.low) / size if size else 0.0


def _row(one: Series, shape: Shape, step: float) -> dict[str, Any]:
    at = rfc3339
    row = {
        "labels": dict(one.labels),
        "first": shape.first,
        "last": shape.last,
        "min": {"value": shape.low, "at": at(shape.low_at)},
        "max": {"value": shape.high, "at": at(shape.high_at)},
        "mean": shape.mean,
        "buckets": [None if mean is None else float(f"{mean:.5g}") for mean in shape.buckets],
        "trend": shape.trend.value,
        "per_minute": shape.per_minute,
        "first_at": at(shape.first_at),
        "last_at": at(shape.last_at),
        "points": shape.count,
        "step": step,
    }
    if shape.jump is not None:
        row["biggest_jump"] = {"from": shape.jump.before, "to": shape.jump.after, "at": at(shape.jump.at)}
    if shape.gaps:
        row["gaps"] = {"count": shape.gaps, "longest_seconds": shape.longest_gap}
    return row


def _came(came: Comings) -> dict[str, Any]:
    row = {
        "times": came.times,
        "from": came.level,
        "to": came.there,
        "first_at": rfc3339(came.first_at),
        "last_at": rfc3339(came.last_at),
        "seconds_from_one_to_the_next": came.between,
        "longest_seconds": came.lasted,
        "even": came.even,
    }
    return row | ({} if came.until is None else {"until": rfc3339(came.until)})


def _numbers(labels: Labels, shape: Shape) -> dict[str, float]:
    numbers = shape.numbers()
    if labels.get("__name__", "").endswith(("time_seconds", "timestamp_seconds")):
        numbers |= {"value_time": shape.last, "earlier_value_time": shape.first}  # the values are moments themselves
    return numbers


def _result(answer: QueryAnswer, rows: list[Any], seen: dict[str, float], found: int, shown: int) -> ToolResult:
    notes = [answer.note, *answer.warnings]
    if not rows:
        return ToolResult(ToolStatus.EMPTY, [], "; ".join(dict.fromkeys(filter(None, [*notes, "no series"]))), {"series": 0.0})
    status = answer.status
    if found > shown:
        status = ToolStatus.TRUNCATED
        notes.append(f"{found - shown} more series are not shown; aggregate, or use topk()")
    return ToolResult(status, rows, "; ".join(filter(None, notes)), seen)
