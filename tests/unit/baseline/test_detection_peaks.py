"""Which surprises are news, and whether a budget of alarms is kept without anybody telling what is an alarm."""

import numpy as np

from lens_exporter.baseline.detection.peaks import Peaks, Record, either, fresh_peaks, needed_rarity
from lens_exporter.model.window import FloatArray

BUDGET = 1e-3  # alarms per row


def surprises(rarity: FloatArray) -> FloatArray:
    """Turn -log10 p [series, time] into surprises, as a series that begins gives them."""
    return rarity - np.log10(np.arange(1, rarity.shape[1] + 1))


def test_news_is_what_stands_above_all_recent_rows() -> None:
    """The same as looking at each of the last rows, for every row; a gap is a row without surprise."""
    random = np.random.default_rng(1)
    surprise = random.standard_normal((4, 300))
    surprise[random.random((4, 300)) < 0.1] = np.nan
    filled = np.where(np.isnan(surprise), -np.inf, surprise).astype(np.float32)
    nothing = np.full((4, 37), -np.inf, dtype=np.float32)
    fresh = fresh_peaks(filled, nothing)
    for row in range(300):
        before = filled[:, max(0, row - 37) : row].max(axis=1, initial=-np.inf)
        np.testing.assert_array_equal(fresh[:, row], filled[:, row] > before)
    known = np.concatenate((nothing, filled), axis=1)
    for row in range(295):  # a few at a time are told in another way
        np.testing.assert_array_equal(fresh_peaks(filled[:, row : row + 5], known[:, row : row + 37]), fresh[:, row : row + 5])


def test_an_incident_is_announced_once_and_again_when_it_grows() -> None:
    """Of ten surprising rows the first is news, and one that is more surprising than all of them."""
    surprise = np.full((1, 200), -3.0)
    surprise[0, 150:160] = [4, 4, 3, 2, 4, 6, 1, 2, 6, 5]
    fresh = Peaks(1, alarms_per_row=BUDGET).advance(surprise).fresh[0]
    assert np.flatnonzero(fresh).tolist() == [0, 150, 155]


def test_whoever_peeks_first_is_told_the_same_whatever_comes_then() -> None:
    """Rows that were peeked at come as they were, some of them, more than them, or otherwise: news and thresholds are the same."""
    random = np.random.default_rng(5)
    surprise = surprises(random.exponential(1.0, (20, 900)))
    surprise[random.random(surprise.shape) < 0.05] = np.nan
    plain, peeking = Peaks(20, alarms_per_row=BUDGET), Peaks(20, alarms_per_row=BUDGET)
    first = 0
    while first < 880:
        rows, seen = random.integers(1, 9, 2)
        ahead = surprise[:, first : first + seen] + random.integers(0, 2)
        peeking.peek(ahead)
        here, there = (each.advance(surprise[:, first : first + rows]) for each in (plain, peeking))
        for name in ("fresh", "threshold", "alarm"):
            np.testing.assert_array_equal(getattr(there, name), getattr(here, name))
        first += rows


def test_a_series_that_is_as_rare_as_it_says_keeps_the_budget() -> None:
    """Independent rows with a true p: alarms within a factor of two of the budget."""
    rarity = np.random.default_rng(2).exponential(1 / np.log(10), (50, 20_000))
    alarms = Peaks(50, alarms_per_row=BUDGET).advance(surprises(rarity)).alarm[:, 2000:]
    assert 0.5 < alarms.mean() / BUDGET < 2


def test_a_series_that_promises_too_much_keeps_the_budget_too() -> None:
    """Where the tail says 10^-2r and means 10^-r, the series' own peaks set it right; believing it would cost over 20 times as many."""
    rarity = 2 * np.random.default_rng(3).exponential(1 / np.log(10), (50, 20_000))
    alarms = Peaks(50, alarms_per_row=BUDGET).advance(surprises(rarity)).alarm[:, 2000:]
    assert (rarity > -np.log10(BUDGET)).mean() / BUDGET > 20
    assert 0.5 < alarms.mean() / BUDGET < 3


def test_one_great_incident_does_not_blind_its_series() -> None:
    """A peak of 25 decades raises the threshold by less than two decades, not by 25."""
    rarity = np.random.default_rng(4).exponential(1 / np.log(10), (1, 5000))
    plain, struck = Peaks(1, alarms_per_row=BUDGET), Peaks(1, alarms_per_row=BUDGET)
    plain.advance(surprises(rarity))
    rarity[0, 4000] = 25.0
    struck.advance(surprises(rarity))
    quiet = np.zeros((1, 1))
    assert 0 < (struck.peek(quiet).threshold - plain.peek(quiet).threshold)[0, 0] < 2


def test_a_further_peak_never_lowers_the_threshold() -> None:
    """Whether the budget lies above or below what the record speaks of."""
    for budget in (1e-5, 1e-4, 1e-3, 1e-2):
        for peaks in (0, 1, 5, 30):
            record = Record(np.array([5000]), np.array([peaks]), np.array([0.4 * peaks]))
            after = Record(record.rows, record.peaks + 1, record.excess + 1.0)
            assert needed_rarity(after, budget)[0] > needed_rarity(record, budget)[0]


def test_a_smaller_budget_asks_for_more() -> None:
    """Ten times fewer alarms need rarer peaks, whatever the record."""
    record = Record(np.array([0, 4000]), np.array([0, 9]), np.array([0.0, 5.0]))
    assert (needed_rarity(record, BUDGET / 10) > needed_rarity(record, BUDGET)).all()


def test_either_of_two_views_is_enough() -> None:
    """The value's surprise, or the residual's where it is more than twice as rare; the one that is known; nothing where neither is."""
    value, residual = np.array([[2.0, -4.0, 2.0, np.nan, np.nan]]), np.array([[2.2, 2.0, np.nan, 3.0, np.nan]])
    half = np.log10(2.0)
    np.testing.assert_allclose(either(value, residual), [[2.0, 2.0 - half, 2.0, 3.0 - half, np.nan]])


def test_looking_ahead_changes_nothing() -> None:
    """A peeked row is judged as it will be, and not remembered."""
    random = np.random.default_rng(5)
    surprise = random.standard_normal((2, 50))
    peaks = Peaks(2, alarms_per_row=BUDGET)
    peaks.advance(surprise[:, :40])
    peeked = peaks.peek(surprise[:, 40:])
    advanced = peaks.advance(surprise[:, 40:])
    np.testing.assert_array_equal(peeked.fresh, advanced.fresh)
    np.testing.assert_array_equal(peeked.threshold, advanced.threshold)


def test_series_come_and_go() -> None:
    """The others go on where they were; a new one has no past peaks."""
    random = np.random.default_rng(6)
    surprise = random.standard_normal((3, 60)) + 5
    peaks = Peaks(3, alarms_per_row=BUDGET)
    peaks.advance(surprise[:, :40])
    moved = peaks.take(np.array([2, -1, 0]))
    later, found = peaks.advance(surprise[:, 40:]), moved.advance(surprise[[2, 1, 0], 40:])
    np.testing.assert_array_equal(found.threshold[[0, 2]], later.threshold[[2, 0]])
    np.testing.assert_array_equal(found.fresh[[0, 2]], later.fresh[[2, 0]])
    assert found.fresh[1, 0]
