"""From residuals to scores, step by step."""

import math
from dataclasses import replace

import numpy as np
import pytest

from lens_exporter.baseline.detection import streams
from lens_exporter.baseline.detection.grouping import membership, slots
from lens_exporter.baseline.detection.spread import Scale
from lens_exporter.baseline.detection.structure import Structure
from lens_exporter.model.window import FloatArray

NAN = np.nan


def scale(r_mean: FloatArray, spread: FloatArray, known: list[bool]) -> Scale:
    nothing, endless = np.zeros_like(r_mean), np.full_like(r_mean, np.inf)
    return Scale(r_mean, spread, spread, nothing, spread, endless, np.array(known), np.array(known, dtype=np.float64))


def measured(r: FloatArray, spread: float = 1.0) -> streams.Departures:
    series = r.shape[1]
    jumps, _ = streams.jumps(r, r, np.zeros(series))
    return streams.departures(r, jumps, scale(np.zeros(series), np.full(series, spread), [True] * series))


def test_a_residual_is_what_was_not_expected() -> None:
    """Zero where nothing is expected yet, and a gap stays one."""
    r = streams.residuals(np.array([[5.0, 5.0, NAN], [NAN, NAN, 7.0]]), np.array([4.0, NAN, 7.0]))
    np.testing.assert_array_equal(r, [[1.0, 0.0, NAN], [NAN, NAN, 0.0]])


def test_a_jump_is_measured_from_the_rows_before_and_a_gap_changes_nothing() -> None:
    """After a step the jump is the step, then less with each row; over a gap the mean waits."""
    r = np.array([[0.0], [10.0], [10.0], [NAN], [10.0]])
    e, mean = streams.jumps(r, r, np.zeros(1))
    assert e[1, 0] == 10.0
    assert 0 < e[4, 0] < e[2, 0] < 10.0
    assert np.isnan(e[3, 0])
    halves = streams.jumps(r[:2], r[:2], np.zeros(1))
    rest, after = streams.jumps(r[2:], r[2:], halves[1])
    np.testing.assert_array_equal(np.concatenate([halves[0], rest]), e)
    np.testing.assert_array_equal(after, mean)


def test_departures_are_counted_in_spreads_and_unknown_series_have_none() -> None:
    """Two spreads off the mean is 2, on either side; a gap stays one."""
    r = np.array([[5.0, 5.0], [-3.0, NAN]])
    found = streams.departures(r, r, scale(np.array([1.0, 1.0]), np.array([2.0, 2.0]), [True, False]))
    np.testing.assert_array_equal(found.residual, [[2.0, 0.0], [2.0, NAN]])
    np.testing.assert_array_equal(found.standard, [[2.0, 0.0], [-2.0, NAN]])


def test_a_departure_counts_for_as_much_as_it_is_trusted() -> None:
    """Of a series that is hardly known it is a part of what it would be; what the others explain waits until it is known."""
    half = replace(scale(np.zeros(2), np.ones(2), [False, True]), trust=np.array([0.5, 1.0]))
    found = streams.departures(np.array([[8.0, 8.0]]), np.array([[4.0, 4.0]]), half)
    assert found.residual.tolist() == [[4.0, 8.0]]
    assert found.jump.tolist() == [[2.0, 4.0]]
    assert found.standard.tolist() == [[0.0, 8.0]]


def test_one_metric_gone_mad_does_not_drown_the_others() -> None:
    """A million spreads count no more than forty, in the group and in the metric's own score."""
    forty, million = (measured(np.array([[departure, 1.0, 1.0]])) for departure in (streams.CAP, 1e6))
    for one, other in zip(streams.scores(forty, (), 0), streams.scores(million, (), 0), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_group_is_the_mean_of_its_five_worst() -> None:
    """Of eight the three quietest do not matter; of two, both count; gaps do not, and only gaps are nothing."""
    r = np.array([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 1.0, NAN, NAN, NAN]])
    groups = [range(8), [8, 9], [10, 11]]
    found = measured(r)
    own, ours = streams.scores(found, tuple(Structure(one) for one in slots(groups)), 3)
    assert own[0, :9].tolist() == [2.0 * value for value in r[0, :9]]
    assert np.isnan(own[0, 9:]).all()
    assert ours[0, :2].tolist() == [12.0, 2.0]
    assert np.isnan(ours[0, 2])


