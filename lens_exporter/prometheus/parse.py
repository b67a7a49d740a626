"""From the JSON of the Prometheus HTTP API to values. Shapes that are not the API's raise KeyError, TypeError or ValueError."""

from typing import Any

import numpy as np
import orjson

from lens_exporter.model.labels import Labels
from lens_exporter.model.tool import ToolStatus
from lens_exporter.prometheus.answers import (
    ActiveAlert,
    MetricMetadata,
    QueryAnswer,
    Series,
    SeriesAnswer,
    ServerRule,
    Table,
)

_SHOWN = 120  # characters


def query_answer(table: Table, warnings: tuple[str, ...], max_series: int) -> QueryAnswer:
    """Give the series of an answer one by one. More than `max_series` are cut in the order of their labels."""
    if table.kind == "string":
        return QueryAnswer(ToolStatus.EMPTY, (), warnings, "the expression is a string, not a number")
    label_sets = [labels(text) for text in table.labels]
    order = sorted(range(len(label_sets)), key=lambda one: _order(label_sets[one]))
    ends = np.cumsum(table.counts)
    series = (
        Series(label_sets[one], *(column[ends[one] - table.counts[one] : ends[one]] for column in (table.times, table.values)))
        for one in order[:max_series]
    )
    status, note = bounded(len(order), max_series, "series")
    return QueryAnswer(status, tuple(series), warnings, note)


def labels(text: bytes) -> dict[str, str]:
    """Read the JSON text of one series' labels."""
    return _labels(orjson.loads(text))


def left_out(table: Table) -> tuple[str, ...]:
    """Say which series of an answer are no numbers."""
    if not table.histograms:
        return ()
    return (f"native histograms in {table.histograms} series were left out; use histogram_quantile() or _count",)


def label_sets(data: Any, warnings: tuple[str, ...], max_series: int) -> SeriesAnswer:
    """Read the data of /series."""
    found = sorted((_labels(entry) for entry in data), key=_order)
    status, note = bounded(len(found), max_series, "series")
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


def rules(data: Any) -> tuple[ServerRule, ...]:
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


def _rule(group: str, rule: Any) -> ServerRule:
    return ServerRule(
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


def _labels(entry: Any) -> dict[str, str]:
    # A label without a name would break whatever repeats it, our /metrics first; one without a value is the same as none.
    if not all(name and isinstance(value, str) for name, value in entry.items()):
        raise ValueError(f"labels {str(entry)[:_SHOWN]}")
    return {name: value for name, value in entry.items() if value}


def _order(labels: Labels) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


def bounded(found: int, limit: int, noun: str) -> tuple[ToolStatus, str]:
    """Say whether all of what was found is given, and what is not."""
    if found > limit:
        return ToolStatus.TRUNCATED, f"{found - limit:,} of {found:,} {noun} left out, the limit is {limit:,} (max_series)"
    return (ToolStatus.DATA, "") if found else (ToolStatus.EMPTY, f"no {noun}")
