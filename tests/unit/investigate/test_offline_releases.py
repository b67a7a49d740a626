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


def compared(answer):
    return [one for one in answer.receipts if one.tool == "compare_releases"]


def ruled_out(answer):
    return [one.claim for one in answer.analysis.hypotheses if one.state is HypothesisState.RULED_OUT]


def test_what_came_with_a_release_is_said_first():
    """The page names both releases, since when, and what each has; the next step is to compare or to go back."""
    answer = investigated([*pods(OLD, FAST, end=BEGAN), *pods(NEW, SLOW, begin=BEGAN)], slow())
    assert answer.analysis.outcome is Outcome.CAUSE_FOUND
    claim = (
        "web-64bd9c8c4f has run since 13:36 in place of web-7d9f8c6b5; latency 820 ms in its middle pod, 210 ms before "
        "(217 ms at most over 20 min)"
    )
    assert answer.analysis.summary == f"It came with a release: {claim}. {SIGNED}"
    assert claims(answer) == [claim]
    assert answer.analysis.hypotheses == ()  # what stayed as it is since the release may have come with it
    assert answer.analysis.recommendations[0] == "compare web-64bd9c8c4f with web-7d9f8c6b5, or go back to web-7d9f8c6b5"


def test_where_old_pods_still_run_the_new_are_beside_them():
    answer = investigated([*pods(OLD, FAST), *pods(NEW, SLOW, begin=BEGAN)], slow())
    assert "web-64bd9c8c4f has run since 13:36 beside web-7d9f8c6b5; " in answer.analysis.summary


def test_less_than_before_is_said_as_such():
    answer = investigated([*pods(OLD, SLOW, end=BEGAN), *pods(NEW, FAST, begin=BEGAN)], slow())
    assert "latency 210 ms in its middle pod, 820 ms before (792 ms at least over 20 min)" in answer.analysis.summary


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
    assert answer.analysis.summary.startswith("It came with a release: web-64bd9c8c4f has run since 13:36 in place of")


def test_a_rule_about_less_is_not_explained_by_more():
    alert = their_alert("TooFast", "web_latency_seconds < 0.9", of_pod(NEW, PODS[0]))
    answer = investigated([*pods(OLD, FAST, end=BEGAN), *pods(NEW, SLOW, begin=BEGAN)], alert)
    assert compared(answer)[0].arguments["direction"] == "down"
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE


def counting(per_second):
    return lambda times: (times - 1.79e9) * per_second


def test_what_is_counted_is_compared_by_its_rate():
    """The counter itself begins anew with each pod, and says nothing."""
    series = [
        *pods(OLD, counting(0.2), end=BEGAN, metric="web_errors_total"),
        *pods(NEW, counting(3.0), begin=BEGAN, metric="web_errors_total"),
    ]
    rate = f"rate({selected(metric='web_errors_total')}[5m])"
    answer = investigated(series, slow(query=rate))
    assert "errors 3/s in its middle pod, 0.2/s before" in answer.analysis.summary
    (plain,) = compared(investigated(series, slow(query=selected(metric="web_errors_total"))))
    assert plain.note == "a counter without rate() begins anew with each pod"


def test_only_series_like_the_one_that_alerts_are_compared():
    """One of five handlers is slow in all new pods: the middle of all handlers would not show it."""

    def handlers(release, pay, **there):
        return [
            *pods(release, pay, handler="/pay", **there),
            *(row for name in "abcd" for row in pods(release, steady(0.1, 0.005), handler=f"/{name}", **there)),
        ]

    series = [*handlers(OLD, FAST, end=BEGAN), *handlers(NEW, SLOW, begin=BEGAN)]
    alert = their_alert("TooSlow", "web_latency_seconds > 0.5", of_pod(NEW, PODS[0], handler="/pay"))
    answer = investigated(series, alert)
    assert "latency 820 ms in its middle pod, 210 ms before" in answer.analysis.summary


def test_another_place_is_not_compared():
    """The same release runs in two clusters, one of which was always slower."""

    def of(cluster, release, course, **there):
        return pods(release, course, cluster=cluster, **there)

    series = [*of("eu", OLD, SLOW, end=BEGAN), *of("eu", NEW, SLOW, begin=BEGAN), *of("us", OLD, FAST)]
    alert = their_alert("TooSlow", "web_latency_seconds > 0.5", of_pod(NEW, PODS[0], cluster="eu"))
    answer = investigated(series, alert)
    assert ruled_out(answer)[0] == (
        "release (web-64bd9c8c4f since 13:36: latency 820 ms in its middle pod, 820 ms in that of web-7d9f8c6b5)"
    )


