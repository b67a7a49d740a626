"""What a watcher tells of series that are not known for a day: little is known, so a record says little."""

import numpy as np
import pytest

from lens_exporter.baseline.baselines import Baselines, Learning
from lens_exporter.baseline.detector import TAIL
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import Window
from tests.unit.baseline.lives import BEGINS, DAY, HOUR, MEMBERS, Life, Watch, lone

NAN = float("nan")
LOAD = BaselineMetric("load", "load")
AT = 8 * DAY + 15 * HOUR  # what happens begins at this row
ROWS = AT + HOUR


def born(hours, factor, names=MEMBERS):
    """Give six metrics of an instance that began so many hours before the row at which some of them change."""
    rng = np.random.default_rng(hours)
    values = {name: 10.0 + rng.standard_normal(ROWS) for name in MEMBERS}
    for name in MEMBERS:
        values[name][: AT - hours * HOUR] = NAN
    for name in names:
        values[name][AT:] *= factor
    return Life(values)


def share(hours, level):
    """Give six shares of a whole at 0.3, one of which goes to a level."""
    life = born(hours, 1.0)
    values = {name: 0.3 + 0.02 * (course - 10.0) for name, course in life.values.items()}
    values[MEMBERS[0]][AT:] = level
    return Life(values, {name: {"unit": "ratio"} for name in MEMBERS})


def alone(hours, factor):
    rng = np.random.default_rng(hours)
    values = 10.0 + rng.standard_normal(ROWS)
    values[: AT - hours * HOUR] = NAN
    values[AT:] *= factor
    return lone(values)


def rows(first, last):
    """Give two series every 15 seconds."""
    times = np.arange(round(first / 15), round(last / 15) + 1) * 15.0
    return Window("load", ({"pod": "a"}, {"pod": "b"}), times, np.sin(np.array([times, times / 7.0])), 15.0)


def told(lives, **learning):
    """Name the lives of which a watcher would have told within the hour."""
    seen = Watch(lives, **learning).through(range(AT, AT + HOUR))
    return {life for life in lives if seen[life].begun}


@pytest.mark.parametrize(("hours", "quiet", "loud"), [(1, 5.0, 20.0), (6, 3.0, 10.0), (20, 2.0, 6.0)])
def test_one_metric_of_six_must_exceed_more_the_less_is_known(hours, quiet, loud):
    """Six records stand for six times as many false alarms: each must be broken by more, and by less the longer it has stood."""
    lives = {"quiet": born(hours, quiet, MEMBERS[:1]), "loud": born(hours, loud, MEMBERS[:1])}
    assert told(lives) == {"loud"}


@pytest.mark.parametrize(("hours", "factor"), [(1, 7.0), (6, 3.0), (20, 2.0)])
def test_several_of_a_group_count_as_one(hours, factor):
    """What is not told of one metric is told where three of six do the same; two are too few."""
    lives = {str(some): born(hours, factor, MEMBERS[:some]) for some in (1, 2, 3, 6)}
    assert told(lives) == {"3", "6"}


def resting(life, names):
    """Let some rest at zero from their beginning until they leap."""
    for name in names:
        life.values[name][AT - 6 * HOUR : AT] = 0.0
        life.values[name][AT:] = 5.0
    return life


def test_a_first_time_is_no_news_of_one_that_never_moved():
    """What has rested since it began moves some time, and may begin together; with one that moved before it is an incident."""
    lives = {
        "one": resting(born(6, 1.0), MEMBERS[:1]),
        "three": resting(born(6, 1.0), MEMBERS[:3]),
        "with another": resting(born(6, 100.0, MEMBERS[5:]), MEMBERS[:2]),
    }
    assert told(lives) == {"with another"}


def test_it_is_no_news_either_when_it_stays_so():
    """Longer than the readings that rules look at, one that never moved is told of no more than in the first."""
    seen = Watch({"one": resting(born(6, 1.0), MEMBERS[:1])}).through(range(AT, AT + 5 * HOUR))["one"]
    assert seen.begun == []


def test_several_are_a_part_of_a_large_group():
    """Three of thirty metrics are too few, five are one thing that happens to all."""
    lives = {}
    for some in (3, 5):
        rng = np.random.default_rng(some)
        values = {f"m{place}": 10.0 + rng.standard_normal(ROWS) for place in range(30)}
        for place, course in enumerate(values.values()):
            course[: AT - 6 * HOUR] = NAN
            course[AT:] *= 3.0 if place < some else 1.0
        lives[str(some)] = Life(values)
    assert told(lives) == {"5"}


