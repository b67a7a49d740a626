"""How long a lone series is beside what is expected: what is more of it than is usual."""

import numpy as np
import pytest

from lens_exporter.baseline.detection import streams
from lens_exporter.baseline.detection.engine import Engine
from lens_exporter.baseline.detection.sustained import Sustained
from lens_exporter.baseline.detection.tuning import Tuning
from tests.unit.baseline.lives import BEGINS

STEP = 300.0
HOUR = 12  # rows
DAY = 24 * HOUR
AT = 9 * DAY
SIZES = (0.0, 2.5, -2.5)
BUDGET = np.full(3, 0.7)


def lived(days=12, size=SIZES, until=None, blocks=7 * HOUR + 1):
    """Give how each series [series, time] of noise stands that has been off by so many spreads since a day."""
    rows = days * DAY
    values = 50.0 + np.random.default_rng(5).standard_normal((len(size), rows))
    values[:, AT:until] += np.array(size)[:, None]
    engine, times = Engine(len(size), [], Tuning(step=STEP, memory=2016)), BEGINS + STEP * np.arange(rows)
    return np.concatenate(
        [engine.advance(times[at : at + blocks], values[:, at : at + blocks]).sustained for at in range(0, rows, blocks)], axis=1
    )


@pytest.fixture(scope="module")
def sides():
    return lived()


def test_noise_is_never_far_for_long(sides):
    assert not sides[0].any()
    assert not sides[:, :AT].any()


@pytest.mark.parametrize("series", [1, 2])
def test_what_stays_is_far_to_its_side_within_hours_and_for_half_a_day(sides, series):
    """Later it is what most of a day was."""
    found = np.flatnonzero(np.abs(sides[series]) == 2)
    assert set(np.sign(sides[series][sides[series] != 0])) == {np.sign(SIZES[series])}
    assert AT < found[0] <= AT + 2 * HOUR
    assert AT + 6 * HOUR <= found[-1] <= AT + 16 * HOUR


def test_the_blocks_that_rows_come_in_change_nothing(sides):
    for blocks in (5, DAY + 7):
        np.testing.assert_array_equal(lived(blocks=blocks), sides)


def test_series_that_come_and_go_change_nothing_of_the_others(sides):
    """Half an hour of what stays goes on where it was, in its new place."""
    rows, size = 12 * DAY, SIZES
    values = 50.0 + np.random.default_rng(5).standard_normal((len(size), rows))
    values[:, AT:] += np.array(size)[:, None]
    engine, times, cut = Engine(len(size), [], Tuning(step=STEP, memory=2016)), BEGINS + STEP * np.arange(rows), AT + HOUR
    engine.advance(times[:cut], values[:, :cut])
    engine.take(np.array([-1, 2, 1]), [], np.zeros(0, dtype=np.int64))
    after = engine.advance(times[cut:], np.stack([values[0], values[2], values[1]])[:, cut:]).sustained
    np.testing.assert_array_equal(after[1:, : 4 * HOUR], sides[[2, 1], cut : cut + 4 * HOUR])


def test_one_wild_reading_is_not_half_an_hour():
    """However far it is: what counts of it is five spreads."""
    before = np.zeros(1)
    wild, _ = streams.slow(np.array([[1e6]]), before, 0.08)
    slight, _ = streams.slow(np.full((12, 1), 3.0), before, 0.08)
    assert wild[-1, 0] == pytest.approx(0.4 / streams.of_a_mean(0.08))
    assert slight[-1, 0] > 4 * wild[-1, 0]


def test_means_of_white_noise_are_of_size_one():
    means, last = streams.slow(np.random.default_rng(2).standard_normal((20_000, 1)), np.zeros(1), 0.08)
    assert means[200:].std() == pytest.approx(1.0, abs=0.05)
    assert last == means[-1]


def told(maxima, score):
    """Hours [hour, series] that have gone by since midnight, then one mean [series]."""
    one = Sustained(np.full(len(score), 0.7), Tuning(step=STEP))
    for hour, row in enumerate(maxima):
        one.learn(np.array([row]))
        one.close(hour, np.ones(len(score), dtype=np.bool_))
        one.fit(hour + 1)
    return one.told(np.array([score]))[0].tolist()


def test_what_is_usual_at_this_hour_is_not_told():
    """Two of the last days, or yesterday, within the hours about this one; not what came at another hour, or once before."""
    days = np.full((7 * 24, 5), 1.0)
    days[[2 * 24 + 3, 4 * 24 + 4], 0] = 10.0  # two nights
    days[6 * 24 + 3, 1] = 10.0  # yesterday
    days[2 * 24 + 3, 2] = 10.0  # once
    days[[2 * 24 + 12, 4 * 24 + 12], 3] = 10.0  # at noon
    days[[2 * 24 + 3, 4 * 24 + 4], 4] = -10.0  # to the other side
    days = np.concatenate([days, np.full((3, 5), 1.0)])  # until three at night
    assert told(days, [10.0] * 5) == [0, 0, 2, 2, 2]
    assert told(days, [-10.0] * 5) == [-2, -2, -2, -2, 0]
    assert told(days, [13.0] * 5) == [2] * 5
    assert told(days, [8.0] * 5) == [0, 0, 2, 2, 2]


def test_to_go_on_two_thirds_of_what_is_rare_are_enough():
    """But never less than what is usual at this hour, else a shift would be told for as long as it lasts."""
    hours = np.full((7 * 24, 2), 1.0)
    hours[-12:, 1] = 3.0  # half of the last day
    assert told(hours, [4.5, 4.5]) == [2, 2]
    assert told(hours, [3.0, 3.0]) == [1, 0]
    assert told(hours, [2.5, 2.5]) == [0, 0]


def test_nothing_is_told_of_what_is_not_known_for_a_day():
    assert told(np.full((20, 2), 1.0), [100.0, -100.0]) == [0, 0]


def test_series_that_go_and_come_find_their_own():
    one = Sustained(BUDGET, Tuning(step=STEP))
    for hour in range(48):
        one.learn(np.array([[1.0, 2.0, 8.0]]))
        one.close(hour, np.ones(3, dtype=np.bool_))
        one.fit(hour + 1)
    one.take(np.array([2, -1, 0]), BUDGET)
    assert one.told(np.array([[9.0, 9.0, 9.0]]))[0].tolist() == [0, 0, 2]
