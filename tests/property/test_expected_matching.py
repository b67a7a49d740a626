"""Who is declared, by an independent definition written out in full: every label, every severity, every member, every row."""

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lens_exporter.baseline.expected import BELOW_CRITICAL, Declaration, DeclarationSource, Declared, covers, marked
from lens_exporter.baseline.label_table import LabelTable
from lens_exporter.model.decision import Severity
from lens_exporter.model.matcher import Matcher

NAMES = st.sampled_from(["alertname", "severity", "watcher", "instance", "device"])
VALUES = st.sampled_from(["", "a", "b", "ab", "warning", "critical", "info"])
# In these Python's expressions and Go's are the same.
PATTERNS = st.sampled_from(["a", "b|a", "a.*", ".*b", ".+", "", "(a|b)+", "warn.*", "info|critical", "[^a]*"])
MATCHERS = st.one_of(
    st.builds(Matcher, NAMES, VALUES, st.just(False), st.booleans()),
    st.builds(Matcher, NAMES, PATTERNS, st.just(True), st.booleans()),
)
LABELS = st.dictionaries(st.sampled_from(["alertname", "watcher", "instance", "device"]), VALUES)


def plainly(matchers, labels):
    """One alert's labels against all matchers, by Alertmanager's definition."""
    for one in matchers:
        value = labels.get(one.name, "")
        same = re.fullmatch(f"(?:{one.value})", value) is not None if one.regex else value == one.value
        if same != one.equal:
            return False
    return True


@given(st.lists(MATCHERS, max_size=4), LABELS, st.sets(st.sampled_from(list(Severity))))
def test_a_declaration_covers_what_it_matches_with_any_of_the_severities(matchers, labels, severities):
    """The same as trying the alert with each severity it may have."""
    assert covers(matchers, labels, severities) == any(plainly(matchers, {**labels, "severity": one}) for one in severities)


@given(
    st.lists(st.tuples(st.lists(MATCHERS, max_size=3), st.integers(0, 9), st.integers(0, 12)), max_size=4),
    st.lists(LABELS, min_size=1, max_size=8),
    st.integers(1, 3),
    st.data(),
)
def test_a_row_of_a_group_is_marked_by_any_member_that_was_seen(said, series, groups, data):
    """Every group, row and declaration in turn: inside the span, and some member covered that has had a value by then."""
    of = data.draw(st.lists(st.integers(-1, groups - 1), min_size=len(series), max_size=len(series)))
    first_seen = data.draw(st.lists(st.integers(0, 12), min_size=len(series), max_size=len(series)))
    members = [tuple(place for place, group in enumerate(of) if group == number) for number in range(groups)]
    times = 60.0 * np.arange(10)
    seen = np.array([[row >= first for row in range(10)] for first in first_seen])
    declared = [
        Declaration("d", DeclarationSource.API, tuple(matchers), 60.0 * first, 60.0 * last) for matchers, first, last in said
    ]
    given_ = [(one, np.array([covers(one.matchers, labels) for labels in series])) for one in declared]
    expected = [
        [
            any(
                one.starts_at <= times[row] < one.ends_at
                and any(
                    row >= first_seen[place] and any(plainly(one.matchers, {**series[place], "severity": s}) for s in Severity)
                    for place in own
                )
                for one in declared
            )
            for row in range(10)
        ]
        for own in members
    ]
    assert marked(given_, np.array(of), groups, times, seen).tolist() == expected


@given(st.lists(st.lists(MATCHERS, max_size=3), max_size=4), LABELS)
def test_an_alert_is_kept_back_by_the_first_that_matches_it_below_critical(said, labels):
    """As info or as warning; a declaration about critical ones alone keeps nothing back."""
    running = tuple(
        Declaration(str(number), DeclarationSource.API, tuple(matchers), 0.0, 1.0) for number, matchers in enumerate(said)
    )
    keeping = [one.id for one in running if any(plainly(one.matchers, {**labels, "severity": s}) for s in BELOW_CRITICAL)]
    found = Declared(running).about(labels)
    assert (found.id if found else None) == (keeping[0] if keeping else None)


@given(st.lists(st.lists(LABELS, max_size=4), max_size=3), st.lists(MATCHERS, max_size=3))
def test_a_table_of_labels_matches_as_each_of_its_series_does(portions, matchers):
    """However the series came, and whatever names they have."""
    table = LabelTable()
    for portion in portions:
        table.extend(portion)
    series = [labels for portion in portions for labels in portion]
    assert len(table) == len(series)
    assert table.matching(matchers).tolist() == [plainly(matchers, labels) for labels in series]
