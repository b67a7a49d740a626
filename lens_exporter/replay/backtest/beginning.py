"""Where a replay begins: a server that has nothing older than a day is not ticked through years."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from lens_exporter.config.settings import Watcher
from lens_exporter.errors import NothingToJudge, QueryError, RemoteTimeout
from lens_exporter.foundation.retry import retrying
from lens_exporter.lenses import catalog
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.replay.backtest.text import day_and_time, many
from lens_exporter.replay.span import Span, moments
from lens_exporter.watch.ports import RowSource

_APART = 300.0  # seconds between points: a server takes a sample for current that long, so hardly a value lies between two of them
_FEW, _MOST = 64, 4096  # points of one query: five hours, two weeks
_COUNTED = 1000  # ticks, which take an eighth of a second; of more the rest is estimated


def begun(settings: Watcher, source: RowSource, asked: Span, url: str) -> tuple[Span, str]:
    """Leave out of a span what lies before the oldest value; give it with words on what is replayed.

    Raises:
        NothingToJudge: no query of the watcher has a value. RemoteError: nobody answers.

    """
    metrics = [metric.selecting(settings.selector) for metric in catalog.tracked(settings)]
    since = asked.begin - settings.window  # what is learnt before the first tick
    oldest, errors = _oldest(source, metrics, since, asked.end, step=settings.step, enough=asked.begin)
    if math.isinf(oldest) and settings.step < _APART:  # a query may have values for moments only, as `x > 100` has
        oldest, errors = _oldest(source, metrics, since, asked.end, step=settings.step, enough=asked.begin, apart=settings.step)
    if math.isinf(oldest):
        raise nothing(settings.name, asked, url, str(errors[0]) if errors else "none of its queries has a value there")
    span = replace(asked, begin=max(asked.begin, oldest))
    words = f"{day_and_time(span.begin)} to {day_and_time(span.end)} UTC, {_ticks(settings.schedule, span)}"
    return span, f"{words}; no value is older" if span.begin > asked.begin else words


def nothing(watcher: str, span: Span, url: str, reason: str) -> NothingToJudge:
    """Give the error for a span in which a watcher has nothing to judge."""
    begin, end = (f"{day_and_time(at)} UTC" for at in (span.begin, span.end))
    return NothingToJudge(watcher=watcher, begin=begin, end=end, source=url, reason=reason)


def _oldest(
    source: RowSource,
    metrics: Sequence[BaselineMetric],
    since: float,
    until: float,
    *,
    step: float,
    enough: float,
    apart: float = _APART,
) -> tuple[float, list[QueryError]]:
    """Give the first moment of any metric's values, infinity where there are none, and why metrics can have none.

    Nothing after the oldest one found so far is asked for, and nothing more once it lies before `enough`.
    """
    apart = step * max(1, apart // step)
    oldest, errors = math.inf, list[QueryError]()
    for metric in metrics:
        try:
            oldest = min(oldest, _first(source, metric, since, min(until, oldest), (apart, step)))
        except QueryError as error:
            errors.append(error)
        if oldest <= enough:
            break
    return oldest, errors


def _first(source: RowSource, metric: BaselineMetric, since: float, until: float, steps: tuple[float, float]) -> float:
    """Give when a metric has its first value, or refuses to answer: what becomes of that, the ticks tell.

    steps: of the search, and of its end, which may lie between two points.

    Raises:
        QueryError: it is no PromQL, at whatever time.

    """
    counted = replace(metric, query=f"count({metric.query}\n)")  # one series, however many there are; the line break ends a comment

    def first_of(asked: BaselineMetric, begin: float, end: float, step: float) -> float | None:
        window = retrying(lambda: source.rows(asked, begin, min(until, end), step=step))
        present = np.isfinite(window.values).any(axis=0)
        return float(window.times[np.argmax(present)]) - step if present.any() else None  # it began after the point before

    (apart, fine), points = steps, _FEW
    begin = math.floor(since / apart) * apart  # on the grid, so that no point lies between two queries
    while begin <= until:
        try:
            found = first_of(counted, begin, begin + (points - 1) * apart, apart)
        except (QueryError, RemoteTimeout) as error:
            if points > _FEW:
                points = _FEW  # perhaps there is much in it
                continue
            if not isinstance(error, QueryError):
                raise
            if error.fields.get("kind") == "bad_data":
                first_of(metric, begin, begin + apart, apart)  # a scalar cannot be counted, and is PromQL
            return begin
        if found is not None:
            return found
        begin += points * apart
        points = min(2 * points, _MOST)
    found = first_of(counted, max(since, until - apart), until, fine)
    return math.inf if found is None else found


def _ticks(schedule: str, span: Span) -> str:
    first = list(islice(moments(schedule, span), _COUNTED))
    if len(first) < _COUNTED:
        return many(len(first), "tick")
    return f"about {round(len(first) * (span.end - span.begin) / (first[-1] - span.begin)):,} ticks"
