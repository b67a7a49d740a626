"""Windows of history on an even grid, fetched from Prometheus: its memory is ours, and a warm window asks only for what is new."""

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lens_exporter.errors import AnswerTooLarge, BreakerOpen, QueryError, QueryTooLarge, RemoteError, RemoteTimeout, Unreachable
from lens_exporter.model.labels import Labels, without
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import FloatArray, Window
from lens_exporter.prometheus import cost
from lens_exporter.prometheus.answers import Series
from lens_exporter.prometheus.client import Prometheus

# Late scrapes, rule evaluations and remote writes still change the newest points; these are asked for again.
_SETTLE_SECONDS = 300.0
# Now and then everything is, so that what was back-filled or deleted meanwhile is seen.
_REFRESH_SECONDS = 3600.0
_KEPT_WINDOWS = 256
_BYTES_PER_POINT = 40  # of JSON: a time and a value of all its digits
_ANSWER_BYTES = 16 * 1024 * 1024  # meant for one answer: a quarter of what an endpoint reads
_MOST_QUERIES = 64  # for one window; what would need more is refused as too expensive


@dataclass(frozen=True, slots=True)
class _Kept:
    window: Window
    fetched_whole_at: float


class History:
    """Gives the windows of one server. Thread-safe; nothing is kept that cannot be fetched again."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, float, int], _Kept] = OrderedDict()

    def window(self, metric: BaselineMetric, at: float, *, length: float, step: float) -> Window:
        """Give the last `length` seconds before `at` every `step` seconds; `at` (Unix seconds) is aligned down to the step.

        The window's values have the shape [series, time], one row per series in the order of its labels, NaN for gaps.

        Raises:
            QueryTooExpensive, QueryError, RemoteError: as Prometheus.query_range; QueryTooLarge when even small parts have too
            large an answer; QueryError too when two series differ by their metric name only, since windows are known by
            labels without it.

        """
        step = round(step, 3)  # Prometheus keeps time in milliseconds
        size = max(1, round(length / step))
        last = math.floor(at / step + 1e-6)
        key = (metric.query, step, size)
        kept = self._look_up(key)
        # Seconds on the grid of `step` since the epoch, so that windows of different moments share their times.
        whole = kept is None or not self._is_warm(kept, last, step, size)
        overlap = max(1, math.ceil(_SETTLE_SECONDS / step))
        missing = size if whole or kept is None else min(size, last - _index(kept.window.times[-1], step) + overlap)
        known = len(kept.window.labels) if kept is not None else 0
        if whole and not known:
            known = self._count(metric.query, last * step)
        fresh = self._fetch(metric, last, missing, step, known or None)
        if missing == size or kept is None:
            self._keep(key, _Kept(fresh, last * step))
            return fresh
        joined = _join(kept.window, fresh, size)
        self._keep(key, replace(kept, window=joined))
        return joined

    def _is_warm(self, kept: _Kept, last: int, step: float, size: int) -> bool:
        newest = _index(kept.window.times[-1], step)
        return newest <= last < newest + size and last * step - kept.fetched_whole_at < _REFRESH_SECONDS

    def _fetch(self, metric: BaselineMetric, last: int, size: int, step: float, known: int | None) -> Window:
        """Ask for `size` points ending at grid index `last`, in as many queries as the limits and the answers ask for."""
        begin = first = last - size + 1
        chunk = self._chunk(metric.query, size, step, known)
        series: list[Series] = []
        warnings: dict[str, None] = {}
        while begin <= last:
            end = min(begin + chunk - 1, last)
            try:
                answer = self._prometheus.query_range(metric.query, begin * step, end * step, step, series=known)
            except AnswerTooLarge as error:
                # There are more series, or longer labels, than anybody could know before.
                if chunk <= _fewest(size):
                    raise QueryTooLarge(reason=f"{error}, for {chunk} points per series", query=metric.query) from error
                chunk = max(_fewest(size), chunk // 2)
                continue
            series.extend(answer.series)
            warnings |= dict.fromkeys([*answer.warnings, *([answer.note] if answer.series and answer.note else [])])
            begin = end + 1
        return _grid(metric, series, first, size, step, tuple(warnings))

    def _chunk(self, query: str, size: int, step: float, known: int | None) -> int:
        """Give the points one query asks for: at most 11,000, and fewer where that many series would cost or answer too much."""
        limits = self._prometheus.limits
        chunk = min(cost.MAX_POINTS, size)
        fewest = _fewest(size)

        def fits() -> bool:
            cheap = cost.samples(query, 0.0, (chunk - 1) * step, step, limits, known) <= limits.max_samples
            return cheap and chunk * (known or 0) * _BYTES_PER_POINT <= _ANSWER_BYTES

        while chunk > fewest and not fits():
            chunk = max(fewest, chunk // 2)
        return chunk

    def _count(self, query: str, at: float) -> int:
        """Count the series a query has now; 0 for no more than is assumed anyway, or when the server cannot count them."""
        try:
            # The line break ends a comment.
            answer = self._prometheus.query(f"count({query}\n)", at)
        except (Unreachable, RemoteTimeout, BreakerOpen):
            raise  # nobody is there: asking for the values would only wait as long again
        except (QueryError, RemoteError):
            return 0  # what is wrong with the query itself, the question for its values tells
        values = [float(one.values[-1]) for one in answer.series if one.values.size]
        counted = int(values[0]) if values and math.isfinite(values[0]) else 0
        return counted if counted > self._prometheus.limits.assumed_series else 0

    def _look_up(self, key: tuple[str, float, int]) -> _Kept | None:
        with self._lock:
            return self._kept.get(key)

    def _keep(self, key: tuple[str, float, int], kept: _Kept) -> None:
        with self._lock:
            self._kept[key] = kept
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT_WINDOWS:
                self._kept.popitem(last=False)


def _fewest(size: int) -> int:
    return math.ceil(size / _MOST_QUERIES)


def _index(time: float, step: float) -> int:
    return round(time / step)


def _grid(metric: BaselineMetric, series: list[Series], first: int, size: int, step: float, warnings: tuple[str, ...]) -> Window:
    """Put series (of several answers, joined by their labels) on the grid of times first*step, (first+1)*step, ..."""
    rows: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}  # identity -> labels as answered
    parts: dict[tuple[tuple[str, str], ...], list[Series]] = {}
    for one in series:
        identity = _identity(one.labels)
        known = rows.setdefault(identity, dict(one.labels))
        if known != one.labels:
            reason = f"series {known} and {dict(one.labels)} differ by their metric name only: select one, or use label_replace"
            raise QueryError(kind="duplicate series", reason=reason, query=metric.query)
        parts.setdefault(identity, []).append(one)
    identities = sorted(parts)
    values = np.full((len(identities), size), np.nan)
    for row, identity in enumerate(identities):
        for part in parts[identity]:
            columns = np.rint(part.times / step).astype(np.int64) - first
            inside = (columns >= 0) & (columns < size)
            values[row, columns[inside]] = part.values[inside]
    return _window(metric.name, [dict(identity) for identity in identities], first, values, step, warnings)


def _join(old: Window, new: Window, size: int) -> Window:
    """Give the last `size` points of both; where they overlap the new one counts, also where it has a gap."""
    identities = sorted({_identity(labels) for labels in (*old.labels, *new.labels)})
    rows = {identity: row for row, identity in enumerate(identities)}
    step = new.step
    first = _index(new.times[-1], step) - size + 1
    values = np.full((len(identities), size), np.nan)
    shift = first - _index(old.times[0], step)
    kept = values.shape[1] - new.values.shape[1]
    if old.labels:
        values[[rows[_identity(labels)] for labels in old.labels], :kept] = old.values[:, shift : shift + kept]
    if new.labels:
        values[[rows[_identity(labels)] for labels in new.labels], kept:] = new.values
    alive = ~np.isnan(values).all(axis=1)
    labels = [dict(identity) for identity, is_alive in zip(identities, alive, strict=True) if is_alive]
    return _window(new.metric, labels, first, values[alive], step, new.warnings)


def _window(
    metric: str, labels: Sequence[Labels], first: int, values: FloatArray, step: float, warnings: tuple[str, ...]
) -> Window:
    times = np.arange(first, first + values.shape[1], dtype=np.float64) * step
    for array in (times, values):
        array.flags.writeable = False  # kept, and shared with whoever asked
    return Window(metric, tuple(labels), times, values, step, warnings)


def _identity(labels: Labels) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(without(labels, ("__name__",)).items()))
