"""What came with a release: a Deployment's new pods beside those they replaced."""

import numpy as np
import pytest

from lens_exporter.model.alert import Alert
from lens_exporter.model.analysis import HypothesisState, Outcome
from tests.unit.investigate.export_service import claims, investigated, own_alert, their_alert
from tests.unit.investigate.scripted import AT, MINUTE, steady

HOUR = 60 * MINUTE
OLD, NEW = "web-7d9f8c6b5", "web-64bd9c8c4f"
PODS = ("x2x4k", "9kq2v", "b7c5d")
SIGNED = "Offline analyst: no model was used."
BEGAN = AT - 40 * MINUTE  # 13:35
FAST, SLOW = steady(0.21, 0.01), steady(0.82, 0.04)


def of_pod(release, end, number=0, **labels):
    address = f"10.0.{number}.7:9000"
    return {"namespace": "shop", "pod": f"{release}-{end}", "instance": address, "job": "web", "container": "web", **labels}


def pods(release, course, begin=0.0, end=np.inf, metric="web_latency_seconds", **labels):
    """Three pods of a release, with a value only while they are there."""

    def while_there(times):
        return np.where((times >= begin) & (times < end), course(times), np.nan)

    return [({"__name__": metric, **of_pod(release, name, number, **labels)}, while_there) for number, name in enumerate(PODS)]


def selected(release=NEW, metric="web_latency_seconds", end=PODS[0]):
    there = of_pod(release, end)
    return metric + "{" + ",".join(f'{name}="{there[name]}"' for name in sorted(there)) + "}"


def slow(query=None, release=NEW, end=PODS[0], age=5 * MINUTE, **labels):
    there = {**of_pod(release, end), **labels}
    known = {"alertname": "LensLatency", "severity": "warning", "watcher": "web", **there}
    return Alert(known, {"lens_query": query or selected(release, end=end)}, AT - age)


def released(answer):
    """The questions that were asked about releases."""
    return [one for one in answer.receipts if "release" in str(one.arguments.get("query", ""))]


def test_what_came_with_a_release_is_said_first():
    """The page names both releases, since when, and what each has; the next step is to compare or roll back."""
    answer = investigated([*pods(OLD, FAST, end=BEGAN), *pods(NEW, SLOW, begin=BEGAN)], slow())
    assert answer.analysis.outcome is Outcome.CAUSE_FOUND
    claim = (
        "web-64bd9c8c4f has run since 13:35 in place of web-7d9f8c6b5; the median of its pods is 820 ms on average, "
        "that of those before 210 ms, 220 ms at most"
    )
    assert answer.analysis.summary == f"It came with a release: {claim}. {SIGNED}"
    assert claims(answer) == [claim]
    assert answer.analysis.hypotheses == ()  # what stayed as it is since the release may have come with it
    assert answer.analysis.recommendations[0] == "compare web-64bd9c8c4f with web-7d9f8c6b5, or roll back to it"


def test_where_old_pods_still_run_the_new_are_beside_them():
    answer = investigated([*pods(OLD, FAST), *pods(NEW, SLOW, begin=BEGAN)], slow())
    assert "web-64bd9c8c4f has run since 13:35 beside web-7d9f8c6b5; " in answer.analysis.summary


def test_less_than_before_is_said_as_such():
    answer = investigated([*pods(OLD, SLOW, end=BEGAN), *pods(NEW, FAST, begin=BEGAN)], slow())
    assert "is 210 ms on average, that of those before 820 ms, 780 ms at least" in answer.analysis.summary


@pytest.mark.parametrize(
    "rule",
    [
        "web_latency_seconds > 0.5",
        'web_latency_seconds{job="web",container=~"web|api"} > 0.5',
        f'web_latency_seconds{{pod="{NEW}-{PODS[0]}"}} > 0.5',
    ],
)
def test_an_alert_rule_of_the_users_own_is_read_as_well(rule):
    alert = their_alert("TooSlow", rule, of_pod(NEW, PODS[0]))
    answer = investigated([*pods(OLD, FAST, end=BEGAN), *pods(NEW, SLOW, begin=BEGAN)], alert)
    assert answer.analysis.summary.startswith("It came with a release: web-64bd9c8c4f has run since 13:35 in place of")


