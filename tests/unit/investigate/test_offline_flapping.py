"""What comes and goes: that it does is said first, and that it is over only when it stays away."""

import numpy as np
import pytest

from lens_exporter.model.analysis import Outcome
from tests.unit.investigate.export_service import CALM, LENS_MEMORY, claims, investigated, one, own_alert, their_alert, used
from tests.unit.investigate.scripted import AT, MINUTE, steady

SIGNED = "Offline analyst: no model was used."
FULL = their_alert("MemoryFull", 'lens_python_memory_utilization_ratio{job="export-service"} > 0.5')


def memory(every, lasting, since, until=-1, low=27.8e6, high=500e6):
    """Fills for some minutes, again and again from so many minutes ago on."""
    begin, end = AT - since * MINUTE, AT - until * MINUTE

    def course(times):
        away = (times >= begin) & (times < end) & ((times - begin) % (every * MINUTE) < lasting * MINUTE)
        return np.where(away, high, low)

    return used("memory", course, 671e6, "_bytes")


@pytest.mark.parametrize(
    ("alert", "how"), [(LENS_MEMORY, "4.1 % to 75 %, 6 times"), (FULL, "its rule was met 6 times")], ids=["ours", "a rule"]
)
def test_what_came_six_times_is_not_over(alert, how):
    """It is off at this moment and nothing else moved: that it comes every ten minutes is what there is to know."""
    answer = investigated([*CALM, *memory(10, 2, 55)], alert)
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    claim = f"it comes and goes: {how} since 13:20, every 10 min, the last 14:10 to 14:11"
    assert answer.analysis.summary == f"Inconclusive: {claim}. None of 10 judged series is outside its normal. {SIGNED}"
    assert claims(answer)[0] == claim
    assert answer.analysis.recommendations == ("see what runs every 10 min",)


def test_while_it_is_there_its_value_comes_first():
    answer = investigated([*CALM, *memory(10, 5, 54)], LENS_MEMORY)
    assert answer.analysis.summary.startswith("Inconclusive: memory 27.8 MB -> 500 MB of 671 MB from ")
    assert "It comes and goes: 4.1 % to 75 %, 6 times since 13:21, every 10 min, the last since 14:11." in answer.analysis.summary


def test_what_stays_away_for_longer_than_it_did_is_over():
    answer = investigated([*CALM, *memory(10, 2, 100, until=50)], FULL)
    assert answer.analysis.outcome is Outcome.NOTHING_WRONG
    assert investigated([*CALM, *memory(10, 2, 100, until=8)], FULL).analysis.outcome is Outcome.INCONCLUSIVE


def test_what_has_stayed_does_not_come_and_go():
    """It flapped, and now it is there for longer than it ever was."""
    flaps = memory(10, 2, 100, until=30)[0][1]
    course = lambda times: np.where(times >= AT - 20 * MINUTE, 500e6, flaps(times))  # noqa: E731
    answer = investigated([*CALM, *used("memory", course, 671e6, "_bytes")], LENS_MEMORY)
    assert "comes and goes" not in answer.analysis.summary


def test_a_threshold_that_what_is_usual_meets_is_to_be_looked_at():
    """Nothing is wrong, and that its rule is met again and again is why it was told."""
    wobbles = lambda times: 335e6 + 4e6 * (np.sin(times / 61.0) + np.sin(times / 97.0))  # noqa: E731
    answer = investigated(
        [*CALM, *used("memory", wobbles, 671e6, "_bytes")],
        their_alert("Half", 'lens_python_memory_used_bytes{job="export-service"} > 342e6'),
    )
    assert answer.analysis.outcome is Outcome.NOTHING_WRONG
    assert answer.analysis.summary.startswith("Nothing is wrong now: it comes and goes: its rule was met ")
    assert answer.analysis.recommendations == ("see whether the alert's threshold fits what is usual here",)