def test_shares_of_two_counters_are_compared():
    """Both selectors are of the Deployment's pods; the rule names neither pod nor namespace, and another Deployment is left out."""
    series = [
        *pods(OLD, counting(0.01), end=BEGAN, metric="web_failed_sum"),
        *pods(NEW, counting(0.5), begin=BEGAN, metric="web_failed_sum"),
        *pods(OLD, counting(10), end=BEGAN, metric="web_served_count"),
        *pods(NEW, counting(10), begin=BEGAN, metric="web_served_count"),
        *pods("api-7d9f8c6b5", counting(10), metric="web_served_count"),
    ]
    rule = 'rate(web_failed_sum{job="web"}[5m]) / rate(web_served_count{job="web"}[5m]) > 0.02'
    answer = investigated(series, their_alert("Failing", rule, of_pod(NEW, PODS[0])))
    assert "0.05 in its middle pod, 0.001 before" in answer.analysis.summary


def test_one_bad_pod_is_told_as_one():
    """Two of three have what the release before had: it is that pod, and its level is none that is usual."""
    first, *others = pods(NEW, FAST, begin=BEGAN)
    bad = (first[0], lambda times: np.where(times >= BEGAN, SLOW(times), np.nan))
    answer = investigated([*pods(OLD, FAST, end=BEGAN), bad, *others], slow())
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert ruled_out(answer)[0] == (
        "release (web-64bd9c8c4f since 13:36: latency 210 ms in its middle pod, 210 ms in that of web-7d9f8c6b5)"
    )
    assert claims(answer)[0] == "it is this pod: latency 820 ms, 210 ms in the middle pod of its release"
    assert answer.analysis.summary.startswith("Inconclusive: it is this pod: latency 820 ms")
    assert "usual here" not in answer.analysis.summary


def test_what_began_long_after_the_release_is_told_beside_it_and_not_blamed():
    began = AT - 170 * MINUTE

    def later(times):
        return np.where(times < AT - 60 * MINUTE, FAST(times), SLOW(times))

    answer = investigated([*pods(OLD, FAST, end=began), *pods(NEW, later, begin=began)], slow())
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert [claim for claim in claims(answer) if claim.startswith("web-64bd9c8c4f has run since 11:25 in place of web-7d9f8c6b5; ")]


def test_a_level_without_a_past_is_not_called_usual():
    """A first release: what its pods have had all the time is not what is usual here, nor is the threshold to be looked at."""
    alert = their_alert("TooSlow", "web_latency_seconds > 0.5", of_pod(NEW, PODS[0]))
    answer = investigated(pods(NEW, steady(0.8), begin=BEGAN), alert)
    assert "what alerts has been so for as long as it is known" in answer.analysis.summary
    assert "threshold" not in " ".join(answer.analysis.recommendations)


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
    assert len(compared(answer)) == 1
    assert answer.analysis.summary.startswith("It came with a release")


def test_each_query_of_a_group_is_asked_with_the_labels_of_its_own_alert():
    """Latency is as ever and memory is not: the one is ruled out and the other is the cause."""
    metric = "web_memory_bytes"
    series = [
        *pods(OLD, FAST, end=BEGAN),
        *pods(NEW, FAST, begin=BEGAN),
        *pods(OLD, steady(1e8, 1e6), end=BEGAN, metric=metric, container="cache"),
        *pods(NEW, steady(9e8, 1e6), begin=BEGAN, metric=metric, container="cache"),
    ]
    there = of_pod(NEW, PODS[0], container="cache")
    memory = their_alert("Memory", "web_memory_bytes > 5e8", there)
    answer = investigated(series, slow(), memory)
    assert "memory 900 MB in its middle pod, 100 MB before" in answer.analysis.summary
    assert "latency 210 ms in its middle pod" in ruled_out(answer)[0]


