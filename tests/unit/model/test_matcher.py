"""A matcher means what it means to Alertmanager."""

import time

import pytest

from lens_exporter.errors import MatcherInvalid
from lens_exporter.model.matcher import Matcher, all_match

HERE = {"instance": "api-7:9000", "job": "api", "note": "two\nlines"}


@pytest.mark.parametrize(
    ("name", "value", "regex", "equal", "matches"),
    [
        ("job", "api", False, True, True),
        ("job", "ap", False, True, False),
        ("job", "API", False, True, False),
        ("job", "web", False, False, True),
        ("job", "a.i", False, True, False),
        ("job", "a.i", True, True, True),
        ("instance", "api", True, True, False),
        ("instance", "api.*", True, True, True),
        ("instance", "web|api", True, True, False),
        ("instance", "web|api-7:9000", True, True, True),
        ("instance", "api.*", True, False, False),
        ("instance", "(?i)API-\\d:.+", True, True, True),
        ("instance", "^api-7:9000$", True, True, True),
        ("device", "", False, True, True),
        ("device", "", False, False, False),
        ("device", ".+", True, False, True),
        ("device", ".*", True, True, True),
        ("note", "two.*", True, True, False),
        ("note", "(?s)two.*", True, True, True),
    ],
)
def test_a_label_is_matched_as_alertmanager_does(name, value, regex, equal, matches):
    """Whole values, absent labels as empty ones, Go's expressions: the dot stops at a line's end."""
    assert Matcher(name, value, regex, equal).matches(HERE) is matches


@pytest.mark.parametrize("value", ["(", "a(?=b)", "(a)\\1", "\ud800"])
def test_an_expression_that_go_does_not_read_is_refused_with_its_matcher(value):
    """Look-ahead and back references are Python's, not Alertmanager's."""
    with pytest.raises(MatcherInvalid, match="matcher job=~"):
        Matcher("job", value, regex=True)
    assert Matcher("job", value).matches({"job": value})


def test_no_expression_takes_longer_than_its_text():
    """One that Python's own engine would need years for answers at once."""
    began = time.process_time()
    assert not Matcher("job", "(a+)+b", regex=True).matches({"job": "a" * 1000})
    assert time.process_time() - began < 1.0


def test_it_reads_as_people_write_it():
    """The four operators."""
    flags = [(False, True), (False, False), (True, True), (True, False)]
    assert [str(Matcher("job", "a", *flag)) for flag in flags] == ['job="a"', 'job!="a"', 'job=~"a"', 'job!~"a"']


def test_all_have_to_match():
    """One that does not is enough to say no; none at all match everything."""
    yes, no = Matcher("job", "api"), Matcher("job", "web")
    assert all_match((yes, yes), HERE)
    assert not all_match((yes, no), HERE)
    assert all_match((), HERE)
