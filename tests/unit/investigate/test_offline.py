"""The offline analyst on targets of different trouble: what it asks, what it concludes, and that it says nothing it has not seen."""

import numpy as np
import pytest
from pydantic import BaseModel

from lens_exporter.investigate.offline import OfflineAnalyst
from lens_exporter.model.alert import Alert
from lens_exporter.model.analysis import Health, HypothesisState, Outcome, ReviewVerdict
from lens_exporter.model.tool import Tool, ToolResult, ToolStatus
from tests.unit.investigate.scripted import API_7, AT, MINUTE, Site, Target, leak, leaking_api, memory_alert, steady, toolbox


def investigated(target, *alerts, more=()):
    site = Site(target, OfflineAnalyst(), *more)
    return site.investigate(*alerts), site


def claims(investigated):
    return [finding.claim for finding in investigated.analysis.findings]


def test_the_leak_is_named_first():
    """Memory alerts, open files leaked two minutes earlier and can drive it: the answer begins with the open files."""
    answer, _site = investigated(leaking_api())
    assert answer.analysis.outcome is Outcome.CAUSE_FOUND
    assert answer.analysis.status is Health.WARNING
    assert claims(answer) == [
        "open files (process_open_fds) 61 -> 1,461 from 14:01, up 100 a minute",
        "memory (process_resident_memory_bytes) 1 GB -> 1.46 GB from 14:03, up 38 MB a minute",
    ]
    assert answer.analysis.summary.startswith(
        "Open files left normal first (61 -> 1,461 from 14:01, up 100 a minute) and can drive memory, which followed at 14:03"
    )
    assert "lsof" in answer.analysis.recommendations[0]


def test_it_says_that_no_model_was_used_and_costs_nothing():
    """Whoever reads it knows what it is."""
    answer, _site = investigated(leaking_api())
    assert answer.analyst == "offline analyst"
    assert answer.analysis.summary.endswith("Offline analyst: no model was used.")
    assert (answer.cost.dollars, answer.cost.model_calls, answer.cost.input_tokens) == (0.0, 0, 0)
    assert answer.verdict.verdict is ReviewVerdict.ACCEPT
    assert all(finding.holds for finding in answer.analysis.findings)


def test_what_stayed_normal_is_ruled_out():
    """Traffic and threads did not move, nothing restarted, and that is said with their numbers."""
    answer, _site = investigated(leaking_api())
    assert [(one.claim, one.state) for one in answer.analysis.hypotheses] == [
        ("traffic (steady at 212/s, http_requests_total)", HypothesisState.RULED_OUT),
        ("threads (steady at 18, process_threads)", HypothesisState.RULED_OUT),
        ("restart (none)", HypothesisState.RULED_OUT),
    ]


def test_it_is_deterministic():
    """The same past gives the same answer, to the letter."""
    assert investigated(leaking_api())[0] == investigated(leaking_api())[0]


def test_where_only_the_alerting_metric_moved_it_is_inconclusive():
    """Moving alone is no cause, and a good answer says so."""
    target = Target({"process_resident_memory_bytes": leak(1e9, AT - 12 * MINUTE, 38e6), "process_open_fds": steady(61)})
    answer, _site = investigated(target)
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert answer.analysis.summary.startswith("Inconclusive: memory 1 GB -> 1.46 GB from 14:03, up 38 MB a minute.")
    assert "Nothing else of 2 judged series left normal." in answer.analysis.summary


def test_what_moved_long_after_is_no_cause():
    """An effect of the incident is told, not blamed."""
    target = Target(
        {"process_resident_memory_bytes": leak(1e9, AT - 12 * MINUTE, 38e6), "request_errors": leak(5, AT - 4 * MINUTE, 900)}
    )
    answer, _site = investigated(target)
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert any(claim.startswith("errors (request_errors)") for claim in claims(answer))


def test_a_slow_change_is_looked_for_in_a_longer_past():
    """A leak that began hours ago is normal against the last twenty minutes and not against six hours."""
    slow = leak(1e9, AT - 100 * MINUTE, 5e6)
    answer, _site = investigated(Target({"process_resident_memory_bytes": slow}), memory_alert(starts_at=AT - MINUTE))
    assert [one.arguments.get("history") for one in answer.receipts if one.tool == "rank_suspects"] == [None, 21_600.0]
    assert "memory (process_resident_memory_bytes) 1 GB -> 1.5 GB" in claims(answer)[0]


