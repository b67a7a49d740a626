"""A slow leak: it is told from where it began, hours before anything was outside its band, and with what came then."""

import numpy as np
import pytest

from lens_exporter.model.analysis import Outcome
from tests.unit.investigate.export_service import claims
from tests.unit.investigate.scripted import AT, MINUTE
from tests.unit.investigate.test_offline_truth import HOUR, lens, noisy, of, told

BEGUN = AT - 4 * HOUR
SLOW = 60.0  # MB an hour


def leak(seed, given_back=0.0):
    """Memory of 400 MB with a noise of 3 %; what a start gives back is missing at first."""

    def level(times):
        return 4e8 + np.where(times > BEGUN, (times - BEGUN) / HOUR * SLOW * 1e6 - given_back, 0.0)

    return of("process_resident_memory_bytes", noisy(level, 0.03, seed))


def versions(at):
    return (
        of("shop_build_info", lambda t: np.where(t < at, 1.0, np.nan), version="1.41.0"),
        of("shop_build_info", lambda t: np.where(t >= at, 1.0, np.nan), version="1.42.0"),
    )


def answered(*series, age=40 * MINUTE):
    return told(series, lens("process_resident_memory_bytes", age))


@pytest.mark.parametrize("seed", range(4))
def test_a_leak_since_a_release_is_told_with_it(seed):
    """The band was left an hour and more after the deploy; that the line began with it is seen all the same."""
    answer = answered(leak(seed), *versions(BEGUN - 3 * MINUTE))
    assert answer.analysis.outcome is Outcome.CAUSE_FOUND
    assert answer.analysis.summary.startswith(
        'Another version runs since 10:12: shop_build_info{version="1.42.0"}, about when what alerts began to rise. Memory '
    )
    assert " from about 10:" in answer.analysis.summary


@pytest.mark.parametrize("seed", range(4))
def test_a_leak_since_a_start_is_told_with_it(seed):
    """Memory is given back, then grows: it passes where it was long after."""
    start = of("process_start_time_seconds", lambda t: np.where(t > BEGUN, BEGUN, BEGUN - 90 * HOUR))
    answer = answered(leak(seed, given_back=5e7), start)
    assert answer.analysis.summary.startswith("A process started at 10:15, about when what alerts began to rise. Memory ")


@pytest.mark.parametrize("at", [BEGUN - 1.5 * HOUR, BEGUN + 1.5 * HOUR], ids=["long before", "while it grew"])
def test_a_release_at_another_time_is_not_blamed_for_a_leak(at):
    """That it was on the way is a coincidence. It is a finding still where it lies in the time that was looked at."""
    answer = answered(leak(1), *versions(at))
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert "version" not in answer.analysis.summary


def test_which_of_two_leaks_from_the_same_moment_was_first_is_not_known():
    """Which of two lines began first is not known to the minute, and neither is blamed on the other."""
    files = of("process_open_fds", noisy(lambda t: 60.0 + np.where(t > BEGUN, (t - BEGUN) / HOUR * 100.0, 0.0), 0.1, 5))
    answer = answered(leak(1), files)
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert "Open files moved at about 10:" in answer.analysis.summary
    assert ", which of them first is not known (" in answer.analysis.summary


def test_a_line_is_about_when_and_a_step_is_at():
    """Nobody shall look in a log for the minute that a slow line began in."""
    slow, step = (
        answered(leak(2)),
        told([of("shop_sessions", lambda t: np.where(t > AT - HOUR, 900.0, 300.0))], lens("shop_sessions", 50 * MINUTE)),
    )
    assert " from about 10:" in claims(slow)[0]
    assert "300 -> 900 from 13:1" in claims(step)[0]