def test_a_long_name_keeps_its_end():
    long = "kube-prometheus-stack-payment-gateway-adapter-production-eu"
    old, new = f"{long}-7d9f8c6b5", f"{long}-64bd9c8c4f"
    answer = investigated([*pods(old, FAST, end=BEGAN), *pods(new, SLOW, begin=BEGAN)], slow(release=new))
    assert "production-eu-64bd9c8c4f has run since 13:36 in place of ..." in answer.analysis.summary
    assert "production-eu-7d9f8c6b5; latency" in answer.analysis.summary


HOSTILE = 'x"},a="\n{}\u202e'


@pytest.mark.parametrize(
    ("alert", "why"),
    [
        (slow(query=f'{selected()} / label_replace(web_latency_seconds, "a", "$1", "b", "(.*)")'), "the query makes labels"),
        (slow(query=f"{selected()} and {selected()}"), "the query makes labels, or has a value only where a condition holds"),
        (slow(query=f'web_latency_seconds{{pod="{NEW}-{PODS[0]}",un"read=able}}'), "a matcher of the query was not read"),
        (slow(query="sum(web_latency_seconds)"), "the query does not show one series of this pod"),
        (slow(query="1"), "the query selects nothing"),
        (slow(namespace=HOSTILE), "the query does not show one series of this pod"),
    ],
    ids=["makes labels", "a condition", "not to be read", "an aggregate", "a number", "hostile"],
)
def test_what_cannot_be_asked_plainly_is_not_compared(alert, why):
    series = [*pods(OLD, FAST, end=BEGAN), *pods(NEW, SLOW, begin=BEGAN)]
    answer = investigated(series, alert)
    assert [one.note.startswith(why) for one in compared(answer)] in ([True], [])
    assert "It came with a release" not in answer.analysis.summary


def test_several_series_of_a_pod_are_not_compared():
    """A rule names the host of an ingress, and another pod's hosts are others."""
    series = [row for host in "ab" for row in (*pods(OLD, FAST, end=BEGAN, host=host), *pods(NEW, SLOW, begin=BEGAN, host=host))]
    alert = their_alert("TooSlow", 'web_latency_seconds{host="a"} > 0.5', of_pod(NEW, PODS[0], host="a"))
    (only,) = compared(investigated(series, alert))
    assert only.note == "a pod has several such series"


@pytest.mark.parametrize("alert", [slow(release="db", end="0"), own_alert("LensMemory", "up")], ids=["a StatefulSet", "no pod"])
def test_where_no_deployment_made_the_pod_nothing_is_asked(alert):
    series = [*pods(OLD, FAST, end=BEGAN), *pods(NEW, SLOW, begin=BEGAN)]
    assert compared(investigated(series, alert)) == []


def test_a_small_step_of_a_release_is_not_what_came_later():
    """It brought a fifth more; what alerts came an hour after it."""
    later = AT - 20 * MINUTE
    new = pods(NEW, lambda t: np.where(t < later, 0.25, 0.82), begin=AT - 100 * MINUTE)
    answer = investigated([*pods(OLD, FAST, end=AT - 100 * MINUTE), *new], slow(age=18 * MINUTE))
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert "latency 250 ms -> 820 ms from 13:5" in answer.analysis.summary


def test_of_a_release_that_was_taken_back_nobody_is_told_to_go_back():
    """Its pods are gone: it ran, and does not run."""
    back = AT - 10 * MINUTE
    answer = investigated([*pods(OLD, FAST), *pods(NEW, SLOW, begin=BEGAN, end=back)], slow(age=30 * MINUTE))
    assert "web-64bd9c8c4f ran 13:36 to 14:0" in answer.analysis.summary
    assert not any("go back" in step for step in answer.analysis.recommendations)


def test_a_release_that_repaired_nothing_is_not_what_is_told():
    """The one before it brought the trouble, and it is as slow."""
    third, hotfix = "web-5c9d7f6b4", AT - 20 * MINUTE
    series = [*pods(OLD, FAST, end=AT - 90 * MINUTE), *pods(third, SLOW, AT - 90 * MINUTE, hotfix), *pods(NEW, SLOW, begin=hotfix)]
    answer = investigated(series, slow(age=15 * MINUTE))
    assert answer.analysis.summary.startswith("It came with a release: web-5c9d7f6b4 ran 12:4")
    assert not any(one.startswith("release") for one in ruled_out(answer))
