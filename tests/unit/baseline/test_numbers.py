"""Numbers and times in prose."""

import math

import pytest

from lens_exporter.baseline.numbers import clock, interval, number, rate
from tests.unit.baseline.windows import NOON


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.92, "ratio", "92 %"),
        (0.996, "ratio", "99.6 %"),
        (1.0, "ratio", "100 %"),
        (1.504, "ratio", "150 %"),
        (0.0042, "ratio", "0.42 %"),
        (0.0, "ratio", "0 %"),
        (-0.031, "ratio", "-3.1 %"),
        (2_310_000_000, "bytes", "2.31 GB"),
        (2_500_000_000, "bytes", "2.5 GB"),
        (999_900_000, "bytes", "1 GB"),
        (999_400_000, "bytes", "999 MB"),
        (999, "bytes", "999 B"),
        (12_300, "bytes", "12.3 kB"),
        (-3_200_000, "bytes", "-3.2 MB"),
        (0, "bytes", "0 B"),
        (5e18, "bytes", "5,000 PB"),
        (0.004, "seconds", "4 ms"),
        (1.239, "seconds", "1.24 s"),
        (95, "seconds", "95 s"),
        (3600 * 5, "seconds", "5 h"),
        (2.5e-5, "seconds", "25 µs"),
        (0, "seconds", "0 s"),
        (212.4, "per_second", "212/s"),
        (1480, "", "1,480"),
        (61, "", "61"),
        (0.125, "", "0.125"),
        (-0.0, "", "0"),
        (1e21, "", "1.00e+21"),
        (3e-9, "", "3.00e-09"),
        (45, "celsius", "45 celsius"),
        (None, "bytes", "no value"),
        (math.nan, "", "no value"),
        (math.inf, "ratio", "infinity"),
        (-math.inf, "", "-infinity"),
    ],
)
def test_a_number_is_short_and_has_its_unit(value: float | None, unit: str, text: str) -> None:
    """Three digits that mean something, the unit people use, a minus sign where there is one."""
    assert number(value, unit) == text


@pytest.mark.parametrize(
    ("lower", "upper", "unit", "text"),
    [
        (0.9e9, 1.2e9, "bytes", "0.9 to 1.2 GB"),
        (0.36, 0.48, "ratio", "36 to 48 %"),
        (58, 66, "", "58 to 66"),
        (61, 61, "", "61"),
        (0.18, 0.31, "seconds", "180 to 310 ms"),
        (-5, 5, "", "-5 to 5"),
        (0, 4000, "bytes", "0 to 4 kB"),
    ],
)
def test_a_range_has_one_unit(lower: float, upper: float, unit: str, text: str) -> None:
    """Both ends are written in the unit of the larger; equal ends are one number."""
    assert interval(lower, upper, unit) == text


@pytest.mark.parametrize(
    ("slope", "unit", "over", "text"),
    [
        (38e6 / 60, "bytes", 840, "38 MB a minute"),
        (0.015 / 60, "ratio", 840, "1.5 percentage points a minute"),
        (12e6, "bytes", 100, "12 MB a second"),
        (1e6 / 3600, "bytes", 40_000, "1 MB an hour"),
        (-2.0, "", 30, "2 a second"),
    ],
)
def test_a_rate_is_told_at_the_pace_of_what_is_left(slope: float, unit: str, over: float, text: str) -> None:
    """Seconds, minutes or hours, whichever suits the time until it is full."""
    assert rate(slope, unit, over) == text


def test_a_moment_of_another_day_has_its_date() -> None:
    """A time without a date is of the judged day."""
    assert clock(NOON + 120, NOON) == "12:02"
    assert clock(NOON - 86_400, NOON) == "19 Nov 12:00"