def test_what_is_counted_is_compared_by_its_rate():
    def counting(per_second):
        return lambda times: (times - 1.79e9) * per_second

    series = [
        *pods(OLD, counting(0.2), end=BEGAN, metric="web_errors_total"),
        *pods(NEW, counting(3.0), begin=BEGAN, metric="web_errors_total"),
    ]
    answer = investigated(series, their_alert("Errors", "rate(web_errors_total[5m]) > 1", of_pod(NEW, PODS[0])))
    assert "the median of its pods is 3/s on average, that of those before 0.2/s" in answer.analysis.summary


def test_shares_of_two_counters_are_compared():
    """Both selectors are of the Deployment's pods; the rule names neither pod nor namespace."""
    failed, served = (lambda times: (times - 1.79e9) * 0.5), (lambda times: (times - 1.79e9) * 10)
    series = [
        *pods(OLD, lambda times: failed(times) / 50, end=BEGAN, metric="web_failed_sum"),
        *pods(NEW, failed, begin=BEGAN, metric="web_failed_sum"),
        *pods(OLD, served, end=BEGAN, metric="web_served_count"),
        *pods(NEW, served, begin=BEGAN, metric="web_served_count"),
        *pods("api-7d9f8c6b5", served, metric="web_served_count"),
    ]
    rule = 'rate(web_failed_sum{job="web"}[5m]) / rate(web_served_count{job="web"}[5m]) > 0.02'
    answer = investigated(series, their_alert("Failing", rule, of_pod(NEW, PODS[0])))
    (asked,) = released(answer)
    matchers = (
        'job="web",container="web",namespace="shop",pod=~"web-[bcdfghjklmnpqrstvwxz2456789]{6,10}-[bcdfghjklmnpqrstvwxz2456789]{5}"'
    )
    inner = f"rate(web_failed_sum{{{matchers}}}[5m]) / rate(web_served_count{{{matchers}}}[5m])"
    assert asked.arguments["query"] == (
        f'quantile by (release) (0.5, label_replace({inner}, "release", "$1", "pod", "(.+)-[^-]+"))'
    )
    assert "the median of its pods is 0.05 on average, that of those before 0.001" in answer.analysis.summary


def test_a_release_that_is_as_the_last_is_ruled_out():
    """The pod alone is slow: two of three have what the release before had."""
    first, *others = pods(NEW, FAST, begin=BEGAN)
    bad = (first[0], lambda times: np.where(times >= BEGAN, SLOW(times), np.nan))
    answer = investigated([*pods(OLD, FAST, end=BEGAN), bad, *others], slow())
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    ruled_out = [one.claim for one in answer.analysis.hypotheses if one.state is HypothesisState.RULED_OUT]
    assert ruled_out[0].startswith(
        "release (web-64bd9c8c4f has run since 13:35 in place of web-7d9f8c6b5; the median of its pods is 210 ms"
    )
    assert not [claim for claim in claims(answer) if "has run since" in claim]


def test_what_came_over_old_and_new_pods_alike_is_no_release():
    """Both are slow since the release: what else began then is not known, but the new code is not what is new."""

    def from_then_on(times):
        return np.where(times < BEGAN + 5 * MINUTE, FAST(times), SLOW(times))

    answer = investigated([*pods(OLD, from_then_on), *pods(NEW, from_then_on, begin=BEGAN)], slow())
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert "It came with a release" not in answer.analysis.summary


def test_what_began_long_after_the_release_is_told_beside_it_and_not_blamed():
    began = AT - 170 * MINUTE

    def later(times):
        return np.where(times < AT - 60 * MINUTE, FAST(times), SLOW(times))

    answer = investigated([*pods(OLD, FAST, end=began), *pods(NEW, later, begin=began)], slow())
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert [claim for claim in claims(answer) if claim.startswith("web-64bd9c8c4f has run since 11:25 in place of web-7d9f8c6b5; ")]


