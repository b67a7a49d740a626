"""What comes back about the same hour of the day, as a nightly job does: told as info, unless it does more than ever."""

import numpy as np
import pytest

from lens_exporter.baseline.analyzer import Analyzer
from lens_exporter.baseline.detection.engine import Engine
from lens_exporter.baseline.detection.tuning import Tuning
from lens_exporter.baseline.rules import Reading, Thresholds
from lens_exporter.model.decision import Rule, Severity
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import Learnt, Scores
from tests.unit.baseline.lives import BEGINS, DAY, HOUR, MEMBERS, Watch, group, lone
from tests.unit.baseline.windows import window

NIGHT = 14 * DAY + 3 * HOUR  # a job's begin, after two weeks
ROWS = NIGHT + 6 * HOUR
LOOKS = range(NIGHT - 2 * HOUR, ROWS)


def nightly(minutes=20, *, nights=range(15), late=0, last=1.0, vary=0.1):
    """A job that doubles five metrics, some rows later each other night, and on the last night so many times as much."""

    def change(values):
        random = np.random.default_rng(5)
        for night in nights:
            first = night * DAY + 3 * HOUR + late * (night % 2)
            for name in MEMBERS[:5]:
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
    for name in MEMBERS[:5]:
        values[name][NIGHT + 3 * HOUR : NIGHT + 4 * HOUR] *= 2.0


def falls(values):
    """The job has run every night, and at its hour the same metrics are as far below what they are then now."""
    nightly(nights=range(14))(values)
    for name in MEMBERS[:5]:
        values[name][NIGHT : NIGHT + HOUR] *= 0.5


def spikes(seed=2):
    """Three times a day, at any minute, one reading is thrice as high; on the last night an hour is nearly so."""
    random = np.random.default_rng(seed)
    values = group(ROWS).values["memory"]
    for at in random.integers(0, NIGHT, 42):
        values[at] *= 3.0
    values[NIGHT : NIGHT + HOUR] *= 2.9
    return values


IN_SEASON = {
    "twenty minutes": group(ROWS, nightly()),
    "an hour": group(ROWS, nightly(60)),
    "alone": lone(group(ROWS, nightly()).values["memory"]),
    "alone, a little more than ever": lone(group(ROWS, nightly(last=1.15, vary=0.01)).values["memory"]),
}
HABITS = {
    "not to the minute": group(ROWS, nightly(late=1)),
    "three nights of seven": group(ROWS, nightly(nights=(9, 11, 12, 14))),
    "an hour, three nights of seven": group(ROWS, nightly(60, nights=(9, 11, 12, 14))),
    "alone, three nights of seven": lone(group(ROWS, nightly(nights=(9, 11, 12, 14))).values["memory"]),
}
NEWS = {
    "the third night": group(ROWS, nightly(nights=(12, 13, 14))),
    "four times as much": group(ROWS, nightly(last=4.0)),
    "another hour": group(ROWS, at_six),
    "the other side at the hour of the job": group(ROWS, falls),
    "the same alone": lone(group(ROWS, falls).values["memory"]),
    "an hour of what comes at any hour for a moment": lone(spikes()),
    "what came at that hour for a moment, by chance": lone(spikes(3)),
    "trouble all day long": group(ROWS, all_day_long),
}


@pytest.fixture(scope="module")
def seen():
    return Watch(IN_SEASON | HABITS | NEWS).through(LOOKS)


@pytest.mark.parametrize("life", IN_SEASON)
def test_what_the_season_knows_to_the_minute_is_no_alert_at_all(seen, life):
    """Neither while it goes on nor at its edges, which no bin of a quarter of an hour holds."""
    assert not seen[life].alarms


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


