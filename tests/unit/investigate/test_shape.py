"""A series in a dozen numbers."""

import numpy as np
import pytest

from lens_exporter.investigate.shape import Trend, steady_slope, summarise

TIMES = np.arange(0.0, 1200.0, 10.0)
END = 1190.0


def shape_of(values, times=TIMES):
    return summarise(times, np.asarray(values, dtype=float), 0.0, END, 10.0)


def test_ends_extremes_and_when():
    """First, last, lowest, highest, each with its time."""
    shape = shape_of(5 + np.sin(TIMES / 190))
    assert (shape.first, shape.first_at, shape.last_at, shape.count) == (5.0, 0.0, END, 120)
    assert (shape.high_at, shape.low_at) == (300.0, 900.0)
    assert shape.mean == pytest.approx(5.0, abs=0.2)


def test_a_ramp_rises_at_its_slope():
    """Slope in units a minute, twelve buckets in order."""
    shape = shape_of(100 + TIMES * 2)
    assert shape.trend is Trend.RISING
    assert shape.per_minute == pytest.approx(120.0, rel=0.02)
    assert list(shape.buckets) == sorted(shape.buckets)
    assert len(shape.buckets) == 12


@pytest.mark.parametrize(
    ("values", "trend"),
    [
        (np.full(120, 7.0), Trend.FLAT),
        (np.zeros(120), Trend.FLAT),
        (100 + np.sin(TIMES), Trend.FLAT),
        (-TIMES, Trend.FALLING),
        (10 + 9 * np.sin(TIMES / 60), Trend.UNCLEAR),
    ],
)
def test_only_a_line_has_a_trend(values, trend):
    """Noise and waves are not called rising."""
    assert shape_of(values).trend is trend


def test_one_spike_does_not_bend_the_trend_but_is_the_jump():
    """The biggest change between neighbours is kept with its time."""
    values = np.full(120, 7.0)
    values[60] = 1e6
    shape = shape_of(values)
    assert shape.per_minute == 0.0
    assert (shape.jump.before, shape.jump.after, shape.jump.at) == (7.0, 1e6, 600.0)


def test_gaps_are_counted_at_the_ends_too():
    """A series that stops early has a gap until the end of what was asked for."""
    there = (TIMES < 300) | ((TIMES >= 600) & (TIMES < 900))
    shape = shape_of(TIMES[there], TIMES[there])
    assert shape.gaps == 2
    assert shape.longest_gap == 300.0
    assert shape.buckets[3] is None


def test_nothing_finite_has_no_shape():
    """Infinities and NaN are gaps."""
    assert shape_of(np.full(120, np.nan)) is None
    assert shape_of(np.where(TIMES == 50, 3.0, np.inf)).count == 1


def test_a_slope_needs_one_direction():
    """A wave or four points have no slope; a noisy ramp has."""
    assert steady_slope(TIMES, TIMES * 3) == pytest.approx(3.0)
    assert steady_slope(TIMES, np.sin(TIMES / 50)) is None
    assert steady_slope(TIMES[:4], TIMES[:4]) is None
