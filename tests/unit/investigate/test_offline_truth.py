"""What a tired person must not be told: of one event, one scrape, a wide band, a day's course, or a thing of long before."""

import re

import numpy as np
import pytest

from lens_exporter.model.alert import Alert
from lens_exporter.model.analysis import Outcome
from tests.unit.investigate.export_service import claims, investigated, their_alert
from tests.unit.investigate.fleet import Fleet
from tests.unit.investigate.scripted import AT, MINUTE, steady

HOUR = 60 * MINUTE
SHOP = {"instance": "shop-4:9000", "job": "shop"}
GRID = np.arange(AT - 9 * 86_400, AT + 15, 15.0)


def of(name, course, **labels):
    return ({"__name__": name, **SHOP, **labels}, course)


def counter(per_second):
    """A counter of a rate, which is a function of times."""
    total = np.cumsum(per_second(GRID) * 15.0)
    return lambda times: np.interp(times, GRID, total)


def noisy(level, noise, seed):
    """A gauge with a noise that is new at each scrape."""
    values = level(GRID) * np.exp(np.random.default_rng(seed).normal(0, noise, len(GRID)))
    return lambda times: values[np.clip(np.floor((np.asarray(times) - GRID[0]) / 15.0).astype(int), 0, len(GRID) - 1)]


def stepped(at, before, after):
    return lambda times: np.where(np.asarray(times) > at, after, before)


def events(*moments):
    return lambda times: 1000.0 + sum((np.asarray(times) >= moment).astype(float) for moment in moments)


def rule(expression, age, **changes):
    return their_alert("Rule", expression, SHOP, age, **changes)


def lens(metric, age, ended=None):
    known = {"alertname": "Lens", "severity": "warning", "watcher": "shop", **SHOP}
    return Alert(known, {"lens_query": f'{metric}{{instance="shop-4:9000"}}'}, AT - age, ended)


CALM = (of("up", steady(1)), of("http_requests_total", counter(lambda times: 100 + 0 * times)))
ERRORS = 'rate(shop_errors_total{instance="shop-4:9000"}[5m]) > 1'


def told(series, alert):
    return investigated([*CALM, *series], alert, tools=(), scrape=15)


def ruled_out(answer):
    return " ".join(one.claim for one in answer.analysis.hypotheses)


def test_one_event_of_what_rests_at_zero_is_no_move():
    """A mail, a failed job: neither the cause of what alerts nor beside it, nor does it keep alive what is over."""
    latency = of("shop_latency_seconds", stepped(AT - 3.5 * MINUTE, 0.2, 0.9))
    mail = of("shop_mail_sent_total", events(AT - 5 * MINUTE, AT - 0.4 * MINUTE))
    answer = told([latency, mail], lens("shop_latency_seconds", 3 * MINUTE))
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert claims(answer) == ["latency (shop_latency_seconds) 200 ms -> 900 ms from 14:11"]
    over = of("shop_latency_seconds", lambda t: np.where((t > AT - 12 * MINUTE) & (t < AT - 5 * MINUTE), 0.9, 0.2))
    failed = of("shop_jobs_failed_total", events(AT - 0.5 * MINUTE))
    assert told([over, failed], rule("shop_latency_seconds > 0.5", 11 * MINUTE)).analysis.outcome is Outcome.NOTHING_WRONG


def test_some_dozen_events_are_one():
    burst = events(*(AT - (8 - part / 5) * MINUTE for part in range(35)))
    answer = told([of("shop_errors_total", burst)], rule('rate(shop_errors_total{job="shop"}[1m]) > 0.05', 6 * MINUTE))
    assert claims(answer)[0].startswith("errors (shop_errors_total) 0/s -> 0.0")


