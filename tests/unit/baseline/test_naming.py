"""Names of targets and quantities in prose, and queries narrowed to one series."""

import pytest

from lens_exporter.baseline.naming import category, cleaned, narrowed, projected, quantity, related, target_name, target_names
from lens_exporter.model.metric import BaselineMetric


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ({"instance": "api-7:9000", "job": "api"}, "api-7"),
        ({"instance": "10.0.0.3:9100"}, "10.0.0.3:9100"),
        ({"instance": "[2001:db8::1]:9100"}, "[2001:db8::1]:9100"),
        ({"instance": "2001:db8::1"}, "2001:db8::1"),
        ({"instance": "http://shop.example/health"}, "http://shop.example/health"),
        ({"instance": "db-1:9100", "job": "node", "device": "sda"}, "db-1 (device=sda)"),
        ({"pod": "checkout-5", "namespace": "shop"}, "checkout-5"),
        ({"queue": "mails", "vhost": "/"}, "queue=mails, vhost=/"),
        ({"job": "api"}, "api"),
        ({"instance": "127.0.0.1:59763", "job": "api", "process": "export-service"}, "export-service on 127.0.0.1:59763"),
        ({"instance": "10.0.0.3:9000", "job": "api"}, "api on 10.0.0.3:9000"),
        ({"instance": "[2001:db8::1]:9100", "job": "node"}, "node on [2001:db8::1]:9100"),
        ({"instance": "localhost:9000", "job": "api"}, "api on localhost:9000"),
        ({"instance": "db-1:9000", "process": "worker"}, "worker on db-1"),
        ({"instance": "api-7:9000", "process": "api-7"}, "api-7"),
        ({"instance": "10.1.2.3:8080", "pod": "checkout-5", "job": "shop"}, "checkout-5"),
        ({"instance": "node-3:10250", "pod": "checkout-5", "namespace": "shop", "container": "app"}, "checkout-5 on node-3"),
        ({"instance": "checkout-5:8080", "pod": "checkout-5"}, "checkout-5"),
        ({"process": "worker"}, "worker"),
        ({}, "the only series"),
    ],
)
def test_a_target_is_named_shortly(target: dict[str, str], name: str) -> None:
    """By a name that a person knows, by its address only where there is none, then by what tells it from its neighbours."""
    assert target_name(target) == name


NODE, POSTGRES = {"instance": "db1:9100", "job": "node"}, {"instance": "db1:9187", "job": "postgres"}


@pytest.mark.parametrize(
    ("targets", "names"),
    [
        ([NODE, POSTGRES, NODE], ["db1 (job=node)", "db1 (job=postgres)", "db1 (job=node)"]),
        ([NODE, NODE], ["db1", "db1"]),
        ([NODE, {"instance": "db2:9100", "job": "node"}], ["db1", "db2"]),
        ([{"instance": "db1:9100"}, {"instance": "db1:9187"}], ["db1 (instance=db1:9100)", "db1 (instance=db1:9187)"]),
        (
            [{"instance": "db1:1", "job": "a"}, {"instance": "db1:2", "job": "a"}],
            ["db1 (instance=db1:1)", "db1 (instance=db1:2)"],
        ),
        (
            [{"instance": "db1:1", "job": "a"}, {"instance": "db1:2", "job": "a"}, {"instance": "db1:1", "job": "b"}],
            ["db1 (instance=db1:1, job=a)", "db1 (instance=db1:2, job=a)", "db1 (instance=db1:1, job=b)"],
        ),
        ([{"instance": "db1:1"}, {"instance": "db1:1", "job": "a"}], ["db1", "db1 (job=a)"]),
        ([], []),
    ],
)
def test_in_a_list_two_exporters_of_one_machine_are_told_apart(targets: list[dict[str, str]], names: list[str]) -> None:
    """By their job where that is enough, else by their ports, else by both; what needs nothing gets nothing."""
    assert target_names(targets) == names


