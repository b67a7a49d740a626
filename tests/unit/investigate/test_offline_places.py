"""What is of another pod, another process or another time is not what alerts; what was never counted before was none."""

import numpy as np
import pytest

from lens_exporter.investigate.limits import is_free
from lens_exporter.model.alert import Alert
from lens_exporter.model.analysis import Outcome
from tests.unit.investigate.export_service import claims, investigated
from tests.unit.investigate.scripted import AT, MINUTE, steady
from tests.unit.investigate.test_offline_truth import HOUR, counter, lens, noisy, of, rule, stepped, told

KSM = {"instance": "ksm:8080", "job": "kube-state-metrics"}
CART, MAIL = {"namespace": "shop", "pod": "cart-0"}, {"namespace": "post", "pod": "mail-0"}


def fails(after, at):
    return counter(lambda times: np.where(times >= at, after, 0.6))


@pytest.mark.parametrize(("age", "waits"), [(45.0, 5), (45.0, 10), (5 * MINUTE, 20)])
def test_counters_of_a_rule_that_waited_are_seen(age, waits):
    """Where a rule has `for`, what it is about began before anything that is judged: it is no less a move for that."""
    began = AT - age - waits * MINUTE
    answer = told([of("shop_errors_total", fails(8.0, began))], rule("rate(shop_errors_total[1m]) > 1", age))
    assert claims(answer)[0].startswith("errors (shop_errors_total) 0.6")
    assert "8/s from 1" in claims(answer)[0]


def of_cluster(name, course, where, **labels):
    return ({"__name__": name, **KSM, **where, **labels}, course)


def test_an_exporter_that_tells_of_many_pods_is_asked_about_one():
    """kube-state-metrics has all pods under one instance: a rollout of another says nothing about the pod that alerts."""
    rolled_out = AT - 14 * MINUTE
    info = "kube_pod_container_info"
    series = [
        of_cluster("kube_pod_status_ready", stepped(AT - 12 * MINUTE, 1.0, 0.0), CART),
        of_cluster(info, lambda t: np.where(t < rolled_out, 1.0, np.nan), MAIL, container="mail", image="reg/mail:1.7"),
        of_cluster(info, lambda t: np.where(t >= rolled_out, 1.0, np.nan), MAIL, container="mail", image="reg/mail:1.8"),
        of_cluster("kube_pod_status_ready", steady(1), MAIL),
    ]
    alert = Alert({"alertname": "PodNotReady", **KSM, **CART}, {"lens_query": "kube_pod_status_ready"}, AT - 10 * MINUTE)
    answer = investigated(series, alert, tools=(), scrape=15)
    assert "mail" not in " ".join((answer.analysis.summary, *claims(answer)))
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("named", ["shop-{}:9000", "vm-1:900{}", "https://shop-{}.example.org", "db:5432/{}"])
def test_what_one_instance_does_is_not_done_to_another(named):
    """Two shops are slow, and a third, which is well, has more connections than before."""

    def shop(number, name, course):
        return ({"__name__": name, "instance": named.format(number), "job": "shop"}, course)

    slow, began = stepped(AT - 12 * MINUTE, 0.2, 0.8), AT - 15 * MINUTE
    series = [shop(n, "shop_latency_seconds", slow if n < 2 else steady(0.2)) for n in range(4)]
    series += [shop(n, "shop_db_connections", stepped(began, 10.0, 32.0) if n == 3 else steady(10)) for n in range(4)]
    alerts = [
        Alert({"alertname": "Slow", "instance": named.format(n), "job": "shop"}, {"lens_query": "shop_latency_seconds"}, AT - 600)
        for n in range(2)
    ]
    answer = investigated(series, *alerts, tools=(), scrape=15)
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert "left normal first" not in answer.analysis.summary
    own = [*series[:4], *(shop(n, "shop_db_connections", stepped(began, 10.0, 32.0) if n < 2 else steady(10)) for n in range(4))]
    assert investigated(own, *alerts, tools=(), scrape=15).analysis.outcome is Outcome.CAUSE_FOUND


def test_failures_that_were_never_counted_before_began_at_none():
    """A client library makes their series with the first of them: they are a move, and "nothing else" would be wrong."""
    born = AT - 13 * MINUTE
    total = counter(lambda times: np.where(times >= born, 20.0, 0.0))
    timeouts = of("shop_db_errors_total", lambda t: np.where(np.asarray(t) >= born, total(t), np.nan), kind="timeout")
    latency = of("shop_latency_seconds", stepped(AT - 12 * MINUTE, 0.2, 0.8))
    answer = told([latency, timeouts], lens("shop_latency_seconds", 11 * MINUTE))
    assert 'errors (shop_db_errors_total{kind="timeout"}) 0/s -> 20/s from 14:0' in " ".join(claims(answer))
    assert "othing else" not in answer.analysis.summary


def test_failures_that_were_counted_before_they_were_published_are_not_new():
    """A collector was switched on: what it counts goes back to the last boot."""
    born = AT - 13 * MINUTE
    total = counter(lambda times: 0.05 + 0 * times)
    found = of("shop_db_errors_total", lambda t: np.where(np.asarray(t) >= born, 5e6 + np.floor(total(t)), np.nan))
    latency = of("shop_latency_seconds", stepped(AT - 12 * MINUTE, 0.2, 0.8))
    assert "0/s ->" not in " ".join(claims(told([latency, found], lens("shop_latency_seconds", 11 * MINUTE))))


