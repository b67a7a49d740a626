"""The threshold that a budget of false alarms asks for, from hourly maxima of a score."""

import numpy as np
import pytest

from lens_exporter.baseline.detection.budget import AlarmBudget
from lens_exporter.baseline.detection.tuning import Tuning
from lens_exporter.model.window import FloatArray

DAY = 24  # hours


def kept(maxima: FloatArray, *, alarms: float = 1.4, floor: float = 0.0, daily: float = 0.0) -> AlarmBudget:
    """Keep hourly maxima [hours, columns], as many rows an hour as there are."""
    budget = AlarmBudget(np.full(maxima.shape[1], alarms), Tuning(step=300.0), floor=floor, one_a_day=daily)
    for hour, row in enumerate(maxima):
        budget.learn(np.stack([0.5 * row, row, 0.9 * row]))
        budget.close(hour)
    return budget


def exponential(days: float, columns: int = 1, seed: int = 1) -> FloatArray:
    """Hourly maxima whose tail is exponential with a scale of 2."""
    return 10.0 + np.random.default_rng(seed).exponential(2.0, (round(days * DAY), columns))


@pytest.mark.parametrize("alarms", [0.5, 1.4, 7.0])
def test_about_as_many_hours_exceed_it_as_the_budget_allows(alarms: float) -> None:
    """Over 300 columns of exponential hours, within a factor of two."""
    threshold = kept(exponential(7, 300), alarms=alarms).threshold()
    exceeding = (exponential(7, 300, seed=2) > threshold).sum(axis=0).mean()  # a week of hours
    assert 0.5 < exceeding / alarms < 2


@pytest.mark.parametrize(("step", "hours"), [(900.0, 1), (1800.0, 2), (3600.0, 4)])
def test_rare_rows_keep_the_budget_too(step: float, hours: int) -> None:
    """Where one entry of the memory is several hours long, and all of them may be an alarm, as many fewer entries may exceed it."""

    def entries(seed: int) -> FloatArray:
        return exponential(7.0 / hours, 300, seed)

    budget = AlarmBudget(np.full(300, 7.0), Tuning(step=step), floor=0.0)
    for entry, row in enumerate(entries(1)):
        budget.learn(row[None])
        budget.close(entry)
    exceeding = hours * (entries(2) > budget.threshold()).sum(axis=0).mean()
    assert 0.5 < exceeding / 7.0 < 2


def test_a_smaller_budget_is_a_higher_threshold() -> None:
    """Whatever the scores, and even for none at all it is finite."""
    thresholds = [kept(exponential(7), alarms=alarms).threshold()[0] for alarms in (100.0, 7.0, 1.4, 0.1, 0.0)]
    assert thresholds == sorted(set(thresholds))
    assert np.isfinite(thresholds).all()


@pytest.mark.parametrize(
    ("burst_days", "alarms", "daily", "quiet"),
    [
        (7, 1.4, 7.0, True),
        (6, 1.4, 7.0, True),
        (5, 1.4, 7.0, False),
        (7, 1.4, 0.0, False),
        (7, 7.0, 7.0, False),
        (7, 3.4, 3.5, True),
    ],
)
def test_what_most_days_reach_is_no_anomaly(burst_days: int, alarms: float, daily: float, quiet: bool) -> None:
    """An hour of each day, at any time, fills less than a seventh of it; where one a day may be told, it is."""
    random = np.random.default_rng(4)
    maxima = 10.0 + random.random((7 * DAY, 1))
    for day in range(burst_days):
        maxima[day * DAY + random.integers(DAY)] = 100.0 + day
    threshold = kept(maxima, alarms=alarms, daily=daily).threshold()[0]
    assert (threshold >= 90.0) == quiet
    assert threshold < 100.0  # what is as far again is told


def test_days_of_gaps_are_none_on_which_it_was_quiet() -> None:
    """Six of seven are asked for, so two of which little is known are enough to know nothing of most days."""
    maxima = np.full((7 * DAY, 2), 10.0)
    maxima[5::DAY] = 100.0
    maxima[: DAY - 2, 0] = np.nan
    maxima[: 2 * DAY - 2, 1] = np.nan
    threshold = kept(maxima, daily=7.0).threshold()
    assert threshold[0] == pytest.approx(90.0)
    assert threshold[1] < 50.0


