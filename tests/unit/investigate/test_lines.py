"""When a line began, known from values alone: bends, falls, steps, noise and day courses with a truth that is made."""

import numpy as np
import pytest

from lens_exporter.investigate.lines import line_since

STEP = 30.0
TIMES = STEP * np.arange(720.0)
BEGUN = 600  # of 720 places


def leaking(rise: float, *, noise: float = 0.0, fall: float = 0.0, trend: float = 0.0, seed: int = 1) -> np.ndarray:
    """A level of 100 that rises by `rise` from BEGUN until now; it may fall first, and may have risen ever before."""
    place = np.arange(720.0)
    grown = np.clip(place - BEGUN, 0, None) * rise / (719 - BEGUN)
    return 100.0 + trend * place - fall * (place >= BEGUN) + grown + np.random.default_rng(seed).normal(0, noise, 720)


def off_by(values: np.ndarray, left: int) -> float:
    """How many points a line's begin is off."""
    line = line_since(TIMES, values, left)
    assert line is not None
    return line.place - BEGUN


@pytest.mark.parametrize("seed", range(8))
def test_a_leak_began_where_it_bends_not_where_it_left_its_band(seed):
    """Thirty points later it was outside of what is normal; the bend is found within a few of them, and known to be so near."""
    values = leaking(60.0, noise=1.0, seed=seed)
    line = line_since(TIMES, values, BEGUN + 30)
    assert line is not None
    assert abs(line.place - BEGUN) <= 6
    assert abs(line.place - BEGUN) * STEP <= line.within <= 20 * STEP
    assert line.slope == pytest.approx(60.0 / (119 * STEP), rel=0.1)


@pytest.mark.parametrize("seed", range(8))
def test_a_leak_that_a_restart_began_begins_with_the_restart(seed):
    """Memory is given back first: there the line begins, and no value crosses a level at that moment."""
    assert off_by(leaking(60.0, noise=1.0, fall=30.0, seed=seed), BEGUN + 80) == pytest.approx(0, abs=2)


def test_a_faster_leak_begins_where_it_became_faster():
    """What fills slowly is normal; its line is another one."""
    assert off_by(leaking(120.0, noise=0.5, trend=0.05), BEGUN + 20) == pytest.approx(0, abs=3)


def test_a_leak_that_is_longer_than_thought_is_laid_over_a_longer_time():
    """It left its band only just now."""
    assert off_by(leaking(60.0, noise=1.0), 711) == pytest.approx(0, abs=8)


@pytest.mark.parametrize("noise", [0.0, 3.0])
def test_a_step_is_no_line(noise):
    """What stands still since then has no slope."""
    values = 100.0 + 50.0 * (np.arange(720) >= BEGUN) + np.random.default_rng(2).normal(0, noise, 720)
    assert line_since(TIMES, values, BEGUN) is None


def test_two_steps_are_no_line():
    """Each stair stands still."""
    place = np.arange(720)
    values = 100.0 + 50.0 * (place >= 620) + 50.0 * (place >= 670) + np.random.default_rng(3).normal(0, 2.0, 720)
    assert line_since(TIMES, values, 620) is None


def test_a_step_upon_a_morning_begins_with_the_step():
    """Traffic rises since dawn as it should; then it doubles, and goes on to rise."""
    place = np.arange(720.0)
    values = 100.0 + np.clip(place - 300, 0, None) * 0.5 + 150.0 * (place >= BEGUN) + np.random.default_rng(4).normal(0, 2.0, 720)
    line = line_since(TIMES, values, BEGUN)
    assert line is not None
    assert abs(line.place - BEGUN) <= 1
    assert line.within <= 2 * STEP


@pytest.mark.parametrize("length", range(1, 12))
def test_of_a_few_values_no_more_is_said_than_they_tell(length):
    """Nothing fails, and no line is begun before the first value."""
    line = line_since(TIMES[:length], np.arange(float(length)), length // 2)
    assert line is None or 0 <= line.place < length