def test_the_cpu_of_a_pod_is_told_by_another_instance_than_its_latency():
    """cAdvisor is an instance of the node, the service is one of the pod: both are of the pod."""
    pod = {"namespace": "shop", "pod": "cart-0"}
    cpu = counter(lambda times: np.where(times >= AT - 13 * MINUTE, 1.9, 0.3))
    series = [
        ({"__name__": "container_cpu_usage_seconds_total", "instance": "node-3:10250", **pod}, cpu),
        ({"__name__": "shop_latency_seconds", "instance": "10.0.0.7:8080", **pod}, stepped(AT - 10 * MINUTE, 0.2, 0.8)),
        ({"__name__": "up", "instance": "10.0.0.7:8080", **pod}, steady(1)),
    ]
    answer = investigated(
        series, Alert({"alertname": "Slow", **pod}, {"lens_query": "shop_latency_seconds"}, AT - 480), tools=(), scrape=15
    )
    assert answer.analysis.summary.startswith("CPU left normal first (")


@pytest.mark.parametrize(
    "metric",
    ["node_memory_MemAvailable_bytes", "pool_free", "node_filesystem_avail_bytes", "node_memory_HugePages_Free", "job:free_bytes"],
)
def test_what_is_left_is_known_by_its_name(metric):
    assert is_free(metric)
    assert not is_free(
        metric.replace("Available", "Unavailable")
        .replace("_free", "_lockfree")
        .replace(":free", ":lockfree")
        .replace("s_Free", "s_Freed")
        .replace("_avail_", "_unavail_")
    )
    assert not is_free("kube_deployment_status_replicas_unavailable")


def test_failures_by_another_name_are_not_new():
    """The version is a label of them: what ended and what began are the same."""
    deployed = AT - 13 * MINUTE
    total = counter(lambda times: 5.0 + 0 * times)
    old = of("shop_errors_total", lambda t: np.where(np.asarray(t) < deployed, total(t), np.nan), release="1.41")
    new = of("shop_errors_total", lambda t: np.where(np.asarray(t) >= deployed, total(t), np.nan), release="1.42")
    latency = of("shop_latency_seconds", stepped(AT - 12 * MINUTE, 0.2, 0.8))
    assert "0/s ->" not in " ".join(claims(told([latency, old, new], lens("shop_latency_seconds", 11 * MINUTE))))


def test_two_metrics_of_one_resource_are_both_told():
    """One alerts; of the other it is not said that nothing else moved."""
    both = [of("shop_errors_total", fails(8.0, AT - 12 * MINUTE)), of("shop_db_errors_total", fails(20.0, AT - 12 * MINUTE))]
    answer = told(both, lens("shop_errors_total", 11 * MINUTE))
    assert "hop_db_errors_total moved at the same time (" in answer.analysis.summary
    assert "othing else" not in answer.analysis.summary


def test_what_is_free_is_used_up_and_not_full():
    """node_exporter publishes what is left."""
    free = of("node_filesystem_avail_bytes", noisy(lambda t: 70e9 - np.where(t > AT - HOUR, (t - AT + HOUR) * 15e6, 0.0), 0.001, 1))
    answer = told([free], lens("node_filesystem_avail_bytes", 30 * MINUTE))
    assert ", down 900 MB a minute, at that pace used up at about 14:3" in claims(answer)[0]


@pytest.mark.parametrize(("scrape", "told_as"), [(15, "left normal first"), (60, "at the same time")])
def test_who_is_scraped_first_is_not_first(scrape, told_as):
    """A minute is a lead where a sample comes each quarter of one, and none where one comes each minute."""
    at = np.floor((AT - 10 * MINUTE) / 60.0) * 60.0
    latency = of("shop_latency_seconds", stepped(at, 0.2, 0.8))
    connections = of("shop_db_connections", stepped(at - 60.0, 10.0, 40.0))
    answer = investigated(
        [of("up", steady(1)), latency, connections], lens("shop_latency_seconds", 8 * MINUTE), tools=(), scrape=scrape
    )
    assert told_as in answer.analysis.summary


def test_the_courses_of_several_say_which_is_which():
    """Two instances have no label in common but the alert's name."""
    series = [
        ({"__name__": "shop_latency_seconds", "instance": f"shop-{n}:9000"}, stepped(AT - 4 * MINUTE, 0.2, 0.5 + n / 10))
        for n in range(2)
    ]
    alerts = [
        Alert({"alertname": "Slow", "instance": f"shop-{n}:9000"}, {"lens_query": "shop_latency_seconds"}, AT - 180)
        for n in range(2)
    ]
    told_of = " ".join(claims(investigated(series, *alerts, tools=(), scrape=15)))
    assert 'query of {instance="shop-0:9000"} went 200 ms -> 500 ms' in told_of
    assert 'query of {instance="shop-1:9000"} went 200 ms -> 600 ms' in told_of


@pytest.mark.parametrize("swing", [0.1, 0.5])
def test_a_rate_that_rests_at_nothing_has_moved(swing):
    """By day and night it swings so far that the band reaches below nothing; nothing was never among it."""

    def done(times):
        day = 1.0 + swing * np.cos(2 * np.pi * times / 86_400.0)
        return np.where(times < AT - 12 * MINUTE, 20.0 * day, 0.0)

    queue = of("shop_queue_depth", lambda t: 3.0 + np.clip(t - AT + 12 * MINUTE, 0.0, None) * 20.0)
    answer = told([queue, of("shop_jobs_done_total", counter(done))], lens("shop_queue_depth", 10 * MINUTE))
    assert "shop_jobs_done_total" in " ".join(claims(answer))
    assert "/s -> 0/s from 14:03" in " ".join(claims(answer))