@pytest.mark.parametrize(("alarms", "least"), [(0.14 * 168, 0.0), (0.14 * 168 / np.e, 50.0), (0.14 * 168 / np.e**3, 150.0)])
def test_the_fewer_may_be_told_the_further_it_must_depart(alarms: float, least: float) -> None:
    """By as much again for each factor e, whatever the scores: those here ask for less."""
    budget = AlarmBudget(np.full(1, alarms), Tuning(step=300.0), least=50.0)
    for hour, row in enumerate(exponential(7)):
        budget.learn(row[None])
        budget.close(hour)
    assert budget.least == pytest.approx(least, abs=1e-9)
    assert budget.threshold() == pytest.approx(max(least, kept(exponential(7), alarms=alarms).threshold()[0]))


@pytest.mark.parametrize(("hours", "days"), [(3, 1), (3, 3), (8, 1)])
def test_an_incident_of_hours_hardly_moves_it(hours: int, days: int) -> None:
    """Three hours at a hundred times the usual on one day or on three, or eight hours on one: within a quarter, and never lower."""
    quiet = exponential(7)
    usual = kept(quiet).threshold()[0]
    struck = quiet.copy()
    for day in range(days):
        struck[DAY * (2 * day + 1) + 6 : DAY * (2 * day + 1) + 6 + hours] = 1000.0
    assert 0.999 * usual <= kept(struck).threshold()[0] < 1.25 * usual


def test_a_day_that_is_all_incident_hardly_moves_it() -> None:
    """One of seven days is an outlier among days."""
    struck = exponential(7)
    usual = kept(struck).threshold()[0]
    struck[3 * DAY : 4 * DAY] = 1000.0
    assert kept(struck).threshold()[0] < 1.5 * usual


def test_it_follows_a_score_that_is_higher_from_now_on() -> None:
    """After a week of it the old hours are gone."""
    both = np.concatenate([exponential(7), 5.0 * exponential(7, seed=3)])
    assert kept(both).threshold()[0] == pytest.approx(kept(5.0 * exponential(7, seed=3)).threshold()[0])


def test_nothing_is_an_alarm_before_a_day_is_known_and_it_is_never_below_its_floor() -> None:
    """Infinite for a day, then at least the floor."""
    assert kept(exponential(0.9)).threshold()[0] == np.inf
    assert np.isfinite(kept(exponential(1.1)).threshold()[0])
    assert kept(exponential(7), floor=500.0).threshold()[0] == 500.0
    assert AlarmBudget(np.ones(2), Tuning(step=300.0), floor=1.0).threshold().tolist() == [np.inf, np.inf]


def test_hours_without_a_score_are_left_out() -> None:
    """Gaps of a third of all hours, some days with none at all, and hours that were never closed."""
    gappy = exponential(7, 50)
    usual = kept(gappy).threshold()
    gappy[np.random.default_rng(4).random(gappy.shape) < 0.3] = np.nan
    gappy[2 * DAY : 3 * DAY] = np.nan
    assert np.median(kept(gappy).threshold() / usual) == pytest.approx(1.0, abs=0.2)
    budget = kept(exponential(7))
    budget.close(7 * DAY + 6 * DAY)
    assert budget.threshold()[0] == np.inf  # of the last week two hours are known


@pytest.mark.parametrize("later", [[], [1], [1, 2, 3], [2, 5, 400]])
def test_what_came_after_a_fit_has_no_say_in_the_threshold_in_force(later: list[int]) -> None:
    """Whenever somebody asks for it: hours that follow at once or after a gap, even one that leaves nothing of the week."""
    asked, waited = kept(exponential(7, 3)), kept(exponential(7, 3))
    assert np.isinf(asked.in_force).all()  # nothing was fitted
    for budget in (asked, waited):
        budget.fit()
    known = asked.in_force.copy()
    np.testing.assert_array_equal(known, asked.threshold())
    for hour in later:
        for budget in (asked, waited):
            budget.learn(np.full((1, 3), 50.0))
            budget.close(7 * DAY - 1 + hour)
    np.testing.assert_array_equal(asked.in_force, known)
    np.testing.assert_array_equal(waited.in_force, known)
    waited.fit()
    np.testing.assert_array_equal(waited.in_force, waited.threshold())


def test_series_come_and_go_with_budgets_of_their_own() -> None:
    """The old ones keep their hours, a new one has none, and each has the share it is given."""
    budget = kept(exponential(7, 2))
    first, second = budget.threshold()
    budget.take(np.array([1, -1, 0, 0]), np.array([1.4, 1.4, 1.4, 0.1]))
    threshold = budget.threshold()
    assert threshold[[0, 2]].tolist() == [second, first]
    assert threshold[1] == np.inf
    assert threshold[3] > first


