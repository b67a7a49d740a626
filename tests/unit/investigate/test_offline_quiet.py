"""What the offline analyst says when there is little to say: all is well again, the target is away, nobody can be asked."""

import numpy as np
import pytest

from lens_exporter.errors import QueryTooExpensive, Unreachable
from lens_exporter.investigate.offline import OfflineAnalyst
from lens_exporter.model.alert import Alert
from lens_exporter.model.analysis import Health, Outcome
from tests.unit.investigate.export_service import (
    CALM,
    FILES_CALM,
    FILES_LEAK,
    LENS_FILES,
    LENS_MEMORY,
    MEMORY_BURST,
    MEMORY_LEAK,
    SERVICE,
    TOO_MANY,
    TOOLS,
    asked,
    claims,
    investigated,
    one,
    their_alert,
    used,
)
from tests.unit.investigate.fleet import Fleet
from tests.unit.investigate.scripted import AT, MINUTE, Site, leak, steady, toolbox

SIGNED = " Offline analyst: no model was used."


def test_what_went_and_came_back_is_nothing_wrong_now():
    """When, how far, and that it is over."""
    answer = investigated([*CALM, *FILES_CALM, *MEMORY_BURST], LENS_MEMORY)
    assert (answer.analysis.outcome, answer.analysis.status) == (Outcome.NOTHING_WRONG, Health.HEALTHY)
    assert answer.analysis.summary == (
        "Nothing is wrong now: what alerted is over, and none of 13 judged series is outside its normal; memory had moved 14:07 to "
        f"14:12 and is back.{SIGNED}"
    )
    assert claims(answer)[:2] == [
        "none of 13 judged series is outside its normal",
        "the alert's own query is at 4.1 %, after 34 % at most",
    ]
    assert answer.analysis.recommendations == ()


def test_a_level_that_was_always_too_high_is_not_nothing():
    """Nothing moved, and 93 % of the memory is used all the same."""
    answer = investigated([*CALM, *used("memory", steady(0.93 * 671e6), 671e6, "_bytes")], LENS_MEMORY)
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert answer.analysis.summary == (
        "Inconclusive: the alert's own query stays at 93 %, and none of 10 judged series is outside its normal: "
        f"it alerts on a level that is usual here.{SIGNED}"
    )


def test_whether_a_rule_still_alerts_is_asked():
    """The same calm series: below the rule's threshold it is over, above it is not."""
    over = investigated([*CALM, *FILES_CALM], TOO_MANY)
    assert over.analysis.outcome is Outcome.NOTHING_WRONG
    holds = investigated([*CALM, *used("open_fds", steady(200), 512)], TOO_MANY)
    assert holds.analysis.outcome is Outcome.INCONCLUSIVE
    assert "stays at 200" in holds.analysis.summary
    assert holds.analysis.recommendations[0] == "see whether the alert's threshold fits what is usual here"


def test_an_alert_that_is_resolved_already_is_over():
    """Without a rule to ask, and with a series that never moved, Alertmanager's word counts."""
    resolved = Alert(LENS_FILES.labels, LENS_FILES.annotations, LENS_FILES.starts_at, AT - MINUTE)
    assert investigated([*CALM, *FILES_CALM], resolved).analysis.outcome is Outcome.NOTHING_WRONG


def test_a_target_that_went_away_is_said_to_be_away():
    """Most of its series end at once; what moved before that is a lead, and nothing that ended is called back."""
    ends = AT - 4 * MINUTE

    def ending(labels, course):
        return labels, lambda times: np.where(times < ends, course(times), np.nan)

    there = [ending(*found) for found in (*CALM, *MEMORY_LEAK)]
    up = ({"__name__": "up", "instance": SERVICE["instance"], "job": SERVICE["job"]}, lambda t: np.where(t < ends, 1.0, 0.0))
    alert = their_alert("Down", "up == 0", {name: SERVICE[name] for name in ("instance", "job")})
    answer = investigated([*there, up], alert)
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert answer.analysis.summary.startswith(
        "Inconclusive: 10 of 11 series of this target end at 14:10: it is down, or is not scraped any more. Memory left normal "
        "4 min earlier (27.8 MB -> 184 MB)."
    )
    assert "back" not in answer.analysis.summary
    assert "full" not in " ".join(claims(answer))
    assert answer.analysis.recommendations[0] == "see whether the target runs and answers its scrape"
    unseen = investigated(there, alert)
    assert "Memory left normal at 14:07 (27.8 MB -> 184 MB)." in unseen.analysis.summary


QUEUE = ({"__name__": "queue_depth", "queue": "mails"}, leak(3, AT - 8 * MINUTE, 40))


def test_an_alert_without_an_instance_is_judged_by_the_labels_it_has():
    """A queue has a name and no instance."""
    answer = investigated([QUEUE], their_alert("QueueLong", "queue_depth > 100", {"queue": "mails"}), tools=())
    assert answer.analysis.summary == (
        f"Inconclusive: queues 3 -> 323 from 14:07, up 40 a minute. Nothing else could be judged.{SIGNED}"
    )


