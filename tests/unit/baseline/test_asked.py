"""Which requests declare something, and what is refused because it could never match."""

import pytest

from lens_exporter.baseline.asked import matchers_of
from lens_exporter.errors import DeclarationInvalid, UnknownWatcher

OWN = [
    {"alertname": "LensMemory", "watcher": "host", "category": "memory"},
    {"alertname": "LensCpu", "watcher": "host", "category": "cpu"},
    {"alertname": "LensLatency", "watcher": "api", "category": "latency"},
]


def asked(labels, watcher="host"):
    return [str(one) for one in matchers_of(watcher, labels, OWN)]


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {"alertname": "LensMemory", "category": "memory"},
        {"severity": "info"},
        {"severity": "warning", "category": "cpu"},
        {"instance": "api-7:9000", "_job": "x", "instanec": "typo", "target_watcher": ""},
    ],
)
def test_what_an_alert_of_the_watcher_can_have_is_taken(labels):
    """As equal matchers by name behind the watcher's; also a target that nobody knows yet."""
    assert asked(labels) == ['watcher="host"', *(f'{name}="{value}"' for name, value in sorted(labels.items()))]


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        ({"watcher": "api"}, "labels.watcher: the field watcher says whose alerts are meant"),
        ({"watcher": "host"}, "labels.watcher: the field watcher says"),
        ({"severity": "critical"}, "labels.severity: critical alerts are fired whatever was declared"),
        ({"severity": "page"}, "labels.severity: expected info or warning, got 'page'"),
        ({"severity": ""}, "labels.severity: expected info or warning, got ''"),
        ({"bad name": "x"}, "label 'bad name': no alert of ours has a label of this name"),
        *(
            ({name: "x"}, "no alert of ours has a label of this name")
            for name in ("", "7up", "__name__", "größe", "a" * 129, "\ud800")
        ),
        (
            {"alertname": "LensLatency"},
            r"labels: no alert of host has this alertname and category; it has LensCpu \(category cpu\), LensMemory \(category memory\)",
        ),
        ({"alertname": "LensMemory", "category": "cpu"}, "labels: no alert of host has"),
        ({"category": ""}, "labels: no alert of host has"),
    ],
)
def test_what_can_never_match_is_refused_by_name(labels, problem):
    """A declaration that does nothing is not answered as if it did."""
    with pytest.raises(DeclarationInvalid, match=problem):
        asked(labels)


def test_a_watcher_that_is_not_there_is_named_with_those_that_are():
    """Before anything else is looked at."""
    with pytest.raises(UnknownWatcher, match="there is no watcher 'nope'; known: host, api"):
        asked({"severity": "critical"}, "nope")
