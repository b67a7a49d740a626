"""What must hold of the detector for any history."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lens_exporter.baseline.robust import RobustDetector
from lens_exporter.model.window import FloatArray
from tests.unit.baseline.windows import window

# Thousandths: far from float noise, and never whole numbers alone, whose floor is absolute on purpose.
VALUES = st.integers(-1_000_000, 1_000_000).map(lambda n: n / 1000 + 0.0005)
READINGS = VALUES | st.just(float("nan"))


def histories(min_length: int = 5) -> st.SearchStrategy[FloatArray]:
    shapes = st.tuples(st.integers(1, 4), st.integers(min_length, 50))
    return shapes.flatmap(lambda shape: arrays.arrays(np.float64, shape, elements=READINGS))


def score(values: FloatArray) -> FloatArray:
    return RobustDetector().score(window(values)).score


@given(histories(), st.sampled_from([0.001, 0.1, 4.0, 1000.0, 1e9]))
@settings(max_examples=60, deadline=None)
def test_the_unit_does_not_matter(values: FloatArray, factor: float) -> None:
    """Bytes or gigabytes: the same scores."""
    # Away from zero's absolute floor and from whole numbers, whose floors are in the metric's unit.
    np.testing.assert_allclose(score(values * factor + 0.0), score(values), rtol=1e-6, atol=1e-6)


@given(histories(), st.integers(-1000, 1000))
@settings(max_examples=60, deadline=None)
def test_the_level_does_not_matter_where_noise_sets_the_band(values: FloatArray, shift: int) -> None:
    """Moving a whole history up or down moves expected with it, and leaves the score alone without relative floor."""
    detector = RobustDetector(relative_floor=0.0, absolute_floor=0.5)
    here, there = detector.score(window(values)), detector.score(window(values + shift))
    np.testing.assert_allclose(there.expected, here.expected + shift, atol=1e-6)
    np.testing.assert_allclose(there.score, here.score, rtol=1e-5, atol=1e-5)


@given(histories(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_of_series_does_not_matter(values: FloatArray, random: object) -> None:
    """A series' score does not depend on its neighbours."""
    order = list(range(values.shape[0]))
    random.shuffle(order)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(score(values[order]), score(values)[order])


@given(histories(), st.integers(1, 20))
@settings(max_examples=40, deadline=None)
def test_gaps_before_the_history_do_not_matter(values: FloatArray, gap: int) -> None:
    """A window that reaches back to before the series existed gives the same scores."""
    padded = np.hstack([np.full((values.shape[0], gap), np.nan), values])
    np.testing.assert_array_equal(score(padded)[:, -5:], score(values)[:, -5:])


@given(histories(min_length=10), st.integers(1, 9), READINGS)
@settings(max_examples=60, deadline=None)
def test_no_later_value_changes_a_score(values: FloatArray, back: int, other: float) -> None:
    """Scores up to a column are the same whatever comes after it."""
    changed = values.copy()
    changed[:, -back:] = other
    np.testing.assert_array_equal(score(changed)[:, :-back], score(values)[:, :-back])


@given(histories(), VALUES)
@settings(max_examples=60, deadline=None)
def test_a_value_never_moves_its_own_band(values: FloatArray, other: float) -> None:
    """Expected, lower and upper of a column are learnt from the columns before it."""
    changed = values.copy()
    changed[:, -1] = other
    before, after = RobustDetector().score(window(values)), RobustDetector().score(window(changed))
    for one, two in ((before.expected, after.expected), (before.lower, after.lower), (before.upper, after.upper)):
        np.testing.assert_array_equal(one, two)


@given(histories())
@settings(max_examples=60, deadline=None)
def test_a_score_of_one_is_the_edge_of_the_band(values: FloatArray) -> None:
    """Inside the band the score is below one, outside above it, and its sign is the side."""
    found = RobustDetector().score(window(values))
    known = np.isfinite(found.score)
    above, below = values > found.upper, values < found.lower
    assert (found.score[known & above] >= 1 - 1e-9).all()
    assert (found.score[known & below] <= -1 + 1e-9).all()
    assert (np.abs(found.score[known & ~above & ~below]) <= 1 + 1e-9).all()
    assert (found.lower[known] <= found.expected[known]).all()


@given(st.integers(10, 60), st.floats(0.01, 0.49), VALUES, VALUES)
@settings(max_examples=60, deadline=None)
def test_less_than_half_a_window_of_trouble_does_not_move_a_constant_baseline(
    length: int, share: float, level: float, trouble: float
) -> None:
    """The breakdown point of median and MAD is one half."""
    values = np.full((1, length + 1), level)
    values[0, length - int(share * length) : length] = trouble
    found = RobustDetector().score(window(values))
    assert found.expected[0, -1] == level
    assert found.score[0, -1] == 0.0
