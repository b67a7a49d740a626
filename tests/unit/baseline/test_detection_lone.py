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


def ranked(s, square):
    q = s + 1.5 * math.sqrt(square)
    return 3.0 * q / (q + 40.0)


def test_a_row_is_ranked_by_how_far_it_departs():
    """A series that never changes, and so is never news; a gap has no score."""
    still, loud = np.zeros((3, 1)), np.full((3, 1), np.inf)
    judge = Lone(np.array([0]), Tuning(step=600.0))
    q = np.array([[20.0], [np.nan], [40.0]])
    for found in (judge.peek(still, still, q, loud), judge.advance(still, still, q, loud)):
        assert found.score[:, 0].tolist() == [1.0, 0.0, 1.5]
    assert judge.advance(still, still, q[2:], loud[2:]).score.tolist() == [[1.5]]


def test_a_missing_value_that_is_asked_for_does_not_last():
    """It is an anomaly as long as it is missing; the rows after it rank as they would have."""
    values = course()
    values[AT:END] = np.nan
    asked, plain = scored(values, missing=True).score[0], scored(values).score[0]
    assert asked[AT:END].min() > NEWS
    np.testing.assert_allclose(asked[END:], plain[END:])


def test_what_is_news_at_the_usual_budget_scores_as_such():
    """Also of half a year of hours, whose long history makes surprises small; and a larger budget moves no score."""
    rows = np.arange(180 * 24)
    values = 10.0 + np.random.default_rng(5).standard_normal((6, rows.size))
    usual, other = (
        Engine(6, [], Tuning(step=3600.0, false_alarms_per_week=each)).advance(BEGINS + 3600.0 * rows, values)
        for each in (1.4, 20.0)
    )
    assert usual.novel.sum() > 10
    assert usual.score[usual.novel].min() >= NEWS
    np.testing.assert_array_equal(other.score, usual.score)


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
    """One that joins begins anew, and the other is ranked as if nobody had come."""
    values, times = course(), BEGINS + STEP * np.arange(9 * DAY)
    row = AT + 6
    engine, whole = Engine(1, [], Tuning(step=STEP)), scored(course()).score[0]
    engine.advance(times[:row], values[None, :row])
    engine.take(np.array([-1, 0]), [], np.array([], dtype=np.int64))
    after = engine.advance(times[row:END], np.stack([values[row:END], values[row:END]])).score
    np.testing.assert_allclose(after[1], whole[row:END], rtol=1e-9)
    assert not after[0].any()


@pytest.mark.parametrize("step", [5.0, 10.0, 15.0, 60.0])
def test_the_first_value_that_something_is_expected_of_is_no_news(step):
    """Until the first quarter of an hour is over nothing is: those rows have no residual, and not one of 0."""
    rng, rows = np.random.default_rng(6), round(2 * 3600 / step)
    found = Engine(1, [], Tuning(step=step)).advance(BEGINS + 7.0 * step + step * np.arange(rows), rng.standard_normal((1, rows)))
    assert found.score.max() < 2 * NEWS
    assert found.anomaly.sum() <= 2


def test_an_hour_at_the_wrong_time_of_day_is_news():
    """A value that the day shows at another hour; what the residuals were before the day was known hides nothing."""
    rows = np.arange(9 * DAY)
    values = 100.0 + 30.0 * np.sin(2 * np.pi * rows / DAY) + 3.0 * np.random.default_rng(2).standard_normal(rows.size)
    at = 8 * DAY + 66
    values[at : at + 12] -= 60.0
    found = scored(values)
    assert found.anomaly[0, at : at + 2].any()
    assert found.score[0, at : at + 12].max() == found.score[0, DAY:].max()


@pytest.mark.parametrize(("rows", "last", "news"), [(80, 40.0, True), (400, 40.0, True), (400, 10.0, False), (2000, 10.0, False)])
def test_what_hardly_departs_is_no_news(rows, last, news):
    """A value between two that alternate was never there, and is where one expects it; far out is news in the first hour already."""
    values = 10.0 + np.random.default_rng(7).choice([-0.5, 0.5], rows + 1)
    values[-1] = last
    found = Engine(1, [], Tuning(step=60.0)).advance(BEGINS + 60.0 * np.arange(rows + 1), values[None])
    assert bool(found.score[0, -1] >= NEWS) is news
    assert not found.anomaly[0, -1] or news


def test_what_is_back_to_normal_is_no_anomaly():
    """A status that was 1 for an hour is told until it is 0 again, not for the half hour in which it still ranks high."""
    values = np.zeros(6 * DAY)
    for begin in (4 * DAY, 5 * DAY):
        values[begin : begin + 12] = 1.0
    found = scored(values)
    told = np.flatnonzero(found.anomaly[0])
    assert set(told) <= {*range(4 * DAY, 4 * DAY + 12), *range(5 * DAY, 5 * DAY + 12)}
    assert {4 * DAY, 5 * DAY} <= set(told)
    assert found.score[0, 5 * DAY + 12] > found.score[0, 4 * DAY - 1]
