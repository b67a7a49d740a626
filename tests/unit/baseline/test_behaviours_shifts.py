"""What is told in the days after a level has moved for good, as a deployment moves it."""

import numpy as np
import pytest

from tests.unit.baseline.lives import DAY, HOUR, MEMBERS, Life, Watch, group, lone

SHIFTED = 12 * DAY
AT = 14 * DAY + 3 * HOUR  # two hours of trouble, two days and some hours later
ROWS = AT + 4 * HOUR
LOOKS = range(AT - HOUR, ROWS)


def moved(values, size, trouble):
    """Raise a series by so many deviations for good, and again by so many for two hours."""
    spread = values[:SHIFTED].std()
    values[SHIFTED:] += size * spread
    values[AT : AT + 2 * HOUR] += trouble * spread


def single(size, trouble=8.0):
    values = 50.0 + np.random.default_rng(11).standard_normal(ROWS)
    moved(values, size, trouble)
    return lone(values)


def together(size, trouble=8.0) -> Life:
    def change(values):
        for name in MEMBERS:
            moved(values[name], size, trouble)

    return group(ROWS, change)


TROUBLE = {f"after {size:g}": single(size) for size in (10.0, 20.0, 60.0)}
QUIET = {f"{kind.__name__} after {size:g}, nothing else": kind(size, 0.0) for kind in (single, together) for size in (10.0, 60.0)}


@pytest.fixture(scope="module")
def seen():
    return Watch(TROUBLE | QUIET).through(LOOKS)


@pytest.mark.parametrize("life", TROUBLE)
def test_a_shift_of_two_days_ago_hides_no_trouble(seen, life):
    """Once the level has followed it, nobody is blind for the week that it would be remembered."""
    assert seen[life].alarmed
    assert seen[life].alarmed[0] <= AT + 5


@pytest.mark.parametrize("life", QUIET)
def test_and_what_goes_on_as_ever_is_quiet(seen, life):
    assert not [row for row in seen[life].alarmed if row >= AT]