def test_a_missing_value_of_a_steady_series_is_the_largest_departure_there_is() -> None:
    """Of one that is often missing it stays nothing."""
    found = streams.with_missing(measured(np.array([[NAN, NAN, 1.0]])), np.array([True, False, True]))
    own, _ = streams.scores(found, (), 0)
    assert own[0, 0] == 2 * streams.CAP
    assert np.isnan(own[0, 1])
    assert own[0, 2] == 2.0


def test_what_lasts_counts_for_more_than_a_spike() -> None:
    """A score that stays is more than one that has just come; a monster raises the rows after it by no more than the cap allows."""
    stays, monster, capped = (np.array([[before], [before], [3.0], [3.0], [np.nan]]) for before in (3.0, 1e6, streams.CAP))
    begun, _ = streams.lasting(np.array([[0.0], [0.0], [3.0]]), np.full((3, 1), NAN))
    lasting, _ = streams.lasting(stays, np.full((3, 1), NAN))
    assert lasting[2, 0] > begun[2, 0] > 3.0
    assert lasting[3, 0] == pytest.approx(lasting[2, 0]) == 3.0 + 1.5 * 3.0
    assert np.isnan(lasting[4, 0])
    after = [streams.lasting(one, np.full((3, 1), NAN))[0][2, 0] for one in (monster, capped)]
    assert after[0] == after[1]


def test_what_endures_is_weighted_by_its_age_and_a_gap_changes_nothing() -> None:
    """Rows of ten minutes: the newest has a weight of 1 - exp(-1/3) in the mean square."""
    weight = 1.0 - math.exp(-1.0 / 3.0)
    first = weight * 400.0
    second = first + weight * (400.0 - first)
    found, square = streams.enduring(np.array([[20.0], [NAN], [20.0], [0.0]]), np.zeros(1), weight)
    assert found[:, 0] == pytest.approx(
        [20.0 + 1.5 * math.sqrt(first), NAN, 20.0 + 1.5 * math.sqrt(second), 1.5 * math.sqrt(second * (1.0 - weight))], nan_ok=True
    )
    begun, between = streams.enduring(np.array([[20.0], [NAN]]), np.zeros(1), weight)
    rest, after = streams.enduring(np.array([[20.0], [0.0]]), between, weight)
    np.testing.assert_array_equal(np.concatenate([begun, rest]), found)
    np.testing.assert_array_equal(after, square)


def test_how_rows_come_in_does_not_matter_to_what_lasts() -> None:
    """At once or in two blocks."""
    scores = np.array([[3.0], [3.0], [3.0], [0.0], [900.0], [NAN]])
    lasting, recent = streams.lasting(scores, np.full((3, 1), NAN))
    first, between = streams.lasting(scores[:4], np.full((3, 1), NAN))
    second, after = streams.lasting(scores[4:], between)
    np.testing.assert_array_equal(np.concatenate([first, second]), lasting)
    np.testing.assert_array_equal(after, recent)


def test_a_mask_is_of_a_group_and_lone_series_have_none() -> None:
    """What is present and not kept out with its group is learnt."""
    member_of = membership(4, [[0, 1], [2]])
    present = np.array([[True, False, True, True]])
    masked = np.array([[True, False]])
    assert streams.unmasked(present, masked, member_of).tolist() == [[False, False, True, True]]
    assert streams.unmasked(present, np.array([[False, False]]), member_of).tolist() == present.tolist()
