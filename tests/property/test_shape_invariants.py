"""What is true of the shape of any series."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lens_exporter.investigate.shape import summarise

series = arrays.arrays(np.float64, st.integers(1, 200), elements=st.floats(-1e12, 1e12) | st.just(math.nan))


@given(series, st.floats(min_value=1.0, max_value=600.0))
def test_a_shape_stays_inside_its_series(values, step):
    """Extremes bound every other number, times lie in the range, and only a series without values has no shape."""
    times = 1.7e9 + step * np.arange(len(values))
    shape = summarise(times, values, times[0], times[-1], step)
    if np.isnan(values).all():
        assert shape is None
        return
    there = [mean for mean in shape.buckets if mean is not None]
    slack = 1e-9 * max(1.0, abs(shape.low), abs(shape.high))
    for inner in (shape.first, shape.last, shape.mean, *there):
        assert shape.low - slack <= inner <= shape.high + slack
    for at in (shape.first_at, shape.last_at, shape.low_at, shape.high_at):
        assert times[0] <= at <= times[-1]
    assert shape.count == np.isfinite(values).sum()
    assert all(math.isfinite(number) for number in shape.numbers().values())
    assert shape.gaps <= shape.count + 1


@given(series, st.floats(min_value=0.5, max_value=4.0))
def test_scaling_a_series_scales_its_shape(values, factor):
    """A unit is only a unit."""
    times = 10.0 * np.arange(len(values))
    one, other = (summarise(times, v, 0.0, times[-1], 10.0) for v in (values, values * factor))
    if one is None:
        assert other is None
        return
    assert math.isclose(one.mean * factor, other.mean, rel_tol=1e-9, abs_tol=1e-3)
    assert one.gaps == other.gaps
