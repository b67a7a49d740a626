"""History on an even grid, fetched from Prometheus: its memory is ours."""

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np

from lens_exporter.errors import (
    AnswerTooLarge,
    BreakerOpen,
    ConcurrencyReached,
    QueryError,
    QueryTooLarge,
    RemoteError,
    RemoteTimeout,
    Unreachable,
)
from lens_exporter.model.labels import Labels
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import FloatArray, Window
from lens_exporter.prometheus import cost, parse
from lens_exporter.prometheus.answers import Table
from lens_exporter.prometheus.client import Prometheus
from lens_exporter.prometheus.roster import AnswerRoster

_KEPT_SERIES = 500_000  # whose labels are remembered, over all queries
_BYTES_PER_POINT = 40  # of JSON: a time and a value of all its digits
_ANSWER_BYTES = 16 * 1024 * 1024  # meant for the points of one answer; the labels come on top
_MOST_QUERIES = 64  # for one stretch; what would need more is refused as too expensive
_GRID_TOLERANCE = 1e-6  # of a step: what rounding may have taken from a multiple


@dataclass(frozen=True, slots=True)
class _Fleet:
    """What is known of a query's series. None of them counted: no more than are assumed anyway, or nobody could count them."""

    series: int
    roster: AnswerRoster = field(default_factory=AnswerRoster)