def test_hostile_label_values_stay_one_short_line() -> None:
    """Control characters, invisible ones and endless values do not reach a pager's screen."""
    assert cleaned("api\x1b[31m\n7\u202e\u200b") == "api [31m 7"
    assert len(cleaned("x" * 100_000)) == 60
    assert cleaned("\x00") == ""
    assert target_name({"instance": "\n\n", "pod": "p"}) == "p"


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (BaselineMetric("memory_utilization", "x"), "memory"),
        (BaselineMetric("open_fds_utilization", "x", words="open files"), "open files"),
        (BaselineMetric("latency_p99", "x"), "latency p99"),
        (BaselineMetric("gc_pause_seconds", "x"), "gc pause"),
        (BaselineMetric("ratio", "x"), "ratio"),
    ],
)
def test_a_quantity_is_called_by_its_words(metric: BaselineMetric, words: str) -> None:
    """Configured words, else the name without its unit."""
    assert quantity(metric) == words


def test_a_category_never_has_an_underscore() -> None:
    """The category is what stands before the first underscore of an anomaly type, and must come back whole from there."""
    assert category(BaselineMetric("memory_utilization", "x")) == "memory"
    assert category(BaselineMetric("a", "x", category="open_fds")) == "open-fds"
    assert category(BaselineMetric("a", "x", category="__")) == "metric"


@pytest.mark.parametrize(
    ("query", "series", "narrow"),
    [
        ("process_resident_memory_bytes", {"instance": "a:1"}, 'process_resident_memory_bytes{instance="a:1"}'),
        ('up{job="api"}', {"instance": "a:1"}, 'up{job="api",instance="a:1"}'),
        ("up{}", {"instance": "a:1"}, 'up{instance="a:1"}'),
        ('up{job="api"}', {"instance": "a:1", "job": "api"}, 'up{job="api",instance="a:1"}'),
        ('up{job="api"}', {"job": "api"}, 'up{job="api"}'),
        ('up{job=~"a.*"}', {"job": "api"}, 'up{job=~"a.*",job="api"}'),
        ('up{a="}"}', {"i": 'x"y'}, 'up{a="}",i="x\\"y"}'),
        (
            'sum by (pod) (rate(http_requests_total{job="x"}[5m]))',
            {"pod": "p"},
            'sum by (pod) (rate(http_requests_total{job="x",pod="p"}[5m]))',
        ),
        ("rate(up[5m]) > 1", {"instance": "a:1"}, 'rate(up{instance="a:1"}[5m]) > 1'),
        ("max_over_time(rate(up [5m])[1h:1m])", {"i": "1"}, 'max_over_time(rate(up{i="1"} [5m])[1h:1m])'),
        ("rate(a[5m]) / rate(b[5m])", {"i": "1"}, None),
        ("a > 1e9 and on (node) rate(b[5m]) > 10", {"i": "1"}, None),
        ("a / scalar(sum(rate(b[5m])))", {"i": "1"}, None),
        ('sum(rate(a{x="1"}[5m])) / sum(b)', {"i": "1"}, None),
        ("sum by (pod) (rate(a[5m]))", {"i": "1"}, 'sum by (pod) (rate(a{i="1"}[5m]))'),
        ("a # b{}", {"i": "1"}, 'a{i="1"} # b{}'),
        ("max_over_time((a - b)[1h:1m])", {"i": "1"}, None),
        ("a / b", {"instance": "a:1"}, "a / b"),
        ('a{x="1"} / b{x="1"}', {"i": "1"}, 'a{x="1"} / b{x="1"}'),
        ('label_replace(up{job="x"}, "host", "$1", "instance", "(.*)")', {"host": "a"}, None),
        ("up", {}, "up"),
    ],
)
def test_a_query_is_narrowed_only_where_that_is_safe(query: str, series: dict[str, str], narrow: str | None) -> None:
    """One selector and no made-up labels: then a matcher for the series selects just it."""
    assert narrowed(query, series) == (narrow if narrow is not None else query)


def test_a_target_is_what_identifies_it() -> None:
    """Configured labels only, and no empty ones."""
    series = {"instance": "a", "cpu": "0", "empty": ""}
    assert projected(series, None) == {"instance": "a", "cpu": "0"}
    assert projected(series, ("instance", "pod")) == {"instance": "a"}


def test_series_are_related_when_they_agree_in_every_shared_label() -> None:
    """Memory of a host and one of its disks are; two of its disks are not; strangers are not."""
    host, root, data = {"i": "a"}, {"i": "a", "d": "/"}, {"i": "a", "d": "/data"}
    assert related(host, root)
    assert not related(root, data)
    assert not related(host, {"i": "b"})
    assert not related(host, {"other": "x"})