def test_an_alert_without_any_label_has_at_least_its_query():
    """A sum over everything says nothing about where; what it did is told."""
    answer = investigated([QUEUE], their_alert("QueueLong", "sum(queue_depth) > 100", {}), tools=())
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert answer.analysis.summary == (
        f"Inconclusive: the alert's own query went 3 -> 323 and is rising; no label of the alert says what else to look at.{SIGNED}"
    )


def test_a_unit_is_read_out_of_the_query_where_it_has_one():
    """A sum of bytes is bytes; what a rate gives is per second."""
    tables = [({"__name__": "table_bytes", "table": name}, leak(5e6, AT - 8 * MINUTE, 5e6)) for name in "ab"]
    answer = investigated(tables, their_alert("TablesBig", "sum(table_bytes) > 1e7", {}), tools=())
    assert "went 10 MB -> 90 MB" in answer.analysis.summary
    counted = (
        {"__name__": "sent_bytes_total"},
        lambda t: (t - 1.79e9) * 1000.0 + np.where(t > AT - 300, (t - AT + 300) * 9000.0, 0),
    )
    answer = investigated([counted], their_alert("Sends", "rate(sent_bytes_total[5m]) > 2000", {}), tools=())
    assert "went 1,000 -> 10,000" in answer.analysis.summary


def test_a_group_of_fifty_alerts_is_counted_whole():
    """The list that a tool shows is shorter than what fires."""
    alerts = [
        their_alert("TooManyOpenFiles", "process_open_fds > 150", {"job": "api", "instance": f"api-{n}:90"}) for n in range(50)
    ]
    series = [
        ({"__name__": "process_open_fds", "job": "api", "instance": f"api-{n}:90"}, leak(61, AT - 6 * MINUTE, 80))
        for n in range(50)
    ]
    answer = investigated(series, *alerts, tools=())
    assert "50 alerts fire on this target: TooManyOpenFiles" in claims(answer)
    assert claims(answer)[0].endswith("from 14:09, up 80 a minute; 50 of 50 such series moved")
    assert len(answer.analysis.findings) <= 8


def test_a_group_of_several_rules_is_asked_about_whole():
    """However many questions it takes, none is refused for being one too many."""
    alerts = [their_alert(f"Rule{n}", f'lens_python_open_fds_used{{job="export-service"}} > {n}') for n in (150, 160)]
    alerts += [their_alert("Memory", 'lens_python_memory_used_bytes{job="export-service"} > 1e8')]
    answer = investigated([*CALM, *FILES_LEAK, *MEMORY_LEAK], *alerts)
    assert {"list_active_alerts", "get_open_files", "get_process"} <= set(asked(answer))
    assert answer.analysis.summary.startswith(
        "484 of 488 open files are /tmp/export-*.csv: they are not closed. Open files 5 -> 485"
    )
    assert (
        len({str(one.arguments) for one in answer.receipts if one.tool == "promql_instant" and ">" in one.arguments["query"]}) == 3
    )


class Away(Fleet):
    """A Prometheus that cannot be reached."""

    def query_range(self, query, start, end, step):
        raise Unreachable(service="prometheus", url="http://localhost:9090", reason="Connection refused [Errno 111]")


def test_prometheus_away_is_the_first_thing_said():
    """Alertmanager answers, so something is known, and nothing is made up."""
    site = Site(Away(), OfflineAnalyst(), *TOOLS)
    site.toolbox = toolbox(Away(), *TOOLS, alerts=[LENS_FILES, LENS_MEMORY])
    answer = site.investigate(LENS_FILES)
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert answer.analysis.summary == f"Inconclusive: Prometheus did not answer, so nothing could be judged.{SIGNED}"
    assert "Connection refused" in answer.analysis.reason
    assert claims(answer) == ["2 alerts fire on this target: LensFiles, LensMemory"]
    assert answer.verdict.issues == ()
    assert answer.verdict.confidence == "low"
    assert answer.analysis.recommendations == ("see why Prometheus does not answer",)


def test_nothing_seen_leads_nowhere():
    """An alert without a query or a label that identifies a target: its name alone is no reason to take heap profiles."""
    nameless = Alert({"alertname": "LensMemory", "severity": "warning"}, {}, AT - 11 * MINUTE)
    answer = investigated([QUEUE], nameless, tools=())
    assert answer.analysis.recommendations == ()


class Crowded(Fleet):
    """A target with more series than may be asked for at once."""

    def query_range(self, query, start, end, step):
        if "__name__!~" in query:
            raise QueryTooExpensive(query=query, reason="too many points")
        return super().query_range(query, start, end, step)


def test_a_target_that_is_too_large_to_rank_is_not_called_silent():
    """Prometheus did answer what was small enough."""
    target = Crowded(*CALM, *FILES_LEAK)
    site = Site(target, OfflineAnalyst())
    answer = site.investigate(LENS_FILES)
    assert answer.analysis.summary.startswith(
        "Inconclusive: the alert's own query went 0.98 % -> 95 % and is rising; what else moved on this target could not be asked."
    )


