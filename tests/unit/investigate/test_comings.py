"""What comes and goes is counted, and nothing else is taken for it."""

import numpy as np
import pytest

from lens_exporter.investigate.comings import comings

START, STEP = 1_795_176_000.0, 30.0
TIMES = START + STEP * np.arange(361)  # three hours
MINUTES = (TIMES - START) / 60.0


def seen(values, times=TIMES, step=STEP):
    return comings(times, np.asarray(values, dtype=float), START, START + 10_800.0, step)


def visits(every, lasting, *, since=60, level=4.0, there=75.0):
    return np.where((since <= MINUTES) & ((MINUTES - since) % every < lasting), there, level)


def test_what_leaves_its_level_each_ten_minutes_is_counted():
    came = seen(visits(10, 2))
    assert (came.times, came.level, came.there) == (13, 4.0, 75.0)
    assert (came.between, came.even) == (600.0, True)
    assert (came.first_at, came.last_at, came.until) == (START + 3600, START + 10_800, None)
    assert came.numbers() == {
        "comings": 13.0,
        "level": 4.0,
        "there": 75.0,
        "first_coming_at": START + 3600,
        "last_coming_at": START + 10_800,
        "between_comings_seconds": 600.0,
    }


def test_its_end_is_the_last_value_away_from_the_level():
    came = seen(visits(16, 3))
    assert came.last_at == START + 60 * (60 + 7 * 16)
    assert came.until == came.last_at + 150.0
    assert came.numbers()["gone_at"] == came.until


def test_a_level_may_be_high():
    """What falls now and then: the level is where it was at first."""
    came = seen(visits(10, 2, level=99.0, there=0.0))
    assert (came.times, came.level, came.there) == (13, 99.0, 0.0)


def test_without_a_rhythm_it_says_how_often():
    begins = [61, 70, 95, 99, 140, 171]
    away = np.any([(begin <= MINUTES) & (begin + 2 > MINUTES) for begin in begins], axis=0)
    came = seen(np.where(away, 75.0, 4.0))
    assert (came.times, came.even) == (6, False)


def test_noise_around_both_levels_changes_nothing():
    random = np.random.default_rng(1)
    came = seen(visits(10, 2) * (1.0 + 0.05 * random.standard_normal(TIMES.size)))
    assert came.times == 13


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(
    "course",
    [
        lambda random: random.standard_normal(TIMES.size),
        lambda random: np.exp(random.standard_normal(TIMES.size)),
        lambda random: np.cumsum(random.standard_normal(TIMES.size)),
        lambda random: np.sin(MINUTES / 5.0) + 0.1 * random.standard_normal(TIMES.size),
        lambda random: (MINUTES % 20.0) + 0.1 * random.standard_normal(TIMES.size),
        lambda random: np.where(MINUTES > 90, 75.0, 4.0) + random.standard_normal(TIMES.size),
    ],
    ids=["noise", "skewed noise", "random walk", "wave", "sawtooth", "step"],
)
def test_what_has_no_two_levels_does_not_come_and_go(course, seed):
    came = seen(course(np.random.default_rng(seed)))
    assert came is None or (came.times < 10 and not came.even)


@pytest.mark.parametrize(
    "values",
    [visits(61, 5), visits(100, 20), np.full(TIMES.size, 3.0), np.where(MINUTES == 90, 9.0, 1.0)],
    ids=["two visits", "one visit", "constant", "one value"],
)
def test_what_came_once_or_twice_is_no_habit(values):
    assert seen(values) is None


def test_what_is_not_there_is_where_it_was():
    """A gap between scrapes is no coming, and hides none; what began lately has begun then."""
    there = (MINUTES % 25 > 5) & (MINUTES > 30)
    assert seen(np.full(there.sum(), 75.0), TIMES[there]) is None
    came = seen(visits(10, 4)[there], TIMES[there])
    assert (came.level, came.there) == (4.0, 75.0)
    assert 10 <= came.times <= 13


@pytest.mark.parametrize(
    ("level", "there", "times"),
    [(480.0, 481.0, 0), (2.0, 3.0, 0), (2.0, 4.0, 0), (2.0, 5.0, 13), (500e6, 500.3e6, 0), (0.0, 1.0, 13), (0.5, 1.0, 13)],
    ids=["a file more", "a thread more", "two more", "three more", "a part in a thousand", "down and up", "half and whole"],
)
def test_one_more_is_no_other_level(level, there, times):
    came = seen(visits(10, 2, level=level, there=there))
    assert (0 if came is None else came.times) == times


def test_four_make_a_rhythm_and_three_do_not():
    assert not seen(visits(50, 5)).even
    assert seen(visits(35, 5)).even


def test_what_is_endless_has_no_levels():
    assert seen(visits(10, 2, there=np.inf)) is None
    assert seen(visits(10, 2, level=-1.7e308, there=1.7e308)) is None


def test_what_is_seen_too_seldom_is_not_counted():
    """Between two looks it may have come many times."""
    every = slice(None, None, 4)
    assert seen(visits(30, 10), step=STEP).times == 5
    assert seen(visits(30, 10)[every], TIMES[every], step=120.0) is None
    assert seen(np.where(np.arange(TIMES.size) % 2, 4.0, 75.0)) is None


def test_a_range_that_ends_between_two_steps_has_no_gap_for_that():
    """The server answers no value after the end."""
    times = np.arange(START, START + 10_800.0, 23.0)
    came = seen(np.interp(times, TIMES, visits(10, 2)) > 40.0, times, step=23.0)
    assert (came.times, came.until) == (13, None)


def test_nothing_comes_of_no_values():
    assert seen([], np.zeros(0)) is None
