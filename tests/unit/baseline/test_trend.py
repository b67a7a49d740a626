"""A clear trend towards a hard limit, and what is none."""

import numpy as np
import pytest

from lens_exporter.baseline.trend import towards
from tests.unit.baseline.windows import NOON, noise


def find(values: list[float], *, full: float = 1.0, least: float = 0.0, falls: bool = False):
    times = NOON + 60.0 * np.arange(len(values), dtype=np.float64)
    return towards(full, times, np.asarray(values, dtype=np.float64), minimum=10, least=least, falls=falls)


def test_a_leak_says_when_it_is_full() -> None:
    """Two points a minute from 50 % are at 100 % after 25 minutes."""
    values = [*noise(40, level=0.30, width=0.002), *(0.30 + 0.02 * n for n in range(1, 11))]
    trend = find(values)
    assert trend is not None
    assert trend.slope * 60 == pytest.approx(0.02)
    now = NOON + 60.0 * (len(values) - 1)
    assert (trend.full_at - now) / 60 == pytest.approx(25.0)
    assert trend.begins == now - 9 * 60


def test_a_slow_noisy_leak_is_seen_in_the_longer_stretch() -> None:
    """What ten readings hide in noise, thirty show."""
    rng = np.random.default_rng(5)
    ramp = [0.4 + 0.004 * n + 0.004 * rng.standard_normal() for n in range(30)]
    trend = find([*noise(60, level=0.4, width=0.004), *ramp])
    assert trend is not None
    assert trend.slope * 60 == pytest.approx(0.004, rel=0.2)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("flat and high", [0.89] * 60),
        ("noisy and high", noise(60, level=0.85, width=0.05)),
        ("a step", [*noise(40), *noise(20, level=0.9)]),
        ("falling", [0.9 - 0.005 * n for n in range(60)]),
        ("sawtooth", [0.3 + 0.03 * (n % 15) for n in range(89)]),
        ("a start-up ramp", [0.04 * n for n in range(15)]),
        ("too short", [0.4, 0.5, 0.6]),
    ],
)
def test_these_are_no_trend(name: str, values: list[float]) -> None:
    """Level, noise, a step, the way down, a habit, a beginning and a handful of readings forecast nothing."""
    assert find(values) is None, name


def test_a_trend_smaller_than_min_change_is_none() -> None:
    """A rise that would not be worth an alert is not worth a forecast."""
    values = [*[0.5] * 40, *(0.5 + 0.0001 * n for n in range(1, 11))]
    assert find(values) is not None
    assert find(values, least=0.02) is None


def test_a_metric_that_is_bad_when_low_falls_towards_its_limit() -> None:
    """Free bytes run out downwards."""
    values = [*noise(40, level=900.0, width=1.0), *(900.0 - 20.0 * n for n in range(1, 11))]
    trend = find(values, full=0.0, falls=True)
    assert trend is not None
    assert trend.slope * 60 == pytest.approx(-20.0)
    assert (trend.full_at - (NOON + 60.0 * 49)) / 60 == pytest.approx(35.0)


def test_what_is_past_its_limit_is_full_now() -> None:
    """No forecast lies in the past."""
    values = [*noise(40, level=0.9), *(0.96 + 0.02 * n for n in range(10))]
    trend = find(values)
    assert trend is not None
    assert trend.full_at == NOON + 60.0 * 49


def test_noise_is_hardly_ever_a_trend() -> None:
    """In five thousand windows of white noise near the limit there is none."""
    rng = np.random.default_rng(11)
    assert not any(find(list(0.85 + 0.02 * rng.standard_normal(60))) for _ in range(5000))


def test_a_growth_that_takes_longer_than_a_year_is_no_trend() -> None:
    """A hundred bytes a minute towards a terabyte would be full in the year 13434, which no clock can write."""
    slow = [4e11 + 100.0 * minute for minute in range(80)]
    assert find(slow, full=1e12) is None
    year = 365 * 24 * 60
    assert find(slow, full=slow[-1] + 100.0 * (year - 1)) is not None
    assert find(slow, full=slow[-1] + 100.0 * (year + 1)) is None