def test_beside_what_left_its_normal_a_tight_threshold_is_no_news():
    wobbles = lambda times: (  # noqa: E731
        335e6 + 4e6 * (np.sin(times / 61.0) + np.sin(times / 97.0)) + np.where(times > AT - 4 * MINUTE, 200e6, 0.0)
    )
    answer = investigated(
        [*CALM, *used("memory", wobbles, 671e6, "_bytes")],
        their_alert("Half", 'lens_python_memory_used_bytes{job="export-service"} > 342e6'),
    )
    assert "from 14:11" in answer.analysis.summary
    assert not any("comes and goes" in claim for claim in (answer.analysis.summary, *claims(answer)))


def test_without_a_rhythm_nothing_is_looked_for_that_has_one():
    begins = [AT - minutes * MINUTE for minutes in (55, 43, 40, 22, 6)]
    course = lambda times: np.where(np.any([(b <= times) & (times < b + 2 * MINUTE) for b in begins], axis=0), 5e8, 2.8e7)  # noqa: E731
    answer = investigated([*CALM, *used("memory", course, 671e6, "_bytes")], LENS_MEMORY)
    assert "5 times since 13:20, the last 14:09 to 14:10." in answer.analysis.summary
    assert not any("runs every" in step for step in answer.analysis.recommendations)


def test_gaps_between_scrapes_are_no_comings():
    """Of a metric without a threshold being away is the scrape's."""
    gaps = lambda times: np.where((times - AT) % (10 * MINUTE) < 4 * MINUTE, np.nan, 300e6)  # noqa: E731
    answer = investigated([*CALM, *used("memory", gaps, 671e6, "_bytes")], LENS_MEMORY)
    assert "comes and goes" not in answer.analysis.summary


def scraped(course, every, lasting):
    """Without values while its scrapes fail."""
    return lambda times: np.where((times - AT) % (every * MINUTE) < lasting * MINUTE, np.nan, course(times))


def test_scrapes_that_fail_are_no_rule_that_is_not_met():
    """It is met all the time, as far as anybody looked."""
    answer = investigated([*CALM, *used("memory", scraped(steady(500e6), 20, 2), 671e6, "_bytes")], FULL)
    assert "comes and goes" not in answer.analysis.summary


def test_a_scrape_that_fails_hides_nothing():
    flaps = memory(10, 2, 55)[0][1]
    course = lambda times: np.where(np.abs(times - (AT - 170 * MINUTE)) < 3 * MINUTE, np.nan, flaps(times))  # noqa: E731
    answer = investigated([*CALM, *used("memory", course, 671e6, "_bytes")], LENS_MEMORY)
    assert "it comes and goes: 4.1 % to 75 %, 6 times since 13:20" in answer.analysis.summary


def test_of_several_series_nothing_is_said():
    """The one may stay while the other comes and goes."""
    tables = [one("table_bytes", course, table=name) for name, course in (("a", memory(10, 2, 55)[0][1]), ("b", steady(500e6)))]
    answer = investigated([*CALM, *tables], their_alert("Big", 'table_bytes{job="export-service"} > 1e8'))
    assert "comes and goes" not in answer.analysis.summary


@pytest.mark.parametrize("since", [160, 170, 185])
def test_what_began_with_the_alert_has_not_always_been_so(since):
    """However much of what is looked at it fills."""
    alert = their_alert("MemoryFull", 'lens_python_memory_utilization_ratio{job="export-service"} > 0.5', age=since * MINUTE)
    answer = investigated([*CALM, *memory(10, 2, since)], alert)
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert "comes and goes: its rule was met 1" in answer.analysis.summary


def test_one_more_of_what_is_counted_is_no_coming():
    files = used("open_fds", lambda times: 380.0 + ((times // 300) % 2), 400.0)
    answer = investigated([*CALM, *files], own_alert("LensFiles", 'lens_python_open_fds_used{job="export-service"}'))
    assert "comes and goes" not in answer.analysis.summary