def judged(above, *, distance=3.0, otherwise=0.02, rules=(Rule.JUMP,), group_about=None, group_threshold=15.0, **thresholds):
    """One series that has stood some half-widths above the middle of its band for three readings, the first of them news."""
    one, none, flat = np.ones(1), np.zeros(1), np.full((1, 30), 10.0)
    values = np.where(np.arange(30) < 27, 10.0, 10.0 + distance)
    news = np.zeros((1, 30), dtype=np.bool_)
    news[0, 27] = Rule.JUMP in rules
    together = Rule.GROUP in rules
    learnt = Learnt(
        grouped=one * together > 0,
        alarmed=(3 * one * together).astype(np.int64),
        missed=none.astype(np.int64),
        leads=one * together > 0,
        place=none.astype(np.int64),
        novel=news,
        unusual=values[None] > 10.0,
        sustained=np.zeros((1, values.size), dtype=np.int8),
        highest=none + 11.0,
        lowest=none + 9.0,
        above=np.array([above]),
        below=np.full((1, 7), np.inf),
        otherwise=none + otherwise,
        group_about=np.array([group_about or [np.nan] * 7]),
        group_score=none + 30.0,
        group_threshold=none + group_threshold,
        group=none.astype(np.int64) - (not together),
        group_labels=({"instance": "api-0:9000"},),
    )
    scores = Scores(flat, flat - 1.0, flat + 1.0, values[None] - flat, np.array([5000]), learnt)
    metric = BaselineMetric("load", "load", ceiling=12.0 if Rule.CEILING in rules else None)
    reading = Reading(metric, window(values.tolist()), scores)
    (conclusion,) = Analyzer(Thresholds(**thresholds)).decide([reading]).conclusions
    assert set(rules) <= set(conclusion.decision.rules)
    return conclusion.decision.severity


MOST = [2.0, 0.5, 2.0, np.inf, 0.5, np.nan, 2.5]  # of three half-widths; two thirds are asked for
NIGHTS = [20.0, 5.0, 20.0, 35.0, 5.0, np.nan, 5.0]  # scores of its group; it stands at 30
INFO, WARNING = Severity.INFO, Severity.WARNING


@pytest.mark.parametrize(
    ("above", "options", "severity"),
    [
        (MOST, {}, INFO),  # a little more than ever is no news of a job that does about as much every night
        ([1.9, 0.5, 2.0, 9.0, 0.5, np.nan, 0.5], {}, WARNING),  # too few days
        ([np.nan] * 7, {}, WARNING),
        ([0.9] * 7, {"distance": 1.2}, WARNING),  # inside the band it may be at any hour
        ([1.0] * 7, {"distance": 1.2}, INFO),
        (MOST, {"otherwise": 0.2}, WARNING),  # at any hour of the day: four days of seven are no wonder
        (MOST, {"rules": (Rule.CEILING, Rule.JUMP)}, WARNING),  # a limit is a limit
        (MOST, {"rules": (Rule.GROUP,), "group_about": NIGHTS}, INFO),
        (MOST, {"rules": (Rule.GROUP,), "group_about": [20.0, *[19.0] * 6]}, WARNING),  # the others were calm then
        ([0.5] * 7, {"rules": (Rule.GROUP,), "group_about": NIGHTS}, WARNING),  # others did it
        (MOST, {"rules": (Rule.GROUP,), "group_about": [20.0] * 7, "group_threshold": 21.0}, WARNING),  # it was no alarm then
        ([np.inf] * 7, {"recurs_on": None}, WARNING),  # nobody wants it lowered
    ],
)
def test_a_habit_is_as_much_to_the_same_side_about_the_same_hour_on_three_days(above, options, severity):
    assert judged(above, **options) is severity


def test_what_was_about_this_hour_moves_with_its_series():
    """Also where it was asked for before they moved; a new one has no past."""
    engine = Engine(3, [], Tuning(step=900.0))
    values = 10.0 + np.random.default_rng(1).standard_normal((3, 8 * 96 + 14))
    values[1, 12::96] += 40.0
    engine.advance(BEGINS + 900.0 * np.arange(values.shape[1]), values)
    before = engine.habits().above
    assert np.nanmin(before[:, 1]) > 1.0 > np.nanmax(before[:, [0, 2]])
    engine.take(np.array([1, -1, 0]), [], np.array([], dtype=np.int64))
    after = engine.habits().above
    np.testing.assert_array_equal(after[:, [0, 2]], before[:, [1, 0]])
    assert np.isnan(after[:, 1]).all()


def test_a_gap_was_to_no_side():
    """Also where missing values are asked for: a metric that is away every night has not been high at that hour."""
    values = 10.0 + np.random.default_rng(1).standard_normal((6, 8 * 96 + 14))
    for night in range(2, 8):
        values[0, night * 96 + 12 : night * 96 + 16] = np.nan
    engine = Engine(6, [range(6)], Tuning(step=900.0, missing=True))
    engine.advance(BEGINS + 900.0 * np.arange(values.shape[1]), values)
    assert np.nanmax(engine.habits().above[:, 0]) < 1.5