class History:
    """Gives the history of one server on even grids of time. Thread-safe; nothing is kept that cannot be fetched again."""

    def __init__(self, prometheus: Prometheus, *, kept_series: int = _KEPT_SERIES) -> None:
        self._prometheus = prometheus
        self._kept_series = kept_series
        self._lock = threading.Lock()
        self._fleets: OrderedDict[str, _Fleet] = OrderedDict()  # by query

    def rows(self, metric: BaselineMetric, start: float, end: float, *, step: float) -> Window:
        """Fetch every multiple of `step` from start to end (Unix seconds, both included); of values nothing is kept.

        The window's values have the shape [series, time], one row per series in the order of its labels, NaN for gaps. A series
        without any value in this time has no row. As long as a query's series stay the same, so does the object `labels`. It is
        fetched in several queries where the limits, or the size of the answers, ask for it: at most 64.

        Raises:
            QueryTooExpensive, QueryError, RemoteError: as Prometheus.query_range; QueryTooLarge when even small parts have too
            large an answer; QueryError too when two series differ by their metric name only, since rows are known by labels
            without it.

        """
        step = round(step, 3)  # Prometheus keeps time in milliseconds
        first, last = math.ceil(start / step - _GRID_TOLERANCE), math.floor(end / step + _GRID_TOLERANCE)
        if last < first:
            return _window(metric, first, np.empty((0, 0)), step)
        fleet = self._fleet(metric.query) or self._counted(metric.query, last * step)
        parts, warnings = self._parts(metric.query, first, last, step, fleet.series or None)
        try:
            roster = fleet.roster.of(_texts(parts), metric.query)
        except (ValueError, TypeError, AttributeError) as error:
            raise self._prometheus.bad_shape(error) from error
        self._remember(metric.query, _Fleet(len(roster.labels), roster))
        found, limit = len(roster.labels), self._prometheus.limits.max_series
        if found > limit:
            warnings = (*warnings, parse.bounded(found, limit, "series")[1])
        values = _grid(parts, roster, (min(found, limit), last - first + 1), first, step)
        return _window(metric, first, values, step, roster.labels[:limit], warnings)

    def points_per_block(self, metric: BaselineMetric, at: float, *, step: float) -> int:
        """Count the grid points that rows() of this metric may have for one query, of a bearable answer.

        Whoever needs more fetches one block after the other. It asks for the metric's number of series at `at` (Unix seconds).
        At least 1: what is too expensive even so, rows() refuses.

        Raises:
            Unreachable, RemoteTimeout, BreakerOpen, ConcurrencyReached: there is no answer.

        """
        fleet = self._counted(metric.query, at)
        return max(1, self._most_points(metric.query, cost.MAX_POINTS, round(step, 3), fleet.series or None))

    def _parts(self, query: str, first: int, last: int, step: float, series: int | None) -> tuple[list[Table], tuple[str, ...]]:
        """Ask for the points first to last, in as many queries as the limits and the answers ask for."""
        size = last - first + 1
        fewest = math.ceil(size / _MOST_QUERIES)
        most = max(fewest, self._most_points(query, size, step, series))
        chunk = math.ceil(size / math.ceil(size / most))  # evenly
        begin = first
        parts: list[Table] = []
        warnings: dict[str, None] = {}
        while begin <= last:
            end = min(begin + chunk - 1, last)
            try:
                table, warned = self._prometheus.range_table(query, begin * step, end * step, step, series=series)
            except AnswerTooLarge as error:
                # There are more series, or longer labels, than anybody could know before.
                if chunk <= fewest:
                    reason = f"{error}, for {chunk} points per series; a larger max_series lets more be read"
                    raise QueryTooLarge(reason=reason, query=query) from error
                chunk = max(fewest, chunk // 2)
                continue
            parts.append(table)
            warnings |= dict.fromkeys(warned)
            begin = end + 1
        return parts, tuple(warnings)

    def _most_points(self, query: str, wanted: int, step: float, series: int | None) -> int:
        """Count the points, of `wanted`, that one query should ask for; 0 when even one costs too much."""
        bearable = max(1, _ANSWER_BYTES // (_BYTES_PER_POINT * series)) if series else wanted
        return cost.most_points(query, min(wanted, bearable), step, self._prometheus.limits, series)

    def _counted(self, query: str, at: float) -> _Fleet:
        """Count the series a query has at a time, and remember it."""
        try:
            # The line break ends a comment.
            answer = self._prometheus.query(f"count({query}\n)", at)
            values = [float(one.values[-1]) for one in answer.series if one.values.size]
        except (Unreachable, RemoteTimeout, BreakerOpen, ConcurrencyReached):
            raise  # no answer: asking for the values would only wait as long again
        except (QueryError, RemoteError):
            values = []  # what is wrong with the query itself, the question for its values tells
        counted = int(values[0]) if values and math.isfinite(values[0]) else 0
        known = self._fleet(query) or _Fleet(0)
        fleet = replace(known, series=counted if counted > self._prometheus.limits.assumed_series else 0)
        self._remember(query, fleet)
        return fleet

    def _fleet(self, query: str) -> _Fleet | None:
        with self._lock:
            return self._fleets.get(query)

    def _remember(self, query: str, fleet: _Fleet) -> None:
        with self._lock:
            self._fleets[query] = fleet
            self._fleets.move_to_end(query)
            while len(self._fleets) > 1 and sum(len(each.roster.texts) for each in self._fleets.values()) > self._kept_series:
                self._fleets.popitem(last=False)


def _texts(parts: Sequence[Table]) -> tuple[bytes, ...]:
    # A single answer's own texts are what the next one is compared with; of several, each text is kept once.
    return parts[0].labels if len(parts) == 1 else tuple(dict.fromkeys(chain.from_iterable(part.labels for part in parts)))


def _grid(parts: Sequence[Table], roster: AnswerRoster, shape: tuple[int, int], first: int, step: float) -> FloatArray:
    """Put the samples of several answers on the grid of times first*step, (first+1)*step, ...

    What lies outside of the shape is left out: series over the limit, times that were not asked for.
    """
    values = np.full(shape, np.nan)
    for part in parts:
        row = np.repeat(roster.rows_of(part.labels), part.counts)
        column = np.rint(part.times / step).astype(np.int64) - first
        inside = (column >= 0) & (column < shape[1]) & (row < shape[0])
        if inside.all():
            values[row, column] = part.values
        else:
            values[row[inside], column[inside]] = part.values[inside]
    return values


def _window(
    metric: BaselineMetric,
    first: int,
    values: FloatArray,
    step: float,
    labels: tuple[Labels, ...] = (),
    warnings: tuple[str, ...] = (),
) -> Window:
    times = np.arange(first, first + values.shape[1], dtype=np.float64) * step
    return Window(metric.name, labels, times, values, step, warnings)
