"""Queries whose brackets or quotes do not close are no PromQL, whoever evaluates them."""

import pytest

from lens_exporter.config.queries import balanced


@pytest.mark.parametrize(
    "query",
    [
        "up",
        "sum by (job) (rate(x{a=\"(\", b=~`[`, c!='{'}[5m])) # it's not ( closed",
        '{__name__="a}b", "it\'s"="\\"]"} offset -5m',
        "x{ # a comment with a ' in it\n}",
        "max_over_time((a / on(b) c)[1h:1m])",
        r"foo\(bar{x\[=1}",  # VictoriaMetrics takes escapes in names
        "sum(m1 +)",  # wrong, but for the server to say
    ],
)
def test_what_may_be_right_is_left_to_the_server(query):
    """Brackets in texts, comments and escapes are none."""
    assert balanced(query) == query


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("sum((", "the ( at character 5 is not closed"),
        ("sum(x))", "the ) at character 7 closes nothing"),
        ("sum(x[5m)]", "the ) at character 9 closes nothing; [ at character 6 is open"),
        ('x{a="b}', 'the " at character 5 is not closed'),
        ("x{a='b\"}", "the ' at character 5 is not closed"),
        ('x{a="b"', "the { at character 2 is not closed"),
        ("rate(x[5m) # ]", "the ) at character 10 closes nothing; [ at character 7 is open"),
        ("x{a=`b\\`c`}", "the ` at character 10 is not closed"),  # a raw text knows no escapes
    ],
)
def test_what_does_not_close_is_placed(query, problem):
    """Which one, and where it stands."""
    with pytest.raises(ValueError, match=r"closed|closes") as caught:
        balanced(query)
    assert str(caught.value) == problem
