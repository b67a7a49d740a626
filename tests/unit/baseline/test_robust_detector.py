"""The named behaviours of the median/MAD detector."""

import warnings

import numpy as np
import pytest

from lens_exporter.baseline.robust import RobustDetector
from tests.unit.baseline.windows import noise, window

NAN = float("nan")


def last(values: list[float]) -> float:
    """Score of the last reading of one series."""
    return float(RobustDetector().score(window(values)).score[0, -1])


def scores(values: list[float]) -> list[float]:
    return list(RobustDetector().score(window(values)).score[0])


def test_the_scored_point_is_no_part_of_its_own_baseline() -> None:
    """Whatever the last reading is, expected and band at that moment are the same."""
    history = noise(50)
    bands = [RobustDetector().score(window([*history, value])) for value in (0.42, 9.0, -1e9, NAN)]
    for band in bands[1:]:
        assert band.expected[0, -1] == bands[0].expected[0, -1]
        assert band.lower[0, -1] == bands[0].lower[0, -1]
        assert band.upper[0, -1] == bands[0].upper[0, -1]


def test_expected_and_band_are_median_and_scaled_mad_of_everything_before() -> None:
    """Every column of the tail agrees with numpy's medians over the columns before it, gaps left out."""
    rng = np.random.default_rng(3)
    values = rng.normal(10.5, 3.0, (20, 70))
    values[rng.random(values.shape) < 0.3] = NAN
    values[4, :] = NAN
    values[4, ::2] = rng.integers(0, 3, 35) + 0.5
    found = RobustDetector().score(window(values))
    for column in range(40, 70):
        before = values[:, :column]
        median = np.nanmedian(before, axis=1)
        mad = np.nanmedian(np.abs(before - median[:, None]), axis=1)
        half = np.maximum(6.0 * 1.4826 * mad, 0.05 * np.abs(median))
        np.testing.assert_allclose(found.expected[:, column], median)
        np.testing.assert_allclose(found.upper[:, column] - median, half)
        np.testing.assert_allclose(median - found.lower[:, column], half)


def test_only_the_tail_is_scored() -> None:
    """Columns before the last thirty have no score: nobody reads them, and they would cost."""
    found = scores(noise(100))
    assert np.isnan(found[:70]).all()
    assert np.isfinite(found[70:]).all()


def test_a_constant_series_is_quiet_about_float_noise() -> None:
    """The last bits of a float are no deviation."""
    assert abs(last([0.1 * 3] * 50 + [0.3])) < 1.0
    assert abs(last([0.0] * 50 + [1e-12])) < 1.0


def test_a_jump_of_a_constant_series_is_seen() -> None:
    """A series that never moved has no deviation to hide behind."""
    assert last([100.0] * 50 + [150.0]) > 5.0
    assert last([0.0] * 50 + [0.5]) > 5.0
    assert last([0.0] * 50 + [1.0]) > 5.0
    assert last([1.0] * 50 + [0.0]) < -5.0


def test_one_thread_more_is_quiet_and_three_more_are_not() -> None:
    """Whole numbers move by one without being unusual."""
    assert abs(last([4.0] * 50 + [5.0])) < 1.0
    assert last([4.0] * 50 + [7.0]) > 1.0
    assert abs(last([4.0, 4.0, 4.0, 5.0] * 12 + [3.0])) < 1.0


def test_a_ratio_that_rested_at_zero_or_one_is_no_count() -> None:
    """Swap that was never used and is half full now must be seen, though 0.0 is a whole number."""
    assert last([0.0] * 50 + [0.5]) > 1.0
    assert last([1.0] * 50 + [0.5]) < -1.0


def test_gaps_have_no_score_and_teach_nothing() -> None:
    """A gap is NaN in the scores; readings around it are scored as if it were not there."""
    values = noise(60)
    gappy = [*values[:30], *[NAN] * 40, *values[30:]]
    assert np.isnan(scores([*values, NAN])[-1])
    assert last(gappy) == pytest.approx(last(values))


def test_infinity_is_a_gap() -> None:
    """A division by zero in PromQL neither scores nor spoils the baseline."""
    values = noise(40)
    assert last([*values[:20], float("inf"), *values[20:]]) == pytest.approx(last(values))
    assert np.isnan(scores([*values, float("-inf")])[-1])