def test_a_series_too_young_to_be_judged_is_said_to_be():
    """A program that just began has no normal yet."""
    young = one("lens_python_open_fds_used", lambda t: np.where(t > AT - 20, 400.0, np.nan))
    answer = investigated([young], LENS_FILES, tools=())
    assert answer.analysis.summary == f"Inconclusive: no series of this target has enough history to be judged.{SIGNED}"


@pytest.mark.parametrize("series", [[*CALM, *FILES_LEAK, *MEMORY_LEAK], [*CALM, *FILES_CALM, *MEMORY_BURST]])
def test_the_same_past_gives_the_same_answer(series):
    """To the letter."""
    assert investigated(series, LENS_FILES) == investigated(series, LENS_FILES)


SHOP = {"instance": "shop-4:9000", "job": "shop"}
ENDS = AT - 2.5 * MINUTE


def hidden(name, course, ends=ENDS):
    return ({"__name__": name, **SHOP}, lambda t: np.where(t <= ends, course(t), np.nan))


def of_shop(name, course):
    return ({"__name__": name, **SHOP}, course)


def wobbling(level):
    """A gauge that is never twice the same; what it does now and then is far from nothing, and normal."""
    return lambda t: level * (1 + 0.2 * np.sin(t / 17.0))


def shop_alert(name, query, age=29 * MINUTE):
    return Alert({"alertname": name, "severity": "warning", **SHOP}, {"lens_query": query}, AT - age)


CPU_MISSING = shop_alert("LensCpu", 'shop_cpu_ratio{instance="shop-4:9000",job="shop"}')
SHOP_CALM = [of_shop("up", steady(1)), of_shop("shop_queue_depth", steady(2)), of_shop("shop_pool_in_use", wobbling(5))]


@pytest.mark.parametrize("age", [2 * MINUTE, 29 * MINUTE, 5 * 60 * MINUTE])
def test_a_metric_that_vanished_is_not_over(age):
    """An alert that a metric has no value, whose last value was normal: it is gone still, however old the alert and coarse the look."""
    alert = shop_alert("LensCpu", CPU_MISSING.annotations["lens_query"], age)
    answer = investigated([*SHOP_CALM, hidden("shop_cpu_ratio", wobbling(0.28), min(ENDS, AT - age / 10))], alert, tools=())
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert answer.analysis.summary.startswith("Inconclusive: shop_cpu_ratio has no value since 1")
    assert any(claim.startswith("shop_cpu_ratio has no value since 1") for claim in claims(answer))
    assert answer.analysis.recommendations == ("see why the target publishes no shop_cpu_ratio any more",)


def test_what_is_absent_is_not_to_be_profiled():
    """Two alerts on two metrics that are gone: there is no heap to take profiles of."""
    memory = shop_alert("LensMem", 'shop_memory_bytes{instance="shop-4:9000",job="shop"}', 2 * MINUTE)
    series = [*SHOP_CALM, hidden("shop_cpu_ratio", wobbling(0.28)), hidden("shop_memory_bytes", wobbling(9e8))]
    answer = investigated(series, memory, CPU_MISSING, tools=())
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert "shop_memory_bytes has no value since 14:12 and shop_cpu_ratio has no value since 14:12" in answer.analysis.summary
    assert not any("profile" in step for step in answer.analysis.recommendations)
    assert not any("memory" in one.claim or "CPU" in one.claim for one in answer.analysis.hypotheses)


def test_a_rule_that_answers_nothing_about_a_series_that_is_gone_is_not_over():
    """The rule of a metric that vanished is silent, and that is no good sign; one about absence ends with it, and that is."""
    cpu = of_shop("shop_cpu_ratio", wobbling(0.28)), hidden("shop_cpu_ratio", wobbling(0.28))
    alert = their_alert("CpuHigh", 'shop_cpu_ratio{instance="shop-4:9000"} > 0.9', SHOP)
    assert investigated([*SHOP_CALM, cpu[0]], alert, tools=()).analysis.outcome is Outcome.NOTHING_WRONG
    assert investigated([*SHOP_CALM, cpu[1]], alert, tools=()).analysis.outcome is Outcome.INCONCLUSIVE


def test_where_a_course_came_from_is_not_known_after_a_hole():
    """The range begins in a hole and then with a rate that is still building up: to be as low again is not to be back."""
    begins = AT - 15 * MINUTE  # the range that is asked for reaches six minutes further back

    def requests(t):
        up, down = (t - begins) / 300 * 17, 17 - (t - AT + 6 * MINUTE) / 300 * 14
        return np.where(
            t < begins, np.nan, np.maximum(np.minimum(np.minimum(up, 17), np.where(t > AT - 6 * MINUTE, down, 17)), 1.4)
        )

    alert = shop_alert("LensRequests", "sum(shop_rate)", 11 * MINUTE)
    answer = investigated([*SHOP_CALM, ({"__name__": "shop_rate", "instance": "elsewhere"}, requests)], alert, tools=())
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