def test_how_far_it_was_about_the_same_hour_is_known_for_each_day_and_side() -> None:
    """Of three columns: never far; at 3 on four days, once to the other side; an hour later on two."""
    maxima = np.ones((8 * DAY, 3))
    for day in (1, 2, 4):
        maxima[day * DAY + 3, 1] = 5.0 + day
    maxima[6 * DAY + 3, 1] = -8.0
    for day in (5, 6):
        maxima[day * DAY + 4, 2] = 5.0
    now = 7 * DAY + 3
    found = kept(maxima[:now]).about(now, np.full(3, 4.0))
    np.testing.assert_array_equal(found.above[:, 0], np.ones(7))
    np.testing.assert_array_equal(found.above[:, 1], [1.0, 1.0, 9.0, 1.0, 7.0, 6.0, 1.0])
    np.testing.assert_array_equal(found.above[:, 2], [5.0, 5.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    np.testing.assert_array_equal(found.below[:, 1], [8.0, *[-1.0] * 6])
    np.testing.assert_allclose(found.otherwise, 0.0)
    far = kept(maxima[:now]).about(now + 12, np.full(3, 4.0))
    np.testing.assert_allclose(far.otherwise * 7 * 17, [0.0, 4.0, 2.0])


def test_the_hour_that_has_just_ended_is_no_habit() -> None:
    """It has the place in memory that an hour before the oldest day would have."""
    maxima = np.ones((7 * DAY, 1))
    maxima[-1] = 5.0
    assert kept(maxima).about(7 * DAY, np.full(1, 4.0)).above.max() == 1.0


def test_days_of_silence_are_not_those_of_the_week_before() -> None:
    """Until an hour after them is over, their places hold what was there a week earlier."""
    budget = kept(np.full((9 * DAY, 1), 5.0))
    above = budget.about(14 * DAY, np.full(1, 4.0)).above[:, 0]
    assert np.isnan(above[:4]).all()
    np.testing.assert_array_equal(above[4:], 5.0)


def test_where_an_entry_is_hours_long_nothing_has_an_hour_of_its_own() -> None:
    budget = AlarmBudget(np.ones(1), Tuning(step=6 * 3600.0), floor=0.0)
    for hour in range(14):
        budget.learn(np.full((1, 1), 9.0))
        budget.close(hour)
    assert np.isnan(budget.about(14, np.ones(1)).above).all()


def test_the_side_of_a_score_changes_no_threshold() -> None:
    maxima = exponential(7, 3)
    sides = np.where(np.random.default_rng(3).random(maxima.shape) < 0.5, -1.0, 1.0)
    np.testing.assert_array_equal(kept(sides * maxima).threshold(), kept(maxima).threshold())


def test_of_two_scores_as_large_to_both_sides_the_first_counts_however_they_came_in() -> None:
    """At the cap nobody knows which was larger; a block must not choose otherwise than its rows one by one."""
    scores = np.array([[1.0, np.nan, -40.0], [-40.0, np.nan, 40.0], [40.0, 3.0, np.nan], [40.0, -2.0, 40.0]])
    for blocks in ([4], [1, 1, 1, 1], [2, 2], [3, 1], [1, 3]):
        budget = AlarmBudget(np.ones(3), Tuning(step=300.0), floor=0.0)
        for part in np.split(scores, np.cumsum(blocks)[:-1]):
            budget.learn(part)
        budget.close(24)
        about = budget.about(48, np.full(3, 10.0))
        assert np.fmax.reduce(about.below).tolist()[::2] == [40.0, 40.0], blocks
        assert np.fmax.reduce(about.above)[1] == 3.0


def test_hours_that_are_forgotten_are_as_never_known() -> None:
    """Two days of a shift, of one of two columns; what lies outside the memory is nothing to forget."""
    usual = exponential(7, 2)
    shifted = usual.copy()
    shifted[2 * DAY : 4 * DAY, 0] += 60.0
    budget = kept(shifted)
    before = budget.threshold()
    budget.forget(range(2 * DAY, 4 * DAY), np.array([0]))
    budget.forget(range(-3, 0), np.array([0, 1]))
    budget.forget(range(7 * DAY, 7 * DAY + 3), np.array([0, 1]))
    gappy = usual.copy()
    gappy[2 * DAY : 4 * DAY, 0] = np.nan
    np.testing.assert_allclose(budget.threshold(), kept(gappy).threshold())
    assert before[0] > 1.2 * budget.threshold()[0]
    assert before[1] == budget.threshold()[1]


def test_a_column_keeps_what_it_would_be_without_a_threshold() -> None:
    """Of a day and a half the first day is a shift: half a day by itself is too little."""
    young = kept(exponential(1.5))
    before = young.threshold()
    young.forget(range(DAY), np.array([0]))
    np.testing.assert_array_equal(young.threshold(), before)