def test_a_release_of_hours_ago_is_held_against_a_day():
    """Released at night, told at noon: the night before and the noon before are both known."""

    def daily(low, high):
        return lambda times: np.where((times % 86_400) > 9 * 3600, high, low) + 0.001 * np.sin(times / 7.0)

    began = AT - 10 * HOUR
    same = investigated([*pods(OLD, daily(0.2, 0.6), end=began), *pods(NEW, daily(0.2, 0.6), begin=began)], slow())
    worse = investigated([*pods(OLD, daily(0.2, 0.6), end=began), *pods(NEW, daily(0.8, 1.2), begin=began)], slow())
    assert [len(released(one)) for one in (same, worse)] == [2, 2]
    assert same.analysis.outcome is not Outcome.CAUSE_FOUND
    assert worse.analysis.summary.startswith("It came with a release: web-64bd9c8c4f has run since 04:")


def test_one_that_was_there_for_minutes_is_not_the_one_before():
    """A release that was taken back at once: the one before it is what the new one is held against."""
    brief = "web-5c5c5c5c5c"
    series = [
        *pods(OLD, FAST, end=BEGAN - 10 * MINUTE),
        *pods(brief, SLOW, begin=BEGAN - 10 * MINUTE, end=BEGAN),
        *pods(NEW, SLOW, begin=BEGAN),
    ]
    assert "in place of web-7d9f8c6b5" in investigated(series, slow()).analysis.summary


def test_a_first_release_has_none_before_it():
    answer = investigated(pods(NEW, SLOW, begin=BEGAN), slow())
    assert len(released(answer)) == 1
    assert "release" not in answer.analysis.summary


def test_what_stayed_as_it_was_from_the_first_minute_rules_nothing_out():
    """Nobody has seen this pod's CPU without the trouble; half an hour later somebody has."""
    busy = pods(NEW, steady(0.4, 0.01), begin=BEGAN, metric="web_cpu_ratio")
    series = [*pods(NEW, SLOW, begin=BEGAN), *busy]
    from_the_first, later = investigated(series, slow(age=AT - BEGAN)), investigated(series, slow(age=5 * MINUTE))
    assert from_the_first.analysis.hypotheses == ()
    assert [one.claim.partition(" ")[0] for one in later.analysis.hypotheses] == ["CPU"]


def test_alerts_of_several_pods_of_one_release_are_one_question():
    alerts = [slow(end=end) for end in PODS]
    answer = investigated([*pods(OLD, FAST, end=BEGAN), *pods(NEW, SLOW, begin=BEGAN)], *alerts)
    assert len(released(answer)) == 1
    assert answer.analysis.summary.startswith("It came with a release")


@pytest.mark.parametrize(
    "alerts",
    [
        [slow(), slow(release="api-64bd9c8c4f")],
        [slow(release="db", end="0")],
        [slow(query="sum(web_latency_seconds)")],
        [slow(query=f'web_latency_seconds{{pod="{NEW}-{PODS[0]}",un"read=able}}')],
        [slow(query=f'{selected()} / label_replace(web_latency_seconds, "a", "$1", "b", "(.*)")')],
        [slow(query="")],
        [own_alert("LensMemory", 'process_resident_memory_bytes{instance="127.0.0.1:59763"}')],
    ],
    ids=["two Deployments", "a StatefulSet", "an aggregate", "not to be read", "makes labels", "one query", "no pod"],
)
def test_where_no_release_can_be_told_the_answer_is_as_before(alerts):
    """What cannot be asked plainly is not asked, or says nothing."""
    series = [*pods(OLD, FAST, end=BEGAN), *pods(NEW, SLOW, begin=BEGAN)]
    answer = investigated(series, *alerts)
    assert all(one.status.value != "error" for one in released(answer))
    if alerts[0].annotations["lens_query"] != selected():
        assert "It came with a release" not in answer.analysis.summary
