"""A gap of the monitoring is no event of what it watches."""

import numpy as np
import pytest

from lens_exporter.baseline.robust import RobustDetector
from lens_exporter.investigate.gaps import sampled
from lens_exporter.investigate.samples import Samples
from lens_exporter.investigate.toolbox import Toolbox
from lens_exporter.investigate.tools_suspects import suspect_tool
from lens_exporter.model.alert import Alert
from lens_exporter.model.analysis import Outcome
from tests.unit.investigate.export_service import claims, investigated
from tests.unit.investigate.fleet import Fleet
from tests.unit.investigate.scripted import AT, MINUTE, counting, steady

SHOP = {"instance": "shop-3:9000", "job": "shop"}
SCRAPED = 15.0
AWAY = (AT - 8 * MINUTE, AT - 2 * MINUTE)
JUST_BACK = (AT - 8 * MINUTE, AT - 0.75 * MINUTE)
SHORT = (AT - 6 * MINUTE, AT - 3 * MINUTE)  # the last sample is repeated all the time: nothing is ever absent
STILL_AWAY = (AT - 9 * MINUTE, AT + MINUTE)


def series(name, course, **labels):
    return ({"__name__": name, **SHOP, **labels}, course)


def noise(level, part=0.1):
    return lambda t: level * (1 + part * np.sin(t * 12.9898))


SERIES = (
    series("up", steady(1)),
    series("shop_requests_total", counting(16.3), code="200"),
    series("shop_requests_total", counting(1.8), code="500"),
    series("shop_request_duration_seconds_count", counting(18.1)),
    series("shop_cpu_ratio", noise(0.3)),
    series("shop_queue_depth", lambda t: (t / SCRAPED % 4).round()),
)
QUERY = 'sum by (instance) (rate(shop_requests_total{code="500"}[2m]))'
ALERT = Alert({"alertname": "LensErrors", "severity": "warning", **SHOP}, {"lens_query": QUERY}, AT - 4 * MINUTE)


def ranked(*found, start=AT - 4 * MINUTE, **scraped):
    box = Toolbox([suspect_tool(Fleet(*found, scrape=SCRAPED, **scraped), RobustDetector())], lambda: AT)
    return box.call("rank_suspects", {"labels": SHOP, "start": start})


@pytest.mark.parametrize("without", [0, 1], ids=["with up", "pushed: there is no up"])
@pytest.mark.parametrize("start", [AT - MINUTE, AT - 4 * MINUTE, AT - 30 * MINUTE])
@pytest.mark.parametrize("away", [AWAY, JUST_BACK, SHORT])
def test_a_gap_of_the_monitoring_moves_nothing(away, start, without):
    """Counters that stand still because nobody reads them neither stop nor begin again, and nothing ends."""
    result = ranked(*SERIES[without:], away=away, start=start)
    assert result.data["suspects"] == []
    assert result.data["gone"] == []
    traffic = [row for row in result.data["steady"] if row["per_second"]]
    assert traffic or away == JUST_BACK  # a rate takes a minute
    assert all(row["after"] == pytest.approx(row["before"], rel=0.01) for row in traffic)


def test_a_gap_is_said_with_its_ends():
    """From the last sample to the next one, to the second the grid has."""
    (gap,) = ranked(*SERIES, away=AWAY).data["gaps"]
    assert gap["begin"] == "2026-11-20T14:07:00Z"
    assert gap["end"][:16] == "2026-11-20T14:13"


def test_who_stands_still_while_somebody_looks_is_seen_to():
    """A service that hangs shows the same numbers at every scrape, and that is news."""
    hangs = AT - 6 * MINUTE
    hung = [(labels, lambda t, course=course: course(np.minimum(t, hangs))) for labels, course in SERIES]
    result = ranked(*hung)
    assert {row["metric"] for row in result.data["suspects"]} == {"shop_requests_total", "shop_request_duration_seconds_count"}
    assert result.data["gaps"] == []


def test_what_ends_with_a_mark_is_gone():
    """A target that is taken away ends at once, without repeating itself: that is no gap, and it is missed."""
    ends = AT - 4 * MINUTE
    ended = [(labels, lambda t, course=course: np.where(t < ends, course(t), np.nan)) for labels, course in SERIES]
    result = ranked(*ended)
    assert (result.seen["gone"], result.data["gaps"]) == (6.0, [])


def test_a_metric_that_is_missing_after_the_gap_is_gone():
    """Minutes in which nobody looked do not count; those since then do."""
    ends = AT - 7 * MINUTE
    queue = ("shop_queue_depth", lambda t: np.where(t < ends, 3.0, np.nan))
    result = ranked(*SERIES[:-1], series(*queue), away=AWAY)
    assert [row["metric"] for row in result.data["gone"]] == ["shop_queue_depth"]
    assert ranked(*SERIES[:-1], series(*queue), away=(AWAY[0], AT - 20.0)).data["gone"] == []


