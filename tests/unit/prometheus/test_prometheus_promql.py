"""What a query reads, seen from its text."""

import pytest

from lens_exporter.prometheus.promql import SelectorReading, Subquery, filling, readings

HOUR = 3600.0


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("up", [SelectorReading(0)]),
        ('rate(x{a="[1d]", b="}{"}[5m])', [SelectorReading(300)]),
        ("sum by (le, pod) (rate(requests_bucket{job='checkout'}[1h30m]))", [SelectorReading(5400)]),
        ("max_over_time(rate(x[5m])[1h:10s])", [SelectorReading(300, (Subquery(HOUR, 10),))]),
        ("max_over_time(sum(x) by (y)[1d:])", [SelectorReading(0, (Subquery(24 * HOUR, None),))]),
        ("(a + b)[1h:1m] offset 5m", [SelectorReading(0, (Subquery(HOUR, 60),))] * 2),
        ("max_over_time(max_over_time(x[10m:1m])[1d:10m])", [SelectorReading(0, (Subquery(24 * HOUR, 600), Subquery(600, 60)))]),
        ("a - max_over_time(b[1h:1m])", [SelectorReading(0), SelectorReading(0, (Subquery(HOUR, 60),))]),
        ('{__name__="x"}[1h]', [SelectorReading(HOUR)]),
        ('a{b="c"} / on(i) group_left(z) d', [SelectorReading(0)] * 2),
        ("x[300]", [SelectorReading(300)]),
        ("x[5i]", [SelectorReading(HOUR)]),
        ("sum(x) # y[5m]", [SelectorReading(0)]),
        ("vector(1) + 5m > bool 0.9", []),
        ("", []),
        ("((((", []),
        ("]][[:]", []),
    ],
)
def test_selectors_are_found_with_their_ranges_and_subqueries(query, expected):
    """Strings, comments, label lists, functions and keywords select nothing; everything else is counted once."""
    assert readings(query) == expected


def test_reach_adds_up_through_subqueries():
    """How far back the oldest sample lies includes every enclosing subquery."""
    (reading,) = readings("max_over_time(rate(x[5m])[1h:10s])")
    assert reading.reach == HOUR + 300


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("rate(x[5m])", 1),
        ("rate(x[5m]) / rate(y[5m])", 0),
        ("1 - sum by (a) (rate(x[5m])) * 8 / on (a) group_left (b) (sum by (a) (rate(y[5m])) + rate(z[5m])) > bool 0.5", 0),
        ("sum(rate(x[5m])) by (a) / sum(rate(y[5m])) by (a)", 0),
        ("max_over_time((rate(x[5m]) / rate(y[5m]))[10m:])", 0),
        ("rate(x[5m]) / 1024 + rate(y[5m])", 2),
        ("rate(x[5m]) / rate(y[5m]) + rate(z[5m])", 1),
        ("rate(x[5m]) / rate(y[5m]) * rate(z[5m])", 1),
        ("rate(x[5m]) or rate(y[5m]) / rate(z[5m])", 1),
        ("sum(rate(x[5m])) / sum(quota)", 2),
        ("increase(x[1h]) / rate(y[5m])", 2),
        ("(rate(x[5m]) + rate(y[1h])) / rate(z[1h])", 0),
        ('rate(x{a="/"}[5m]) # / rate(y[5m])', 1),
        ("histogram_quantile(0.9, sum by (le) (rate(x[5m]))) + rate(y[5m])", 1),
        ("rate(histogram_quantile[5m])", 1),
        ("x / / )( /", 1),
    ],
)
def test_ratios_and_quantiles_are_no_less_while_their_ranges_fill(query, left):
    """Both parts of a division that read equally far back, as far as it binds, and all of a quantile."""
    assert len(filling(query)) == left
