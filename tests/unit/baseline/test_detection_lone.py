"""How rows of a lone series are ranked: what is news first, then by how far a row departs."""

import math

import numpy as np
import pytest

from lens_exporter.baseline.detection.engine import Engine
from lens_exporter.baseline.detection.lone import Lone
from lens_exporter.baseline.detection.tuning import Tuning

STEP, DAY = 300.0, 288
AT = 8 * DAY + 100  # an outage of three hours begins
END = AT + 36
BEGINS = 1_795_132_800.0
NEWS = 3.0


def course():
    """Nine days of a daily round with noise, and an outage."""
    rows = np.arange(9 * DAY)
    values = 10.0 - 3.0 * np.cos(2 * np.pi * rows / DAY) + 0.3 * np.random.default_rng(2).standard_normal(rows.size)
    values[AT:END] += 6.0
    return values


def scored(values, **tuning):
    engine = Engine(1, [], Tuning(step=STEP, **tuning))
    return engine.advance(BEGINS + STEP * np.arange(len(values)), values[None])


@pytest.fixture(scope="module")
def score():
    return scored(course()).score[0]


def test_an_outage_that_was_told_once_goes_on_being_unusual(score):
    """Its first row is news; the others rank below news and above every row of the two days before."""
    assert score[AT] > NEWS
    later = score[AT + 1 : END]
    assert later.min() > score[AT - 2 * DAY : AT].max()
    assert np.median(later) < NEWS


def lone(departed, told):
    """Score one series that never changes, and so is never news, by the departures [time] it is said to have."""
    still = np.zeros((len(departed), 1))
    judge = Lone(np.array([0]), Tuning(step=600.0))
    return judge, judge.advance(still, still, np.array(departed)[:, None], told).score[:, 0]


def ranked(s, square):
    q = s + 1.5 * math.sqrt(square)
    return 3.0 * q / (q + 40.0)


def test_what_lasts_ranks_above_what_has_just_come():
    """By the mean square of about half an hour, in which a row of ten minutes has a weight of 1 - exp(-1/3)."""
    weight = 1.0 - math.exp(-1.0 / 3.0)
    _, found = lone([20.0, 20.0, 0.0], told=3)
    first = weight * 400.0
    second = first + weight * (400.0 - first)
    assert found == pytest.approx([ranked(20.0, first), ranked(20.0, second), ranked(0.0, second * (1.0 - weight))])
    assert found[1] > found[0] > found[2] > 0.0


def test_a_gap_has_no_score_and_does_not_end_what_lasts():
    """The row after it is ranked as if the gap had not been."""
    _, found = lone([20.0, np.nan, 20.0], told=3)
    _, without = lone([20.0, 20.0], told=2)
    assert found[1] == 0.0
    assert found[[0, 2]].tolist() == without.tolist()


def test_rows_that_are_not_asked_for_count_all_the_same():
    """Only the last is told, and later ones go on from all of them."""
    judge, found = lone([20.0, 20.0], told=1)
    whole = lone([20.0, 20.0, 20.0], told=3)[1]
    assert found.tolist() == [whole[1]]
    still = np.zeros((1, 1))
    assert judge.peek(still, still, np.array([[20.0]]), 1).score.tolist() == [[whole[2]]]
    assert judge.advance(still, still, np.array([[20.0]]), 1).score.tolist() == [[whole[2]]]


def test_looking_ahead_changes_no_score(score):
    """Peeked rows have the scores they get later, and leave no trace."""
    values, times = course(), BEGINS + STEP * np.arange(9 * DAY)
    engine = Engine(1, [], Tuning(step=STEP))
    engine.advance(times[:AT], values[None, :AT])
    ahead = engine.peek(times[AT : AT + 3], values[None, AT : AT + 3]).score[0]
    after = engine.advance(times[AT:], values[None, AT:]).score[0]
    np.testing.assert_allclose(after[:3], ahead, rtol=1e-9)
    np.testing.assert_allclose(after, score[AT:], rtol=1e-9)


def test_what_lasts_moves_with_its_series():
    """One that joins begins anew."""
    judge, _ = lone([20.0, 20.0], told=1)
    judge.take(np.array([0, 1]), np.array([-1, 0]))
    still = np.zeros((1, 2))
    found = judge.advance(still, still, np.array([[20.0, 20.0]]), 1).score[0]
    assert found.tolist() == [lone([20.0], told=1)[1][0], lone([20.0, 20.0, 20.0], told=1)[1][0]]