def test_no_cause_is_found_in_a_gap():
    """The alert rests on the gap; the answer says that there was one."""
    answer = investigated(SERIES, ALERT, tools=(), scrape=SCRAPED, away=AWAY)
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert "nothing of this target was sampled 14:07 to 14:13" in claims(answer)
    assert "Nothing of this target was sampled 14:07 to 14:13." in answer.analysis.summary
    assert answer.analysis.recommendations[0] == "see why Prometheus took no samples of this target 14:07 to 14:13"
    traffic = Alert(
        ALERT.labels | {"alertname": "LensRequests"}, {"lens_query": "sum(rate(shop_requests_total[2m]))"}, ALERT.starts_at
    )
    fallen = investigated(SERIES, traffic, tools=(), scrape=SCRAPED, away=AWAY)
    assert not any("traffic" in step or "sends" in step for step in fallen.analysis.recommendations)


def test_a_gap_does_not_cost_the_history():
    """Where half of the points show nothing, the other half would soon take the trouble for normal: more is looked at."""
    pool = series("shop_pool_in_use", lambda t: np.where(t < AT - 3 * MINUTE, 4.0, 15.0))
    result = ranked(*SERIES, pool, start=AT - 5.0, away=(AT - 12 * MINUTE, AT - 5.5 * MINUTE))
    assert [(row["metric"], row["before"], row["after"]) for row in result.data["suspects"]] == [("shop_pool_in_use", 4.0, 15.0)]


@pytest.mark.parametrize("since", [AT - 9 * MINUTE, AT - 3 * MINUTE])
def test_while_nobody_looks_nothing_ends_and_nothing_is_over(since):
    """Whether the last samples are still repeated or have been forgotten."""
    answer = investigated(SERIES, ALERT, tools=(), scrape=SCRAPED, away=(since, AT + MINUTE))
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    at = "14:06" if since == AT - 9 * MINUTE else "14:12"
    assert answer.analysis.summary.startswith(
        f"Inconclusive: nothing of this target has been sampled since {at}: how it is now is not known."
    )
    assert not any("end" in claim or "no value" in claim for claim in claims(answer))
    assert answer.analysis.recommendations == ("see why Prometheus takes no samples of this target",)


def test_samples_that_were_further_apart_before_are_no_gaps():
    """Once a minute until half an hour ago, every quarter of one since: only what is longer than either is a gap."""
    times = AT - 5.0 * np.arange(719, -1, -1)
    often, away = times > AT - 30 * MINUTE, (times > AT - 10 * MINUTE) & (times < AT - 5 * MINUTE)
    taken = np.where(often, np.floor(times / 15) * 15, np.floor(times / 60) * 60)
    taken = np.where(away, AT - 10 * MINUTE, taken)
    rows = sampled([Samples({"__name__": "up"}, np.ones(720))], times, taken)
    assert rows[~away].all()
    assert not rows[times == AT - 6 * MINUTE].any()


class Changed(Fleet):
    """Scraped every quarter of a minute, and once a minute since six minutes ago."""

    def _taken(self, times):
        return super()._taken(np.where(times < AT - 6 * MINUTE, times // 15 * 15, times // 60 * 60))


def test_a_scrape_interval_that_became_longer_is_no_row_of_gaps():
    """What is usual changes with the configuration."""
    box = Toolbox([suspect_tool(Changed(*SERIES, scrape=SCRAPED), RobustDetector())], lambda: AT)
    assert box.call("rank_suspects", {"labels": SHOP, "start": AT - 4 * MINUTE}).data["gaps"] == []


@pytest.mark.parametrize("seldom", [30, 60])
@pytest.mark.parametrize("part", [0.0, 0.2, 0.8])
@pytest.mark.parametrize("until", [AT - 2 * MINUTE, AT + MINUTE], ids=["over", "until now"])
def test_a_gap_is_found_after_a_change_of_the_interval(seldom, part, until):
    """It is longer than the new interval, too."""
    times = AT - 5.0 * np.arange(719, -1, -1)
    since = AT - part * 40 * MINUTE - 11 * MINUTE
    taken = np.where(times < since, np.floor(times / 15) * 15, np.floor(times / seldom) * seldom)
    away = (times > AT - 7 * MINUTE) & (times < until)
    taken = np.where(away, taken[np.flatnonzero(away)[0]], taken)
    rows = sampled([Samples({"__name__": "up"}, np.ones(720))], times, taken)
    assert rows[~away].all()
    assert not rows[away & (times > AT - 4 * MINUTE)].any()


def test_a_sample_between_two_gaps_ends_neither():
    """Somebody looked for a moment."""
    times = AT - 5.0 * np.arange(719, -1, -1)
    taken = np.floor(times / 15) * 15
    for begin, end in ((10, 6), (6, 4)):
        away = (times > AT - begin * MINUTE) & (times < AT - end * MINUTE)
        taken = np.where(away, AT - begin * MINUTE, taken)
    rows = sampled([Samples({"__name__": "up"}, np.ones(720))], times, taken)
    assert not rows[times == AT - 8 * MINUTE].any()
    assert not rows[times == AT - 4.5 * MINUTE].any()