def test_the_last_scrape_is_not_where_a_noisy_series_is():
    """It is low by chance and what went on goes on; it is high by chance and that is not the level."""
    rising = noisy(stepped(AT - 10 * MINUTE, 0.36, 1.5), 0.3, 7)
    for last in (0.62, 1.5, 4.5):
        course = of("shop_latency_seconds", lambda t, last=last: np.where(np.asarray(t) >= AT - 15, last, rising(t)))
        (claim, *_) = claims(told([course], rule("shop_latency_seconds > 0.7", 9 * MINUTE)))
        assert re.match(r"latency \(shop_latency_seconds\) 360 ms -> 1\.[4-8]\d* s from 14:05", claim)


def test_what_was_back_and_is_high_in_one_scrape_is_back():
    """A spike of three quarters of a minute, and one in the last scrape: neither drives anything."""
    spikes = of("shop_queue_depth", lambda t: np.where(((t > AT - 300) & (t < AT - 252)) | (t > AT - 15), 40, 2))
    memory = of("process_resident_memory_bytes", stepped(AT - 3.5 * MINUTE, 2e8, 9e8))
    answer = told([spikes, memory], lens("process_resident_memory_bytes", 3 * MINUTE))
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert "Queues had moved at 14:10 and is back." in answer.analysis.summary


@pytest.mark.parametrize("seed", range(3))
def test_when_a_noisy_step_began_is_not_when_noise_left_a_band(seed):
    """Eleven hours ago, under noise of a third: within a judged point."""
    course = of("shop_latency_seconds", noisy(stepped(AT - 11.5 * HOUR, 0.7, 1.9), 0.33, seed))
    answer = told([course], rule("shop_latency_seconds > 1.2", 11.3 * HOUR))
    assert any(f"from {when}" in claims(answer)[0] for when in ("02:3", "02:4", "02:5", "03:0"))


def test_stray_events_do_not_begin_a_burst():
    strays = events(*(AT - minutes * MINUTE for minutes in (58, 53, 48, 43, 38)))
    course = of("shop_errors_total", lambda t: strays(t) + np.clip(t - (AT - 32 * MINUTE), 0, None) * 2.0)
    answer = told([course], rule(ERRORS, 29 * MINUTE))
    assert any(f"from 13:4{minute}" in claims(answer)[0] for minute in range(3, 7))


@pytest.mark.parametrize("age", [3, 8])
def test_a_deploy_before_a_rule_with_a_long_for_is_found(age):
    """Deployed at 14:04, errors from 14:05, the alert waits: a restart that was is not ruled out."""
    deployed = AT - 11 * MINUTE
    series = [
        of("shop_errors_total", counter(stepped(deployed + MINUTE, 0.2, 3.0))),
        of("process_start_time_seconds", lambda t: np.where(t >= deployed, deployed, AT - 90_000)),
        of("shop_build_info", lambda t: np.where(t < deployed, 1.0, np.nan), version="1.41.0"),
        of("shop_build_info", lambda t: np.where(t >= deployed, 1.0, np.nan), version="1.42.0"),
    ]
    answer = told(series, rule(ERRORS, age * MINUTE))
    assert answer.analysis.summary.startswith("Another version runs since 14:04")
    assert "a process started at 14:04 (process_start_time_seconds)" in claims(answer)
    assert "restart" not in ruled_out(answer)


def test_no_restart_is_still_ruled_out():
    series = [
        of("shop_errors_total", counter(stepped(AT - 8 * MINUTE, 0.2, 3.0))),
        of("process_start_time_seconds", steady(1.79e9)),
    ]
    assert "restart (none)" in ruled_out(told(series, rule(ERRORS, 5 * MINUTE)))


@pytest.mark.parametrize(("minutes", "outcome"), [(26, Outcome.INCONCLUSIVE), (5, Outcome.CAUSE_FOUND)])
def test_what_stepped_long_before_and_stood_still_drives_nothing(minutes, outcome):
    series = [
        of("shop_cpu_ratio", noisy(stepped(AT - (28 + minutes) * MINUTE, 0.31, 0.82), 0.05, 1)),
        of("shop_errors_total", counter(stepped(AT - 28 * MINUTE, 0.2, 2.0))),
    ]
    assert told(series, rule(ERRORS, 25 * MINUTE)).analysis.outcome is outcome


