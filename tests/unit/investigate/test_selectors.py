"""What a query selects, as Prometheus reads it; and what strangers write costs no time to speak of."""

from urllib.parse import quote

import pytest

from lens_exporter.investigate import own
from lens_exporter.investigate.families import family_of
from lens_exporter.investigate.notebook import Notebook, Noted
from lens_exporter.investigate.selectors import LONGEST_QUERY, selectors
from lens_exporter.investigate.task import Task, query_of, rule_of, task_of
from lens_exporter.model.alert import Alert, AlertGroup
from tests.unit.investigate.scripted import AT

LONG = 'up{job="' + "a" * LONGEST_QUERY + '"}'


def matchers(query):
    return [str(one) for selector in selectors(query) for one in selector.matchers]


def one_selector(query):
    (found,) = (one for one in selectors(query) if one.matchers)
    return found


def test_braces_that_are_never_closed_are_no_selectors():
    """Each of them would be read to the end of the text."""
    assert matchers("{" * 1000 + '{a="b"}') == ['a="b"']


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
    ("query", "found", "labels"),
    [
        ('rate(http_requests_total{code=~"[45].."}[5m])', 'code=~"[45].."', {"code": "503"}),
        ('avail_bytes{device=~"/dev/[sv]d.*"}', 'device=~"/dev/[sv]d.*"', {"device": "/dev/sda1"}),
        ("sum by (path) (x{path='/a by (b)'})", 'path="/a by (b)"', {"path": "/a by (b)"}),
        ('x{path="[\\"]"}[5m]', 'path="["]"', {"path": '["]'}),
        (r"rate(x{code=~`5\d{2}`}[5m])", r'code=~"5\d{2}"', {"code": "503"}),
        ("x{path=`/}{\"'`}", 'path="/}{"\'"', {"path": "/}{\"'"}),
    ],
)
def test_brackets_in_quotes_are_text(query, found, labels):
    """They are no ranges and no groupings; in backticks a backslash is one too."""
    assert matchers(query) == [found]
    assert one_selector(query).takes(labels)


@pytest.mark.parametrize(
    ("expression", "value", "taken"),
    [
        ("/api/v[0-9]+/users/[0-9]+/.*", "/health", False),
        ("/api/v[0-9]+/users/[0-9]+/.*", "/api/v2/users/7/orders", True),
        ("5[[:digit:]]{2}", "503", True),
        ("5[[:digit:]]{2}", "404", False),
        ("/api/(v1|v2)?/.*", "/x", False),
        ("(a+)+b", "a" * 20_000, False),
        ("(GET|POST|PUT) /x.*", "no", False),
    ],
)
def test_expressions_are_re2(expression, value, taken):
    """As in Prometheus: the same syntax, and none takes longer than its text."""
    assert one_selector(f"x{{path=~`{expression}`}}").takes({"path": value}) is taken
    assert one_selector(f"x{{path!~`{expression}`}}").takes({"path": value}) is not taken


@pytest.mark.parametrize("expression", ["[5", "a{1001}", r"\PN{999}"])
@pytest.mark.parametrize("how", ["=~", "!~"])
def test_an_expression_that_cannot_be_read_selects_everything(how, expression):
    """Nor is one tried that is megabytes once it is compiled."""
    assert matchers(f"x{{path{how}`{expression}`,a='b'}}") == ['a="b"']


def test_expressions_beyond_the_32nd_select_everything():
    """Each takes its time to compile; the same one again does not."""
    many = ",".join(f"a=~`{index}.*`" for index in range(40))
    assert len(matchers(f"x{{{many}}}")) == 32
    assert len(matchers(f"x{{{many},a=~`0.*`}}")) == 33


def test_a_query_is_read_once(monkeypatch):
    """Whatever the number of series that it is held against."""
    read = []
    monkeypatch.setattr(own, "selectors", lambda query: read.append(query) or selectors(query))
    query = 'once_requests_total{code=~"5.."}'
    notes = Notebook(Task(AT, AT, "critical", ("Once",), {}, (query,), 1, 0), frozenset())
    series = [Noted("R1", "once_requests_total", {"code": code}, 0.0, 1.0, 9.0, True) for code in ("500", "503", "200")]
    assert [own.is_read(one, notes) for one in series] == [True, True, False]
    assert read == [query]
