"""What Prometheus is asked and how its answers are shown: shapes instead of matrices, bounded, with numbers to cite."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from lens_exporter.investigate.toolbox import Toolbox
from lens_exporter.investigate.tools_alerts import alert_tools
from lens_exporter.investigate.tools_promql import promql_tools
from lens_exporter.model.alert import Alert
from lens_exporter.model.tool import ToolStatus
from lens_exporter.prometheus.answers import MetricMetadata, QueryAnswer, Series, SeriesAnswer, ServerRule
from tests.unit.investigate.scripted import AT, leaking_api, toolbox


@dataclass
class Fleet:
    """Fifty hosts, and what was asked of them."""

    hosts: int = 50
    asked: list = field(default_factory=list)

    def query_range(self, query, start, end, step):
        self.asked.append((start, end, step))
        times = np.arange(start, end + step / 2, step)
        grown = [(number, times * 0 + 100 + number * (times - start)) for number in range(self.hosts)]
        return QueryAnswer(
            ToolStatus.DATA, tuple(Series({"host": str(number)}, times, values) for number, values in grown), ("a warning",)
        )

    def query(self, query, at=None):
        self.asked.append(at)
        series = tuple(Series({"host": str(number)}, np.array([at]), np.array([number * 1.5])) for number in range(self.hosts))
        return QueryAnswer(ToolStatus.DATA if series else ToolStatus.EMPTY, series)

    def series(self, match, start, end):
        return SeriesAnswer(
            ToolStatus.DATA, tuple({"__name__": f"metric_{number % 150}", "n": str(number)} for number in range(200))
        )

    def metadata(self, metric=""):
        return {"metric_0": MetricMetadata("gauge", "The first.", "")}


def ask(fleet, tool, **arguments):
    return Toolbox(promql_tools(fleet), lambda: AT).call(tool, arguments)


def test_a_range_is_a_shape_per_series():
    """One series: flat names, its labels, ends, extremes, buckets, trend."""
    box = toolbox(leaking_api())
    result = box.call("promql_range", {"query": "process_open_fds", "start": "now-30m"})
    (row,) = result.data
    assert (row["first"], row["last"], row["trend"]) == (61.0, 1461.0, "rising")
    assert row["max"] == {"value": 1461.0, "at": "2026-11-20T14:15:00Z"}
    assert len(row["buckets"]) == 12
    assert (result.seen["first"], result.seen["last"], result.seen["end_at"]) == (61.0, 1461.0, AT)


def test_many_series_are_cut_and_counted():
    """The ones that moved most are shown; the others are a number. The server's warnings are kept."""
    result = ask(Fleet(), "promql_range", query="x")
    assert result.status is ToolStatus.TRUNCATED
    assert len(result.data) == 15
    assert result.data[0]["labels"] == {"host": "49"}
    assert result.note == "a warning; 35 more series are not shown; aggregate, or use topk()"
    assert result.seen["series"] == 50.0
    assert result.seen["1.last"] > result.seen["15.last"]


def test_a_step_that_costs_too_much_is_made_coarser_and_said():
    """A day at one second is not asked for; a step that fits is kept."""
    fleet = Fleet(hosts=1)
    assert "every 180 s instead of every 1 s" in ask(fleet, "promql_range", query="x", start="now-24h", step=1).note
    assert ask(fleet, "promql_range", query="x", start="now-1h", step=60).note == "a warning"
    assert [step for _start, _end, step in fleet.asked] == [180.0, 60.0]


@pytest.mark.parametrize(
    "arguments",
    [
        {"query": ""},
        {"query": "up", "start": "now", "end": "now-1h"},
        {"query": "up", "start": "tomorrow"},
        {"query": "up", "step": 0},
        {},
    ],
)
def test_a_range_that_is_none_is_refused(arguments):
    """Nothing is sent."""
    fleet = Fleet()
    assert ask(fleet, "promql_range", **arguments).status is ToolStatus.ERROR
    assert fleet.asked == []


def test_an_instant_answers_values():
    """Largest first, bounded, and the count of all."""
    result = ask(Fleet(), "promql_instant", query="x")
    assert result.data[0] == {"labels": {"host": "49"}, "value": 73.5}
    assert (result.status, len(result.data), result.seen["series"], result.seen["1.value"]) == (
        ToolStatus.TRUNCATED,
        40,
        50.0,
        73.5,
    )
    assert ask(Fleet(hosts=0), "promql_instant", query="x").status is ToolStatus.EMPTY


def test_metrics_are_found_by_selector_and_part_of_their_name():
    """Names with type and help, each once, with how many series it has."""
    result = ask(Fleet(), "find_metrics", match='{job="x"}')
    assert (result.status, len(result.data), result.seen["metrics"]) == (ToolStatus.TRUNCATED, 120, 150.0)
    assert result.data[0] == {"name": "metric_0", "series": 2, "type": "gauge", "help": "The first."}
    assert [row["name"] for row in ask(Fleet(), "find_metrics", match="{}", contains="_149").data] == ["metric_149"]
    assert ask(Fleet(), "find_metrics", match="{}", contains="nothing").status is ToolStatus.EMPTY


def alerts_and_rules(alerts=(), rules=()):
    return Toolbox(alert_tools(lambda: alerts, lambda: rules), lambda: AT)


def test_active_alerts_are_those_that_fire_and_are_no_findings():
    """Resolved ones and companions say nothing about what is wrong now; the oldest comes first.

    The receipt names them, but for names that are no word.
    """
    alerts = [
        Alert({"alertname": "Late", "job": "api"}, {"summary": "it is late"}, AT - 60),
        Alert({"alertname": "Early", "job": "api"}, {}, AT - 600),
        Alert({"alertname": "disk is full", "job": "api"}, {}, AT - 30),
        Alert({"alertname": "Other", "job": "db"}, {}, AT - 600),
        Alert({"alertname": "Over", "job": "api"}, {}, AT - 600, AT - 60),
        Alert({"alertname": "LensInvestigation", "job": "api"}, {}, AT - 600),
    ]
    result = alerts_and_rules(alerts).call("list_active_alerts", {"labels": {"job": "api"}})
    assert [row["labels"]["alertname"] for row in result.data] == ["Early", "Late", "disk is full"]
    assert result.seen == {"alerts": 3.0, "1 Early.starts_at": AT - 600, "2 Late.starts_at": AT - 60, "3.starts_at": AT - 30}
    assert alerts_and_rules().call("list_active_alerts", {}).status is ToolStatus.EMPTY
    many = [Alert({"alertname": "A", "n": str(number)}, {}, AT) for number in range(40)]
    assert alerts_and_rules(many).call("list_active_alerts", {}).note == "10 more alerts are not shown"


def test_rules_are_found_by_name_or_query():
    """What a rule watches and how it stands."""
    rules = [
        ServerRule("g", "alerting", "FdsHigh", "process_open_fds > 100", "firing", duration=60.0),
        ServerRule("g", "recording", "a:b", "sum(x)"),
    ]
    result = alerts_and_rules(rules=rules).call("list_rules", {"contains": "open_fds"})
    assert [row["name"] for row in result.data] == ["FdsHigh"]
    assert result.data[0]["state"] == "firing"
    assert result.seen == {"rules": 1.0, "1.for_seconds": 60.0}