def test_a_counter_that_is_reset_is_quiet() -> None:
    """A raw counter is judged as the level it shows: its growth is its spread, and neither growth nor reset stands out."""
    counter = [float(n * 17) for n in range(200)]
    assert abs(last(counter)) < 1.0
    assert abs(last([*counter, 0.0])) < 1.0


def test_a_restart_at_the_same_level_is_normal_and_at_another_one_is_a_level_shift() -> None:
    """After a gap the new level is judged like any other."""
    before = noise(60)
    assert abs(last([*before, NAN, NAN, NAN, 0.42])) < 1.0
    assert last([*before, NAN, NAN, NAN, 0.9]) > 1.0


def test_too_few_observations_have_no_baseline() -> None:
    """Two readings say nothing about what is normal; three begin to, and the count is said."""
    found = RobustDetector().score(window([[NAN, NAN, 1.0, 1.1, 1.2], [1.0, 1.1, 1.0, 1.1, 1.2]]))
    assert np.isnan(found.expected[0, -1])
    assert np.isfinite(found.expected[1, -1])
    assert list(found.observations) == [2, 4]


def test_a_one_sample_spike_deviates_once() -> None:
    """The reading after a spike is as normal as the one before."""
    found = scores([*noise(60), 0.95, 0.42])
    assert found[-2] > 5.0
    assert abs(found[-1]) < 1.0


def test_a_level_shift_deviates_until_it_fills_half_of_the_window() -> None:
    """Half a window of trouble is an incident; more than half is the new normal."""
    old, new = noise(100, level=0.2), noise(120, level=0.6, seed=8)
    assert last([*old, *new[:20]]) > 5.0
    assert last([*old, *new[:90]]) > 1.0
    assert abs(last([*old, *new[:115]])) < 1.0


def test_an_incident_that_grows_does_not_teach_the_detector() -> None:
    """A leak scores higher and higher, not lower as it fills more of the window."""
    leak = [0.42 + 0.02 * n for n in range(25)]
    found = scores([*noise(60), *leak])[-25:]
    assert found[-1] > found[10] > found[5] > 1.0


def test_series_are_judged_each_by_itself_whatever_their_scale() -> None:
    """Bytes beside ratios in one window change nothing for either."""
    small = noise(60)
    big = [1e9 * value for value in small]
    both = RobustDetector().score(window([small, big]))
    assert both.score[0, -1] == pytest.approx(last(small))
    assert both.score[1, -1] == pytest.approx(both.score[0, -1])


def test_a_series_that_appears_late_or_dies_is_judged_where_it_lives() -> None:
    """A late series has few observations; a dead one has no score, and its band stays."""
    values = np.full((2, 60), NAN)
    values[0, 55:] = noise(5)
    values[1, :50] = noise(50)
    found = RobustDetector().score(window(values))
    assert list(found.observations) == [4, 50]
    assert np.isnan(found.score[1, 50:]).all()
    assert np.isfinite(found.expected[1, -1])


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (3, 0), (3, 1)])
def test_an_empty_window_has_empty_scores(shape: tuple[int, int]) -> None:
    """No series, no time or one reading only: arrays of the window's shape, no error."""
    found = RobustDetector().score(window(np.ones(shape)))
    assert found.score.shape == shape
    assert np.isnan(found.score).all()
    assert found.observations.shape == (shape[0],)


def test_extreme_values_warn_nobody() -> None:
    """The largest floats give an infinite score at worst, without numpy's warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert last([1.0, 1.1, 1.2, 1.3, 1e308]) > 1.0
        assert last([0.0] * 10 + [1e308]) > 1.0
        RobustDetector().score(window([1e308, -1e308, 1e308, -1e308, 1e308]))


def test_a_narrower_sensitivity_has_a_narrower_band() -> None:
    """Sensitivity is the half-width in robust deviations, and a score of one is the edge of that band."""
    values = [*noise(60, level=10.0, width=2.0), 20.0]
    wide, narrow = (RobustDetector(sensitivity).score(window(values)) for sensitivity in (6.0, 3.0))
    assert narrow.score[0, -1] == pytest.approx(2.0 * wide.score[0, -1])