def test_a_restart_before_the_trouble_is_a_finding():
    """A process that started inside the looked-at time is named with its time."""
    start = lambda times: np.where(times < AT - 13 * MINUTE, AT - 90_000, AT - 13 * MINUTE)  # noqa: E731 - reads as the others
    target = Target({"process_resident_memory_bytes": leak(1e9, AT - 12 * MINUTE, 38e6), "process_start_time_seconds": start})
    answer, _site = investigated(target)
    assert answer.analysis.outcome is Outcome.CAUSE_FOUND
    assert claims(answer)[0] == "a process started at 14:02 (process_start_time_seconds)"


def test_an_alert_without_a_known_target_is_not_investigated():
    """No label says where to look, so nothing is made up."""
    alert = Alert({"alertname": "SomethingOdd"}, starts_at=AT - MINUTE)
    answer, _site = investigated(leaking_api(), alert)
    assert answer.analysis.outcome in {Outcome.INCONCLUSIVE, Outcome.NOT_INVESTIGATED}
    assert answer.analysis.findings == ()


def test_their_alert_is_investigated_by_the_rules_expression():
    """A rule's alert on the fleet has its query in the generator's address."""
    url = "http://prometheus:9090/graph?g0.expr=process_open_fds+%3E+1000"
    answer, _site = investigated(
        leaking_api(), Alert({"alertname": "FdsHigh", **API_7}, starts_at=AT - 5 * MINUTE, generator_url=url)
    )
    asked = [one.arguments["query"] for one in answer.receipts if one.tool == "promql_range"]
    assert 'process_open_fds{instance="api-7:9000",job="api"}' in asked
    assert claims(answer)[0].startswith("open files (process_open_fds) 61 -> 1,461 from 14:01")
    assert "Memory followed at 14:03 (1 GB -> 1.46 GB)." in answer.analysis.summary


class Which(BaseModel, extra="forbid"):
    pid: int | None = None
    process: str | None = None
    hostname: str | None = None
    limit: int = 20


def open_files(asked):
    def answer(arguments):
        asked.append(arguments)
        seen = {"open_files": 1461.0, "limit": 4096.0, "pattern:/tmp/export-*.csv": 1402.0, "pattern:/srv/a.log": 1.0}
        return ToolResult(ToolStatus.DATA, {"pid": arguments.pid, "open_files": 1461}, seen=seen)

    return Tool("get_open_files", "", answer, Which)


def identified(target, **labels):
    """A target that says on which host and as which process it runs."""
    target.metrics["lens_python_info"] = steady(1)
    target.labels = {**API_7, **labels}
    return target


def test_a_live_tool_that_fits_is_asked_about_the_right_process():
    """Open files leak, so the open files of that process on that host are listed."""
    asked = []
    target = identified(leaking_api(), hostname="vm-3", pid="4211", process="api")
    answer, _site = investigated(target, more=(open_files(asked),))
    assert [(one.pid, one.hostname) for one in asked] == [(4211, "vm-3")]
    assert claims(answer)[0] == "1,402 of 1,461 open files are /tmp/export-*.csv"
    assert "lsof -p 4211" in answer.analysis.recommendations[0]


@pytest.mark.parametrize("labels", [{}, {"hostname": ""}, {"hostname": "vm-3"}])
def test_no_live_tool_is_asked_about_an_unknown_process(labels):
    """A live reading of the wrong machine would be a wrong answer."""
    asked = []
    target = identified(leaking_api(), **labels) if labels else leaking_api()
    investigated(target, more=(open_files(asked),))
    assert asked == []


def test_other_alerts_on_the_target_are_told():
    """Two alerts at once are more than one, and a number in an alert's name is no claim."""
    site = Site(leaking_api(), OfflineAnalyst())
    site.toolbox = toolbox(
        leaking_api(), alerts=[memory_alert(), Alert({"alertname": "Disk 90 full", **API_7}, starts_at=AT - MINUTE)]
    )
    answer = site.investigate()
    assert "2 alerts fire on this target: LensMemory, Disk_90_full" in claims(answer)
    assert answer.verdict.issues == ()


def test_hostile_and_long_labels_stay_out_of_the_claims():
    """Labels tell series apart as long as they read as labels; no label can make a claim unprovable or too long."""
    target = leaking_api()
    target.labels = {**API_7, "path": 'x" 99 {}', "long": "y" * 500, "device": "sda1", "a": "1", "b": "2", "c": "3"}
    answer, _site = investigated(target)
    assert claims(answer)[0].startswith('open files (process_open_fds{a="1",b="2",c="3"}) 61 -> 1,461')
    assert "{" not in answer.analysis.summary
    assert answer.verdict.verdict is ReviewVerdict.ACCEPT
