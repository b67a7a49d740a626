"""From the JSON of the Prometheus HTTP API to values. Shapes that are not the API's raise KeyError, TypeError or ValueError."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lens_exporter.model.labels import Labels
from lens_exporter.model.tool import ToolStatus
from lens_exporter.prometheus.answers import (
    ActiveAlert,
    MetricMetadata,
    QueryAnswer,
    Rule,
    Series,
    SeriesAnswer,
)

_SHOWN = 120  # characters


def query_answer(data: Any, warnings: tuple[str, ...], max_series: int) -> QueryAnswer:
    """Read the data of /query and /query_range. More than `max_series` series are cut in the order of their labels."""
    kind, result = data["resultType"], data["result"]
    if kind == "string":
        return QueryAnswer(ToolStatus.EMPTY, (), warnings, "the expression is a string, not a number")
    if kind == "scalar":
        return QueryAnswer(ToolStatus.DATA, (_series({}, [result]),), warnings)
    if kind == "vector":
        rows = [(entry["metric"], [entry["value"]]) for entry in result if "value" in entry]
    elif kind == "matrix":
        rows = [(entry["metric"], entry["values"]) for entry in result if "values" in entry]
    else:
        raise ValueError(f"resultType {kind!r}")
    histograms = sum("histogram" in entry or "histograms" in entry for entry in result)
    if histograms:
        warnings = (*warnings, f"native histograms in {histograms} series were left out; use histogram_quantile() or _count")
    rows.sort(key=lambda row: _order(row[0]))
    status, note = _bounded(len(rows), max_series, "series")
    return QueryAnswer(status, tuple(_series(labels, samples) for labels, samples in rows[:max_series]), warnings, note)


def label_sets(data: Any, warnings: tuple[str, ...], max_series: int) -> SeriesAnswer:
    """Read the data of /series."""
    found = sorted((_labels(entry) for entry in data), key=_order)
    status, note = _bounded(len(found), max_series, "series")
    return SeriesAnswer(status, tuple(found[:max_series]), warnings, note)


def texts(data: Any) -> tuple[str, ...]:
    """Read warnings or infos, which may be left out."""
    if not isinstance(data, list | None):
        raise TypeError(f"{type(data).__name__} where a list of texts belongs")
    return tuple(map(str, data or ()))


def metadata(data: Any) -> dict[str, MetricMetadata]:
    """Read the data of /metadata. Targets may disagree about a metric; the first answer is taken."""
    return {
        name: MetricMetadata(str(entries[0].get("type", "")), str(entries[0].get("help", "")), str(entries[0].get("unit", "")))
        for name, entries in data.items()
        if entries
    }


def rules(data: Any) -> tuple[Rule, ...]:
    """Read the data of /rules."""
    return tuple(_rule(str(group["name"]), rule) for group in data["groups"] for rule in group["rules"])


def active_alerts(data: Any) -> tuple[ActiveAlert, ...]:
    """Read the data of /alerts."""
    return tuple(
        ActiveAlert(
            str(entry["state"]),
            _labels(entry["labels"]),
            _labels(entry.get("annotations") or {}),
            str(entry.get("activeAt", "")),
            float(entry.get("value", "nan")),
        )
        for entry in data["alerts"]
    )


def _rule(group: str, rule: Any) -> Rule:
    return Rule(
        group,
        str(rule["type"]),
        str(rule["name"]),
        str(rule["query"]),
        str(rule.get("state", "")),
        str(rule.get("health", "")),
        str(rule.get("lastError", "")),
        float(rule.get("duration", 0.0)),
        _labels(rule.get("labels") or {}),
        _labels(rule.get("annotations") or {}),
    )


def _series(labels: Any, samples: Sequence[Any]) -> Series:
    times = np.array([sample[0] for sample in samples], dtype=np.float64)
    # Values are text: "1.5", "NaN", "+Inf"; float() reads all of them.
    return Series(_labels(labels), times, np.array([float(sample[1]) for sample in samples], dtype=np.float64))


def _labels(entry: Any) -> dict[str, str]:
    # A label without a name would break whatever repeats it, our /metrics first; one without a value is the same as none.
    if not all(name and isinstance(value, str) for name, value in entry.items()):
        raise ValueError(f"labels {str(entry)[:_SHOWN]}")
    return {name: value for name, value in entry.items() if value}


def _order(labels: Labels) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


def _bounded(found: int, limit: int, noun: str) -> tuple[ToolStatus, str]:
    if found > limit:
        return ToolStatus.TRUNCATED, f"{found - limit:,} of {found:,} {noun} left out, the limit is {limit:,}"
    return (ToolStatus.DATA, "") if found else (ToolStatus.EMPTY, f"no {noun}")
