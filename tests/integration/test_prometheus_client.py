"""The client and the history against a real Prometheus."""

import math
import time

import numpy as np
import pytest

from lens_exporter.demo.backfill import Series
from lens_exporter.errors import QueryError, QueryTooExpensive, Unreachable
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.tool import ToolStatus
from lens_exporter.prometheus.client import Prometheus
from lens_exporter.prometheus.cost import QueryLimits
from lens_exporter.prometheus.history import History
from tests.servers.endpoints import endpoint
from tests.servers.prometheus import PrometheusServer
from tests.servers.waiting import until

pytestmark = pytest.mark.integration

HOSTILE = 'back\\slash "quote" \n line'
STEP = 60
POINTS = 20 * 60  # 20 h of minutes


@pytest.fixture(scope="module")
def end():
    return math.floor((time.time() - 4 * 3600) / STEP) * STEP


@pytest.fixture(scope="module")
def server(tmp_path_factory, end):
    times = [end - STEP * i for i in reversed(range(POINTS))]
    history = [
        Series("demo_ratio", {"pod": "a", "path": HOSTILE}, [(at, (at % 3600) / 3600) for at in times]),
        # Half an hour without samples: longer than the staleness lookback of 5 minutes.
        Series("demo_ratio", {"pod": "b"}, [(at, 0.5) for at in times if not end - 7200 < at <= end - 5400]),
        Series("demo_odd", {"kind": "inf"}, [(end, math.inf)]),
        Series("demo_odd", {"kind": "nan"}, [(end, math.nan)]),
    ]
    rule = {"name": "own", "rules": [{"alert": "Always", "expr": "vector(1)", "labels": {"severity": "info"}}]}
    scrape = {"job_name": "self", "static_configs": [{"targets": ["127.0.0.1:1"]}]}
    with PrometheusServer(tmp_path_factory.mktemp("client"), history=history, rules=[rule], scrape_configs=[scrape]) as running:
        yield running


@pytest.fixture
def prometheus(server):
    return Prometheus(endpoint(server.url), QueryLimits(timeout=10))


def test_instant_and_range_queries_read_what_was_written(prometheus, end):
    """Values, times and labels come back as written, hostile label values too."""
    answer = prometheus.query("demo_ratio", end)
    assert answer.status is ToolStatus.DATA
    assert [series.labels["pod"] for series in answer.series] == ["a", "b"]
    assert answer.series[0].labels["path"] == HOSTILE
    (series,) = prometheus.query_range('demo_ratio{pod="a"}', end - 600, end, STEP).series
    assert series.times.tolist() == [end - 600 + STEP * i for i in range(11)]
    assert series.values.tolist() == pytest.approx([(at % 3600) / 3600 for at in series.times])


def test_infinite_and_missing_numbers(prometheus, end):
    """A stored infinity and a stored NaN are read as such."""
    inf, nan = prometheus.query("demo_odd", end).series
    assert inf.values.tolist() == [math.inf]
    assert math.isnan(nan.values[0])


def test_empty_bad_and_impossible_queries_have_their_outcomes(prometheus, end):
    """An unknown metric is empty; a broken query and a failing one are named as the server names them."""
    assert prometheus.query("no_such_metric", end).status is ToolStatus.EMPTY
    with pytest.raises(QueryError, match=r"\(bad_data\).*parse error"):
        prometheus.query("sum(", end)
    with pytest.raises(QueryError, match=r"\(execution\).*many-to-many"):
        prometheus.query(
            'label_replace(demo_ratio, "pod", "x", "", "") + on(pod) label_replace(demo_ratio, "pod", "x", "", "")', end
        )
    with pytest.raises(QueryTooExpensive):
        prometheus.query_range("demo_ratio", end - 86_400, end, 1)


def test_our_limit_of_points_is_accepted_by_the_server(prometheus, end):
    """Exactly 11,000 points pass on both sides."""
    (series,) = prometheus.query_range('demo_ratio{pod="a"}', end - 10_999, end, 1).series
    assert len(series.values) == 11_000


def test_a_long_query_is_posted(prometheus, end):
    """A query of 20 kB is no problem for a POST."""
    pods = "|".join(f"pod-{number:05d}" for number in range(2000))
    assert prometheus.query(f'demo_ratio{{pod=~"a|{pods}"}}', end).status is ToolStatus.DATA


def test_series_rules_alerts_metadata(prometheus, end):
    """Every other question is answered in types."""
    assert len(prometheus.series("demo_ratio", end - 3600, end).labels) == 2
    assert prometheus.series("no_such_metric", end - 3600, end).status is ToolStatus.EMPTY
    (rule,) = prometheus.rules()
    assert (rule.kind, rule.name, rule.query, rule.labels) == ("alerting", "Always", "vector(1)", {"severity": "info"})
    (alert,) = until(prometheus.alerts, 15)
    assert (alert.state, alert.value, alert.labels["alertname"]) == ("firing", 1.0, "Always")
    assert prometheus.metadata("no_such_metric") == {}


def test_rows_of_history_have_the_gap_where_it_was(server, end):
    """The gap is NaN, less the 5 minutes Prometheus looks back."""
    metric = BaselineMetric("demo_ratio", "demo_ratio")
    window = History(Prometheus(endpoint(server.url), QueryLimits(timeout=10))).rows(metric, end - 359 * STEP, end + 1, step=STEP)
    assert window.values.shape == (2, 360)
    assert window.times[-1] == end
    assert window.labels == ({"path": HOSTILE, "pod": "a"}, {"pod": "b"})
    gap = window.times[np.isnan(window.values[1])]
    # The lookback includes a sample exactly 5 minutes old in 2.x and leaves it out in 3.x.
    assert gap[0] in {end - 7200 + 300, end - 7200 + 360}
    assert gap.tolist() == list(range(int(gap[0]), end - 5400 + 1, STEP))
    assert not np.isnan(window.values[0]).any()


def test_a_server_that_comes_back_is_used_again(tmp_path):
    """Down is Unreachable; after the restart the same client works without anybody doing anything."""
    with PrometheusServer(tmp_path) as server:
        prometheus = Prometheus(endpoint(server.url), QueryLimits(timeout=10))
        assert prometheus.query("vector(7)").series[0].values.tolist() == [7.0]
        server.kill()
        with pytest.raises(Unreachable):
            prometheus.query("vector(7)")
        server.start_again()
        assert prometheus.query("vector(7)").series[0].values.tolist() == [7.0]