@pytest.mark.parametrize(("spike", "expected"), [(10.0, {"it"}), (60.0, set())])
def test_a_spike_shows_how_far_a_series_goes(spike, expected):
    """It lasted for no time, but what stays half as far away as it went is nothing new."""
    life = alone(20, 1.0)
    life.values["load"][AT - 10 * HOUR] += spike
    life.values["load"][AT:] += 25.0
    assert told({"it": life}) == expected


@pytest.mark.parametrize(("hours", "quiet", "loud"), [(1, 2.5, 8.0), (6, 1.5, 4.0), (20, 1.2, 2.5)])
def test_a_lone_series_has_its_budget_to_itself(hours, quiet, loud):
    """Less is asked of it than of one of six."""
    lives = {"quiet": alone(hours, quiet), "loud": alone(hours, loud)}
    assert told(lives) == {"loud"}


def test_who_can_bear_more_alarms_is_told_more():
    """The same departure, with a budget of a hundred a week."""
    lives = {"one of six": born(6, 3.0, MEMBERS[:1])}
    assert told(lives) == set()
    assert told(lives, false_alarms_per_week=100.0) == {"one of six"}


def test_all_the_way_to_full_is_always_told():
    """No factor asks for more than the scale has: a share that is full an hour after its start is told, nine tenths are not."""
    lives = {str(level): share(1, level) for level in (0.9, 1.0)}
    # Also of one that rested until then, exactly or but for rounding.
    for name, rest in {"zero": 0.0, "third": 0.3 + 1e-9 * np.random.default_rng(0).standard_normal(HOUR)}.items():
        for level in (0.9, 1.0):
            life = lives[f"{name} {level}"] = share(1, level)
            life.values[MEMBERS[0]][AT - HOUR : AT] = rest
    assert told(lives) == {"1.0", "zero 1.0", "third 1.0"}


def test_a_tiny_movement_of_a_large_value_is_a_movement():
    """A terabyte that moves by megabytes has moved: what exceeds that many times is told."""
    life = alone(20, 1.0)
    values = 1e12 + 3e6 * (life.values["load"] - 10.0)
    values[AT:] *= 10.0
    assert told({"it": lone(values)}) == {"it"}


def test_one_reading_between_gaps_has_not_stayed():
    """Six metrics, three times as large, with a value in every third reading only, are not far for a while yet."""
    life = born(6, 3.0)
    for course in life.values.values():
        course[AT + 1 :: 3] = course[AT + 2 :: 3] = NAN
    assert told({"it": life}) == set()


def test_a_gap_does_not_hide_what_several_do():
    """Six metrics, three times as large, with a value in every other reading only: told as without gaps."""
    life = born(6, 3.0)
    for course in life.values.values():
        course[AT + 1 :: 2] = NAN
    assert told({"it": life}) == {"it"}


def test_what_is_kept_of_a_first_judgement_does_not_grow_with_the_day():
    """The newest columns of the scores, whatever the step: a fleet that is new has a thousand times more rows than these."""
    baselines = Baselines([LOAD], Learning(15.0, 14 * 86_400.0))
    due = baselines.due(BEGINS)
    baselines.begin(due)
    baselines.learn([rows(due.settled - 12 * 3600.0, due.settled)], recently=0.0)
    (reading,) = baselines.read([rows(due.settled + 15.0, due.last)])
    assert reading.window.values.shape[1] > 2000
    assert reading.scores.score.shape == reading.scores.expected.shape == (2, TAIL)


def test_of_a_young_share_no_more_than_the_whole_is_normal():
    """Its band is wide for want of knowledge; "0 to 168 % is normal" is said of nothing."""
    life = share(6, 0.9)
    wide = {name: np.clip(0.5 + 12.0 * (course - 0.3), 0.0, 1.0) for name, course in life.values.items()}
    seen = Watch({"filling": Life(wide, life.declared)}).through(range(AT - 2, AT + 10))["filling"]
    bands = [one for found in seen.observations.values() for one in found.values() if one.upper is not None]
    assert len(bands) > 30
    assert all(0.0 <= one.lower <= one.upper <= 1.0 for one in bands)