def test_a_wide_band_rules_nothing_out():
    """Traffic has a day of 45 % to each side and is nearly three times what it was: it is not what did not move."""

    def day(times):
        return 1 + 0.45 * np.cos(2 * np.pi * (times - AT) / 86_400)

    more = stepped(AT - 5 * HOUR, 1.0, 2.8)
    traffic = of("shop_requests_total", counter(lambda t: 10 * day(t) * more(t)))
    latency = of("shop_latency_seconds", noisy(stepped(AT - 5 * HOUR, 0.2, 0.6), 0.1, 2))
    answer = told([traffic, latency], rule("shop_latency_seconds > 0.4", 4.9 * HOUR))
    assert "shop_requests_total" not in ruled_out(answer)


def test_the_course_is_told_where_nothing_left_its_normal():
    """Noise at a threshold: where it is and between what, not that it "has not gone back"; resolved, it is over."""
    series = [of("shop_cpu_ratio", noisy(lambda t: 0.3 + 0 * t, 0.12, 5))]
    firing = told(series, rule("shop_cpu_ratio > 0.2", 12 * MINUTE))
    assert firing.analysis.summary.startswith(
        "Inconclusive: the alert's own query is at 32 %, between 24 % and 40 % since 13:51; none of"
    )
    assert claims(firing)
    resolved = told(series, lens("shop_cpu_ratio", 12 * MINUTE, AT - MINUTE))
    assert resolved.analysis.outcome is Outcome.NOTHING_WRONG


def test_the_rule_says_which_way_is_worse():
    """It has fallen a little and is still above the threshold."""
    course = of("http_requests_per_second", lambda t: 100 - 4 * np.clip((t - AT + 1440) / 1440, 0, 1))
    answer = told([course], rule("http_requests_per_second > 90", 12 * MINUTE))
    assert "find who sends the additional traffic" in answer.analysis.recommendations


def test_what_people_did_about_an_alert_is_not_its_cause():
    """Latency rises for twenty minutes and stays; it alerts, and somebody rolls back before it has reached where it stays."""
    rolled_back = AT - 22 * MINUTE
    series = [
        of("shop_latency_seconds", lambda t: 0.2 + 0.7 * np.clip((t - AT + 30 * MINUTE) / (20 * MINUTE), 0, 1)),
        of("shop_build_info", lambda t: np.where(t < rolled_back, 1.0, np.nan), version="1.42.0"),
        of("shop_build_info", lambda t: np.where(t >= rolled_back, 1.0, np.nan), version="1.41.0"),
    ]
    answer = told(series, rule("shop_latency_seconds > 0.3", 24 * MINUTE))
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert re.match(r"latency \(shop_latency_seconds\) 20\d ms -> \d+ ms from 13:4", claims(answer)[0])


def test_a_second_time_is_not_the_first():
    """Slow for three hours, well for one, deployed, slow again: what began then came with the deploy."""
    deployed = AT - 33 * MINUTE

    def again(times):
        first = (times > AT - 4.55 * HOUR) & (times < AT - 1.55 * HOUR)
        return np.where(first | (times > deployed + MINUTE), 0.9, 0.2)

    series = [
        of("shop_latency_seconds", noisy(again, 0.05, 3)),
        of("shop_build_info", lambda t: np.where(t < deployed, 1.0, np.nan), version="1.41.0"),
        of("shop_build_info", lambda t: np.where(t >= deployed, 1.0, np.nan), version="1.42.0"),
    ]
    answer = told(series, rule("shop_latency_seconds > 0.5", 30 * MINUTE))
    assert answer.analysis.summary.startswith("Another version runs since 13:42")


def test_few_events_that_never_were_are_told():
    """Five kills in three minutes, none before in days, beside an alert that is over: not all is well."""
    kills = of("shop_oom_kills_total", events(*(AT - seconds for seconds in (160, 130, 100, 70, 40))))
    over = of("shop_latency_seconds", lambda t: np.where((t > AT - 12 * MINUTE) & (t < AT - 6 * MINUTE), 0.9, 0.2))
    answer = told([kills, over], rule("shop_latency_seconds > 0.5", 11 * MINUTE))
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert "shop_oom_kills_total 0/s -> 0.0" in answer.analysis.summary


