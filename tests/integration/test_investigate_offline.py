"""The offline analyst on a real Prometheus: two hours of noisy history of three instances, one of which leaks."""

import math
import time

import numpy as np
import pytest

from lens_exporter.demo.backfill import Series
from lens_exporter.investigate.toolbox import Toolbox
from lens_exporter.model.alert import Alert
from lens_exporter.model.analysis import Outcome, Recheck, ReviewVerdict
from tests.integration.desk import Desk
from tests.servers.prometheus import PrometheusServer

pytestmark = pytest.mark.integration

STEP = 15.0
# Back-filled samples must be three hours old; the investigation is made as if it were then.
AT = math.floor((time.time() - 3.3 * 3600) / 60) * 60.0
BEGINS = AT - 14 * 60


def history():
    rng = np.random.default_rng(7)
    times = np.arange(AT - 7200, AT + 60, STEP)
    after = np.maximum(times - BEGINS, 0.0)

    def one(name, instance, values):
        return Series(
            name, {"instance": instance, "job": "api"}, [(float(t), float(v)) for t, v in zip(times, values, strict=True)]
        )

    for instance in ("api-7:9000", "api-8:9000", "api-9:9000"):
        leaks = instance == "api-7:9000"
        noise = rng.normal(size=(12, len(times)))
        requests = np.cumsum(np.maximum(rng.poisson(212 * STEP, len(times)), 0))
        yield one("process_open_fds", instance, (61 + 2 * noise[0] + (after * 1.6 if leaks else 0)).round())
        yield one(
            "process_resident_memory_bytes", instance, 1.1e9 + 1e7 * noise[1] + (np.maximum(after - 90, 0) * 0.9e6 if leaks else 0)
        )
        yield one("process_threads", instance, (18 + (noise[2] > 1)).round())
        yield one("http_requests_total", instance, requests)
        yield one("process_cpu_seconds_total", instance, np.cumsum(0.35 * STEP + 0.2 * np.abs(noise[3])))
        yield one("python_gc_collections_total", instance, np.cumsum(rng.poisson(4, len(times))))
        yield one("process_start_time_seconds", instance, np.full(len(times), AT - 90_000))
        yield one("queue_depth", instance, np.abs(3 * noise[4]).round())
        for number in range(20):
            yield one(f"app_gauge_{number}", instance, rng.normal(100, 5, len(times)))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with PrometheusServer(tmp_path_factory.mktemp("offline"), history=list(history())) as running:
        yield running


def memory(instance, **changes):
    labels = {"alertname": "HighMemory", "severity": "critical", "instance": instance, "job": "api"}
    url = "http://prometheus/graph?g0.expr=process_resident_memory_bytes+%3E+1.3e9&g0.tab=1"
    return Alert(**{"labels": labels, "starts_at": AT - 11 * 60, "generator_url": url} | changes)


def test_the_leaking_series_is_named_first(server):
    """Of eighty noisy series it is the one that moved first, and every number of the answer is proved by code."""
    answer = Desk(server.url, AT).investigate(memory("api-7:9000"))
    first, second, *_ = answer.analysis.findings
    assert first.claim.startswith("open files (process_open_fds) 61 -> 1,4")
    assert second.claim.startswith("memory (process_resident_memory_bytes) 1.1 GB -> 1.78 GB")
    assert answer.analysis.outcome is Outcome.CAUSE_FOUND
    assert all(finding.holds for finding in answer.analysis.findings)
    assert answer.verdict.verdict is ReviewVerdict.ACCEPT
    assert {one.recheck for one in answer.receipts if one.seen} == {Recheck.CONFIRMED, Recheck.RECORDED}
    ruled_out = " ".join(one.claim for one in answer.analysis.hypotheses)
    assert "http_requests_total" in ruled_out
    assert "process_threads" in ruled_out


def test_a_calm_instance_has_nothing_wrong(server):
    """The same alert on the neighbour finds no suspect, and the rule's query is where it always was."""
    answer = Desk(server.url, AT).investigate(memory("api-8:9000"))
    assert answer.analysis.outcome is Outcome.NOTHING_WRONG, answer.analysis
    assert all(finding.holds for finding in answer.analysis.findings)


def test_a_group_over_two_instances_is_looked_at_as_one_job(server):
    """What its alerts have in common is the target."""
    answer = Desk(server.url, AT).investigate(memory("api-7:9000"), memory("api-8:9000"))
    (ranked, *_) = [one for one in answer.receipts if one.tool == "rank_suspects"]
    assert ranked.arguments["labels"] == {"job": "api"}
    assert 'process_open_fds{instance="api-7:9000"}' in answer.analysis.findings[0].claim


def test_a_server_that_goes_away_before_the_check_does_not_take_the_answer(tmp_path):
    """What was seen was seen: the receipts say that they could not be asked again."""
    with PrometheusServer(tmp_path, history=[one for one in history() if one.labels["instance"] == "api-7:9000"]) as server:

        def step(name, work):
            if name == "receipts":
                server.kill()
            return work()

        answer = Desk(server.url, AT).investigate(memory("api-7:9000"), step=step)
    assert Recheck.FAILED in {one.recheck for one in answer.receipts}
    assert answer.analysis.outcome is Outcome.CAUSE_FOUND


def test_a_server_that_is_away_from_the_start_leaves_it_not_investigated(tmp_path):
    """No number is made up, and the reason names the server."""
    with PrometheusServer(tmp_path) as server:
        desk = Desk(server.url, AT)
        server.kill()
    desk.tools = Toolbox([tool for tool in desk.tools._tools.values() if tool.name != "list_active_alerts"])
    answer = desk.investigate(memory("api-7:9000"))
    assert answer.analysis.outcome is Outcome.NOT_INVESTIGATED
    assert "cannot be reached" in answer.analysis.reason
    assert answer.analysis.findings == ()
