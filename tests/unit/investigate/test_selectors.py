"""What a query selects, as Prometheus reads it; and what strangers write costs no time to speak of."""

from urllib.parse import quote

import pytest

from lens_exporter.investigate.families import family_of
from lens_exporter.investigate.selectors import LONGEST_QUERY, Matcher, selectors
from lens_exporter.investigate.task import query_of, rule_of, task_of
from lens_exporter.model.alert import Alert, AlertGroup
from tests.unit.investigate.scripted import AT

LONG = 'up{job="' + "a" * LONGEST_QUERY + '"}'


def matchers(query):
    return [(one.label, one.how, one.text) for selector in selectors(query) for one in selector.matchers]


def test_braces_that_are_never_closed_are_no_selectors():
    """Each of them would be read to the end of the text."""
    assert matchers("{" * 1000 + '{a="b"}') == [("a", "=", "b")]


def test_a_text_that_is_too_long_selects_nothing():
    """Ten megabytes may come in a label."""
    assert list(selectors(LONG)) == []
    assert family_of("http_requests_total " + LONG) is None
    assert family_of("http_requests_total").name == "traffic"


def test_a_query_of_an_alert_that_is_too_long_is_none():
    """The rule's own is taken in place of an annotation, where that is shorter."""
    generator = "http://p/graph?g0.expr="
    assert rule_of(Alert({}, generator_url=generator + quote(LONG))) == ""
    assert query_of(Alert({}, {"lens_query": LONG}, generator_url=generator + quote("up == 0"))) == "up"
    task = task_of(AlertGroup("key", (Alert({"alertname": "{" * 15_000}, {"lens_query": LONG}),)), AT)
    assert task.queries == ()
    assert len(task.names[0]) == 600


@pytest.mark.parametrize(
    ("query", "found", "value"),
    [
        ('rate(http_requests_total{code=~"[45].."}[5m])', ("code", "=~", "[45].."), "503"),
        ('avail_bytes{device=~"/dev/[sv]d.*"}', ("device", "=~", "/dev/[sv]d.*"), "/dev/sda1"),
        ("sum by (path) (x{path='/a by (b)'})", ("path", "=", "/a by (b)"), "/a by (b)"),
        ('x{path="[\\"]"}[5m]', ("path", "=", '["]'), '["]'),
    ],
)
def test_brackets_in_quotes_are_text(query, found, value):
    """They are no ranges and no groupings."""
    assert matchers(query) == [found]
    assert Matcher(*found).takes(value)


@pytest.mark.parametrize(
    "expression",
    [".*.*.*.*\x01", ".*.*.*x", "a?" * 40 + "b", "(a|a)" * 30 + "b", "(a+)+b"],
)
def test_an_expression_that_may_take_for_ever_selects_everything(expression):
    """Python's go back to try again, once for each way there is."""
    assert Matcher("path", "=~", expression).takes("a" * 200)
    assert Matcher("path", "!~", expression).takes("a" * 200)


@pytest.mark.parametrize("expression", ["/api/.*/items/.*", "a.*|b.*|c.*|d.*", "(GET|POST|PUT) /x.*", "(?:5..)", "5[0-9]{2}"])
def test_expressions_of_rules_are_tried(expression):
    """Two repeats, or some alternatives."""
    assert not Matcher("path", "=~", expression).takes("no")
