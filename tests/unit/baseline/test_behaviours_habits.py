"""What comes back about the same hour of the day, as a nightly job does: told as info, unless it does more than ever."""

import numpy as np
import pytest

from lens_exporter.baseline.analyzer import Analyzer
from lens_exporter.baseline.rules import Reading, Thresholds
from lens_exporter.model.decision import Rule, Severity
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import Learnt, Scores
from tests.unit.baseline.lives import DAY, HOUR, MEMBERS, Watch, group, lone
from tests.unit.baseline.windows import window

NIGHT = 14 * DAY + 3 * HOUR  # a job's begin, after two weeks
ROWS = NIGHT + 6 * HOUR
LOOKS = range(NIGHT - 2 * HOUR, ROWS)


def nightly(minutes=20, *, nights=range(15), late=0, last=1.0, vary=0.1):
    """A job that doubles three metrics, some rows later each other night, and on the last night so many times as much."""

    def change(values):
        random = np.random.default_rng(5)
        for night in nights:
            first = night * DAY + 3 * HOUR + late * (night % 2)
            for name in MEMBERS[:3]:
                part = values[name][first : first + minutes // 5]
                part += part * (last if night == 14 else 1.0) * random.uniform(1 - vary, 1 + vary, part.size)

    return change


def all_day_long(values):
    """For three days all is doubled every other half hour, and calm in between."""
    for first in range(11 * DAY, 14 * DAY + 4 * HOUR, HOUR):
        for name in MEMBERS:
            values[name][first : first + HOUR // 2] *= 2.0


def at_six(values):
    """The job has run every night, and what it does comes three hours later now."""
    nightly(nights=range(14))(values)
    for name in MEMBERS[:3]:
        values[name][NIGHT + 3 * HOUR : NIGHT + 4 * HOUR] *= 2.0


HABITS = {
    "twenty minutes": group(ROWS, nightly()),
    "an hour": group(ROWS, nightly(60)),
    "not to the minute": group(ROWS, nightly(late=3)),
    "three nights of seven": group(ROWS, nightly(nights=(9, 11, 12, 14))),
    "alone": lone(group(ROWS, nightly()).values["memory"]),
    "alone, more than ever": lone(group(ROWS, nightly(last=1.15, vary=0.01)).values["memory"]),
}
NEWS = {
    "the third night": group(ROWS, nightly(nights=(12, 13, 14))),
    "four times as much": group(ROWS, nightly(last=4.0)),
    "another hour": group(ROWS, at_six),
    "trouble all day long": group(ROWS, all_day_long),
}


@pytest.fixture(scope="module")
def seen():
    return Watch(HABITS | NEWS).through(LOOKS)


@pytest.mark.parametrize("life", HABITS)
def test_a_habit_is_told_as_info(seen, life):
    """Once a night or twice, and the text says why."""
    found = seen[life]
    assert 1 <= len(found.begun) <= 2
    assert {anomaly.severity for _, anomaly in found.alarms} == {Severity.INFO}
    assert all("about this hour on" in anomaly.description for _, anomaly in found.alarms)


@pytest.mark.parametrize("life", NEWS)
def test_what_is_no_habit_is_told_as_ever(seen, life):
    """Too few nights, far more than on any of them, another hour, or no hour of its own."""
    severe = [anomaly for _, anomaly in seen[life].alarms if anomaly.severity is Severity.WARNING]
    assert severe
    assert not any("about this hour on" in anomaly.description for anomaly in severe)


def jumped(habit, *, recurs_on=3):
    """A lone series that has stood three half-widths above its band's middle for two readings, the first of them news."""
    none, flat = np.zeros(1), np.full((1, 30), 10.0)
    values = np.where(np.arange(30) < 28, 10.0, 13.0)
    news = np.zeros((1, 30), dtype=np.bool_)
    news[0, 28] = True
    learnt = Learnt(
        grouped=none > 0,
        alarmed=none.astype(np.int64),
        missed=none.astype(np.int64),
        leads=none > 0,
        place=none.astype(np.int64),
        novel=news,
        highest=none + 11.0,
        lowest=none + 9.0,
        habit=np.array([habit]),
        group_habit=np.empty((0, 7)),
        group_score=none + np.nan,
        group_threshold=none + np.inf,
        group=none.astype(np.int64) - 1,
        group_labels=(),
    )
    scores = Scores(flat, flat - 1.0, flat + 1.0, values[None] - flat, np.array([5000]), learnt)
    reading = Reading(BaselineMetric("load", "load"), window(values.tolist()), scores)
    (conclusion,) = Analyzer(Thresholds(recurs_on=recurs_on)).decide([reading]).conclusions
    return conclusion.decision


@pytest.mark.parametrize(
    ("habit", "severity"),
    [
        ([2.0, 0.5, 2.0, np.inf, 0.5, np.nan, 0.5], Severity.INFO),
        ([1.9, 0.5, 2.0, 9.0, 0.5, np.nan, 0.5], Severity.WARNING),
        ([np.nan] * 7, Severity.WARNING),
    ],
)
def test_news_is_a_habit_where_two_thirds_of_it_came_on_three_days(habit, severity):
    """A little more than ever is no news of a job that does about as much every night."""
    decision = jumped(habit)
    assert decision.rules == (Rule.JUMP,)
    assert decision.severity is severity


def test_nothing_is_lowered_where_nobody_wants_it():
    assert jumped([np.inf] * 7).severity is Severity.INFO
    assert jumped([np.inf] * 7, recurs_on=8).severity is Severity.WARNING
