"""A Prometheus in memory whose series have their own labels. It reads what the analyst and a rule may ask: selectors, rate, sum, topk, >."""

import operator
import re
from collections.abc import Callable, Mapping

import numpy as np

from lens_exporter.model.tool import ToolStatus
from lens_exporter.model.window import FloatArray
from lens_exporter.prometheus.answers import MetricMetadata, QueryAnswer, Series, SeriesAnswer

Course = Callable[[FloatArray], FloatArray]
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"((?:[^"\\]|\\.)*)"')
_COMPARED = re.compile(r"(.+?)\s*(>|<|==)\s*(bool\s+)?([-\d.e]+)")
_COMPARE = {">": operator.gt, "<": operator.lt, "==": operator.eq}


class Fleet:
    """`series` gives each course with the labels of its series, __name__ included.

    With scrape (seconds) a course is seen at that distance only, and never while nobody looked, from away[0] to away[1]: then the
    last sample is repeated for five minutes, as Prometheus does.
    """

    def __init__(
        self, *series: tuple[Mapping[str, str], Course], scrape: float = 0.0, away: tuple[float, float] = (0.0, 0.0)
    ) -> None:
        self.series_of = list(series)
        self.scrape = scrape
        self.away = away

    def query_range(self, query: str, start: float, end: float, step: float) -> QueryAnswer:
        times = np.arange(start, end + step / 2, step)
        found = tuple(
            Series(labels, times[np.isfinite(values)], values[np.isfinite(values)]) for labels, values in self._eval(query, times)
        )
        found = tuple(one for one in found if one.values.size)
        return QueryAnswer(ToolStatus.DATA if found else ToolStatus.EMPTY, found)

    def query(self, query: str, at: float | None = None) -> QueryAnswer:
        return self.query_range(query, at or 0.0, at or 0.0, 1.0)

    def series(self, match: str, start: float, end: float) -> SeriesAnswer:
        return SeriesAnswer(ToolStatus.DATA, tuple(labels for labels, _ in self.series_of))

    def metadata(self, metric: str = "") -> dict[str, MetricMetadata]:
        return {}

    def _eval(self, query: str, times: FloatArray) -> list[tuple[dict[str, str], FloatArray]]:
        query = query.strip()
        if compared := _COMPARED.fullmatch(query):
            kept = self._eval(compared[1], times)
            compare = _COMPARE[compared[2]]
            met = [(labels, values, compare(values, float(compared[4]))) for labels, values in kept]
            if compared[3]:
                bare = ({name: text for name, text in labels.items() if name != "__name__"} for labels, *_ in met)
                return [
                    (labels, np.where(np.isnan(values), np.nan, true)) for labels, (_, values, true) in zip(bare, met, strict=True)
                ]
            return [(labels, np.where(true, values, np.nan)) for labels, values, true in met]
        if query.startswith("rate(") and " / rate(" in query:
            above, _, below = query.partition(" / ")
            under = {tuple(sorted(labels.items())): values for labels, values in self._eval(below, times)}
            rows = [(labels, values, under.get(tuple(sorted(labels.items())))) for labels, values in self._eval(above, times)]
            return [(labels, values / other) for labels, values, other in rows if other is not None]
        if query.startswith("sum(") and query.endswith(")"):
            rows = [values for _, values in self._eval(query[4:-1], times)]
            return [({}, np.where(np.isfinite(rows).any(axis=0), np.nansum(rows, axis=0), np.nan))] if rows else []
        if query.startswith("topk(3, "):
            rows = self._eval(query[8:-1], times)
            return sorted(rows, key=lambda row: -row[1][-1])[:3]
        if query.startswith("rate("):
            inner = re.sub(r"\[\w+\]\)$", "", query[5:])
            return [
                ({k: v for k, v in labels.items() if k != "__name__"}, np.gradient(v_, times))
                for labels, v_ in self._eval(inner, times)
            ]
        if query.startswith("max(timestamp("):
            taken = self._taken(times)
            rows = [values for _, values in self._eval(query[14:-2], times)] if self.scrape else []
            return [({}, np.where(np.isfinite(rows).any(axis=0), taken, np.nan))] if rows else []
        name, _, rest = query.partition("{")
        taken = self._taken(times)
        shown = times - taken <= 300.0
        return [
            (dict(labels), np.where(shown, course(taken).astype(float), np.nan))
            for labels, course in self.series_of
            if name in {"", labels["__name__"]} and all(_matches(labels, *one) for one in _MATCHER.findall(rest))
        ]

    def _taken(self, times: FloatArray) -> FloatArray:
        """When the sample was taken that each moment shows."""
        if not self.scrape:
            return times
        begin, end = self.away
        taken = np.floor(times / self.scrape) * self.scrape
        return np.where((taken > begin) & (taken < end), np.floor(begin / self.scrape) * self.scrape, taken)


def _matches(labels: Mapping[str, str], name: str, how: str, text: str) -> bool:
    value, text = labels.get(name, ""), text.replace('\\"', '"').replace("\\\\", "\\")
    same = value == text if how in {"=", "!="} else re.fullmatch(text, value) is not None
    return same if how in {"=", "=~"} else not same
