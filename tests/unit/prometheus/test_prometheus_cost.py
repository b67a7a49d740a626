"""Expensive queries are refused before they are sent."""

import pytest

from lens_exporter.errors import QueryError, QueryTooExpensive
from lens_exporter.prometheus.cost import QueryLimits, check_instant, check_range, points, samples

LIMITS = QueryLimits()
DAY = 86_400.0


@pytest.mark.parametrize(("end", "step", "expected"), [(0, 15, 1), (60, 15, 5), (59, 15, 4), (0.3, 0.1, 4)])
def test_points_count_both_ends(end, step, expected):
    """A range of zero length is one point; float steps lose none."""
    assert points(0, end, step) == expected


def test_a_point_costs_one_sample_for_each_series():
    """A plain selector reads one sample per point and series, whoever says how many series there are."""
    assert samples("up", 0, 600, 60, LIMITS, series=7) == 11 * 7
    assert samples("up", 0, 600, 60, LIMITS) == 11 * LIMITS.assumed_series


def test_a_range_selector_multiplies_by_the_samples_in_it():
    """rate(x[5m]) reads 20 samples a point where one comes every 15 s."""
    assert samples("rate(x[5m])", 0, 600, 60, LIMITS, series=1) == 11 * 20


def test_a_subquery_is_evaluated_over_the_longer_span_and_walked_at_each_point():
    """max_over_time(x[1h:1m]) at one instant: 61 evaluations inside, 60 results outside."""
    assert samples("max_over_time(x[1h:1m])", 0, 0, 1, LIMITS, series=1) == 60 + 61


def test_more_than_11000_points_are_refused_with_a_step_that_fits():
    """The refusal names the smallest usual step that fits, and that step is then accepted."""
    with pytest.raises(
        QueryTooExpensive, match=r"86,401 points per series, the limit is 11,000; a step of 10 s would fit; query: up"
    ):
        check_range("up", 0, DAY, 1, LIMITS)
    check_range("up", 0, DAY, 10, LIMITS)


def test_too_many_samples_are_refused_with_a_step_that_fits():
    """The estimate includes the known number of series."""
    with pytest.raises(QueryTooExpensive, match=r"2,000 series.*a step of 15 s would fit"):
        check_range("up", 0, 30_000, 10, LIMITS, series=2000)
    check_range("up", 0, 30_000, 15, LIMITS, series=2000)


def test_what_no_step_can_save_says_so():
    """A fine subquery under a coarse step costs what its inside costs."""
    with pytest.raises(QueryTooExpensive, match="no step would fit"):
        check_range("max_over_time(rate(x[5m])[1d:1s])", 0, DAY, 60, LIMITS)


@pytest.mark.parametrize("query", ["max_over_time(rate(x[5m])[20d:10s])", "quantile_over_time(0.5, x[30d])"])
def test_an_instant_query_is_bounded_too(query):
    """Instant queries have no cap of points on the server, so ours counts their samples."""
    with pytest.raises(QueryTooExpensive, match="samples"):
        check_instant(query, LIMITS)
    check_instant(query, QueryLimits(max_samples=10**12))


def test_the_longest_reach_is_bounded():
    """Time asked for plus the longest range selector stays within max_range."""
    limits = QueryLimits(max_range=DAY, max_samples=10**12)
    check_range("rate(x[1h])", 0, DAY - 3600, 60, limits)
    with pytest.raises(QueryTooExpensive, match=r"reaches over 1\.0 days"):
        check_range("rate(x[1h])", 0, DAY - 3599, 60, limits)
    with pytest.raises(QueryTooExpensive):
        check_instant("x[1w]", limits)


@pytest.mark.parametrize(
    ("start", "end", "step"), [(10, 0, 1), (0, 10, 0), (0, 10, -1), (0, float("nan"), 1), (0, float("inf"), 1)]
)
def test_a_range_that_is_none_is_an_error_of_the_query(start, end, step):
    """End before start, a step that is not positive and times that are no numbers are named, not divided by."""
    with pytest.raises(QueryError, match="not a range"):
        check_range("up", start, end, step, LIMITS)
