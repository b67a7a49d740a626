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
    assert (came.times, came.by_level, came.level, came.there) == (13, True, 4.0, 75.0)
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


def test_a_condition_is_met_while_it_has_values():
    there = visits(10, 2, level=0.0, there=1.0) > 0
    came = seen(np.full(there.sum(), 0.8), TIMES[there])
    assert (came.times, came.by_level, came.there, came.even) == (13, False, 0.8, True)
    assert "level" not in came.numbers()


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
    assert (came.times, came.by_level) == (13, True)


def test_nothing_comes_of_no_values():
    assert seen([], np.zeros(0)) is None
