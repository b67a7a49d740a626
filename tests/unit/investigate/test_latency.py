"""How long requests took: their mean, where it is known how many there were."""

import pytest

from lens_exporter.model.analysis import Outcome
from tests.unit.investigate.export_service import claims, investigated, own_alert
from tests.unit.investigate.scripted import AT, MINUTE, counting, steady

SHOP = {"instance": "shop-1:9000", "job": "shop"}
QUERY = "histogram_quantile(0.99, sum by (instance, le) (rate(shop_request_duration_seconds_bucket[5m])))"
ALERT = own_alert("LensLatency", QUERY, **SHOP, process="")
BEGINS = AT - 6 * MINUTE


def shop(name, course, **labels):
    return ({"__name__": name, **SHOP, **labels}, course)


def grows(before, after, begins=BEGINS):
    """A counter whose rate changes at a moment."""
    return lambda t: (t - 1.79e9) * before + (t > begins) * (t - begins) * (after - before)


CPU = shop("shop_cpu_ratio", steady(0.27))
POOL = shop("shop_pool_in_use", steady(4))


def test_slower_requests_are_told_by_their_mean():
    """Not by how many of them there are at once, which is no share of any time."""
    timed = [shop("shop_request_duration_seconds_sum", grows(1.7, 6.8)), shop("shop_request_duration_seconds_count", counting(17))]
    answer = investigated([*timed, CPU, POOL], ALERT, tools=())
    assert claims(answer)[0] == "latency (mean shop_request_duration_seconds) 100 ms -> 400 ms from 14:09"
    assert answer.analysis.summary.startswith("Inconclusive: latency 100 ms -> 400 ms from 14:09.")
    _ranking, course = answer.analysis.findings[0].receipts
    shown = next(one for one in answer.receipts if one.id == course)
    assert shown.arguments["query"].startswith("rate(shop_request_duration_seconds_sum{")
    assert shown.seen["last"] == pytest.approx(0.4, rel=0.05)


def test_more_requests_are_not_slower_ones():
    """Four times the traffic spends four times the seconds; each of them takes as long as before."""
    timed = [shop("shop_request_duration_seconds_sum", grows(1.7, 6.8)), shop("shop_request_duration_seconds_count", grows(17, 68))]
    answer = investigated([*timed, CPU, POOL], ALERT, tools=())
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert not any(claim.startswith("latency") for claim in claims(answer))
    assert "traffic 17/s -> 68/s from 14:09" in answer.analysis.summary


def test_each_sum_has_its_own_count():
    """By all labels; one without a count is told as what it is."""
    slow = {"path": "/export"}
    timed = [
        shop("shop_request_duration_seconds_sum", grows(1.7, 6.8), **slow),
        shop("shop_request_duration_seconds_count", counting(17), **slow),
        shop("shop_request_duration_seconds_sum", grows(0.5, 0.5), path="/"),
        shop("shop_request_duration_seconds_count", counting(50), path="/"),
        shop("shop_wait_duration_seconds_sum", grows(0.2, 0.9)),
    ]
    told = claims(investigated([*timed, CPU, POOL], ALERT, tools=()))
    assert 'latency (mean shop_request_duration_seconds{path="/export"}) 100 ms -> 400 ms from 14:09' in told
    assert "latency (shop_wait_duration_seconds_sum) 20 % of the time -> 90 % of the time from 14:09" in told


def test_garbage_collection_is_told_by_the_time_it_takes():
    """Short pauses without end cost more than one long one."""
    timed = [shop("go_gc_duration_seconds_sum", grows(0.01, 0.4)), shop("go_gc_duration_seconds_count", grows(1, 40))]
    told = claims(investigated([*timed, CPU, POOL], ALERT, tools=()))
    assert "garbage collection (go_gc_duration_seconds_sum) 1 % of the time -> 40 % of the time from 14:09" in told


def test_where_there_are_no_requests_nothing_took_long():
    """No traffic, no latency: a mean of nothing is neither zero nor a fall."""
    ends = AT - 5 * MINUTE
    timed = [
        shop("shop_request_duration_seconds_sum", lambda t: (t.clip(max=ends) - 1.79e9) * 1.7),
        shop("shop_request_duration_seconds_count", lambda t: (t.clip(max=ends) - 1.79e9) * 17),
    ]
    told = claims(investigated([*timed, CPU, POOL], ALERT, tools=()))
    assert not any(claim.startswith("latency") for claim in told)
    assert any(claim.startswith("traffic (shop_request_duration_seconds_count) 17/s -> 0/s") for claim in told)
