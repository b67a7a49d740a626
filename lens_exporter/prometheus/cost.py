"""What a query will cost, estimated from its text before it is sent: the server's own timeout is no hard bound."""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lens_exporter.errors import QueryError, QueryTooExpensive
from lens_exporter.prometheus.promql import SelectorReading, readings

MAX_POINTS = 11_000  # per series of a range query (Prometheus, web/api/v1)
_NICE_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """What one query may cost. assumed_series and sample_interval stand in for what cannot be known before asking."""

    max_samples: int = 5_000_000
    max_series: int = 10_000
    max_range: float = 35 * 86_400.0  # seconds
    concurrency: int = 1
    timeout: float = 30.0  # seconds
    assumed_series: int = 100
    sample_interval: float = 15.0  # seconds between samples, where a range selector reads them all


def points(start: float, end: float, step: float) -> int:
    """Count the evaluations of a range query, per series."""
    return math.floor((end - start) / step + 1e-9) + 1


def samples(query: str, start: float, end: float, step: float, limits: QueryLimits, series: int | None = None) -> float:
    """Estimate the samples the server reads: points x series x samples in each range selector, subqueries included.

    `series` is the number per selector where the caller knows it.
    """
    evaluations = points(start, end, step)
    per_series = sum(_of(reading, evaluations, end - start, limits.sample_interval) for reading in readings(query))
    return max(per_series, evaluations) * (series or limits.assumed_series)


def _of(reading: SelectorReading, evaluations: float, span: float, sample_interval: float) -> float:
    # The engine evaluates a subquery's inside once over the whole span, at the subquery's own resolution, and then walks
    # the results inside the subquery's range at each point outside.
    total = 0.0
    for subquery in reading.subqueries:
        resolution = subquery.resolution or sample_interval
        total += evaluations * subquery.range / resolution
        span += subquery.range
        evaluations = span / resolution + 1
    return total + evaluations * max(1.0, reading.range / sample_interval)


def most_points(query: str, wanted: int, step: float, limits: QueryLimits, series: int | None = None) -> int:
    """Count the points, of `wanted`, that one range query may have within the limits; 0 when even one is too many."""

    def too_many(count: int) -> bool:
        span = (count - 1) * step
        return samples(query, 0.0, span, step, limits, series) > limits.max_samples or _reach(query, span) > limits.max_range

    wanted = min(wanted, MAX_POINTS)
    return bisect_left(range(1, wanted + 1), True, key=too_many) if too_many(wanted) else wanted


def check_range(query: str, start: float, end: float, step: float, limits: QueryLimits, series: int | None = None) -> None:
    """Refuse a range query that would cost too much, and say which step would fit.

    Raises:
        QueryError: the range is not one.
        QueryTooExpensive: too many points, samples, or too long a range.

    """
    if not (step > 0 and end >= start and all(map(math.isfinite, (start, end, step)))):
        raise QueryError(kind="bad_data", reason=f"not a range: start {start}, end {end}, step {step}", query=query)
    _check_length(query, end - start, limits)

    def fits(candidate: float) -> bool:
        cheap = samples(query, start, end, candidate, limits, series) <= limits.max_samples
        return cheap and points(start, end, candidate) <= MAX_POINTS

    asked = points(start, end, step)
    if asked > MAX_POINTS:
        reason = f"{asked:,} points per series, the limit is {MAX_POINTS:,}{_advice(step, fits)}"
        raise QueryTooExpensive(reason=reason, query=query)
    estimate = samples(query, start, end, step, limits, series)
    if estimate > limits.max_samples:
        counted = f"{series:,} series" if series else f"{limits.assumed_series} assumed series"
        limit = f"{limits.max_samples:,} (max_samples)"
        reason = f"about {estimate:,.0f} samples for {counted}, the limit is {limit}{_advice(step, fits)}"
        raise QueryTooExpensive(reason=reason, query=query)


def check_instant(query: str, limits: QueryLimits, series: int | None = None) -> None:
    """Refuse an instant query that would cost too much: it has no cap of points, whatever its range selectors.

    Raises:
        QueryTooExpensive: too many samples, or too long a range.

    """
    _check_length(query, 0.0, limits)
    estimate = samples(query, 0.0, 0.0, 1.0, limits, series)
    if estimate > limits.max_samples:
        limit = f"{limits.max_samples:,} (max_samples)"
        reason = f"about {estimate:,.0f} samples, the limit is {limit}; use a shorter range or a coarser subquery"
        raise QueryTooExpensive(reason=reason, query=query)


def _check_length(query: str, span: float, limits: QueryLimits) -> None:
    longest = _reach(query, span)
    if longest > limits.max_range:
        reason = f"it reaches over {longest / 86_400:.1f} days, the limit is {limits.max_range / 86_400:.1f} days (max_range)"
        raise QueryTooExpensive(reason=reason, query=query)


def _reach(query: str, span: float) -> float:
    return span + max((reading.reach for reading in readings(query)), default=0.0)


def _advice(step: float, fits: Callable[[float], bool]) -> str:
    fitting = next((candidate for candidate in _coarser(step) if fits(candidate)), None)
    if fitting is None:
        return "; no step would fit: ask for a shorter time, a shorter range selector or a coarser subquery"
    return f"; a step of {fitting:,} s would fit"


def _coarser(step: float) -> Iterator[int]:
    return (candidate for candidate in _NICE_STEPS if candidate > step)