@pytest.mark.parametrize(("every", "stopped"), [(20, 2.4), (30, 4.0), (60, 6.0)])
def test_what_comes_like_clockwork_and_stops_is_told(every, stopped):
    """Seven batches that did not come are few, and none was ever late."""
    count = of("shop_batches_total", lambda t: np.floor(np.minimum(t, AT - stopped * MINUTE) / every) - 1.79e9 / every)
    answer = told([count], rule('rate(shop_batches_total{job="shop"}[2m]) < 0.01', stopped * MINUTE))
    assert any(claim.startswith("shop_batches_total 0.0") and "-> 0/s" in claim for claim in claims(answer))


def test_what_grows_on_is_told_as_it_is_now():
    """Errors went to three a second, and a few minutes ago to eighty."""
    rate = counter(lambda t: np.where(t > AT - 8 * MINUTE, 80.0, np.where(t > AT - 60 * MINUTE, 3.0, 0.2)))
    answer = told([of("shop_errors_total", rate)], rule(ERRORS, 57 * MINUTE))
    assert claims(answer)[0].startswith("errors (shop_errors_total) 0.2/s -> 80/s from 13:1")


def test_one_rule_that_is_silent_does_not_end_what_another_says():
    """The disk is as full as it was when it began to alert; the latency beside it is over."""
    disk = of("shop_disk_used_ratio", steady(0.95))
    over = of("shop_latency_seconds", lambda t: np.where((t > AT - 12 * MINUTE) & (t < AT - 6 * MINUTE), 0.9, 0.2))
    quiet = rule("shop_latency_seconds > 0.5", 11 * MINUTE)
    both = investigated([*CALM, disk, over], lens("shop_disk_used_ratio", 20 * MINUTE), quiet, tools=(), scrape=15)
    alone = investigated([*CALM, disk, over], quiet, tools=(), scrape=15)
    assert (both.analysis.outcome, alone.analysis.outcome) == (Outcome.INCONCLUSIVE, Outcome.NOTHING_WRONG)


def test_a_rule_says_which_way_is_worse_of_its_own_resource_only():
    traffic = of("http_in_requests_total", counter(stepped(AT - 8 * MINUTE, 50.0, 5.0)))
    latency = of("shop_latency_seconds", stepped(AT - 8 * MINUTE, 0.2, 0.9))
    fell = Alert(
        {"alertname": "Lens", "severity": "warning", "watcher": "shop", **SHOP},
        {"lens_query": 'rate(http_in_requests_total{instance="shop-4:9000"}[5m])'},
        AT - 6 * MINUTE,
    )
    answer = investigated(
        [of("up", steady(1)), traffic, latency], fell, rule("shop_latency_seconds > 0.5", 6 * MINUTE), tools=(), scrape=15
    )
    assert answer.analysis.recommendations[0].startswith("see who sends less")


def test_each_that_is_back_has_its_own_time():
    def burst(first, last):
        return lambda t: np.where((t > AT - first * MINUTE) & (t < AT - last * MINUTE), 9.0, 3.0) + 0.1 * np.sin(t / 7)

    series = [of("shop_queue_depth", burst(150, 115)), of("shop_db_connections", burst(60, 20))]
    answer = told([*series, of("shop_latency_seconds", steady(0.3, 0.001))], rule("shop_latency_seconds > 0.5", 2 * HOUR))
    assert "queues had moved 11:48 to 12:18 and connections had moved 13:18 to 13:48 and are back" in answer.analysis.summary


def test_the_harness_knows_a_rate():
    """What these tests stand on: a counter of two a second is seen as that."""
    (one,) = Fleet(of("a_total", counter(lambda t: 2 + 0 * t))).query_range("rate(a_total[5m])", AT - 600, AT, 60.0).series
    assert one.values == pytest.approx(2.0)
