"""How often healthy series are called anomalous, beside the budget: noise of the kinds that monitoring meets, seeded."""

import numpy as np
import pytest

from lens_exporter.baseline.detection.engine import Engine
from lens_exporter.baseline.detection.tuning import Tuning
from tests.unit.baseline.lives import BEGINS, MEMBERS, Life, Watch, lone

QUARTER = 900.0
DAY = 96  # rows
WEEK = 7 * DAY
BUDGET = 1.4  # a week
TOLERANCE = 2.0  # the realised rate stays within this factor of the budget
KINDS = ("gaussian", "heavy-tailed", "autocorrelated", "day and night", "cron jobs")


def healthy(kind, series, rows):
    """Give series [series, time] in which nothing ever happens."""
    rng = np.random.default_rng(KINDS.index(kind))
    normal = rng.standard_normal((series, rows))
    if kind == "heavy-tailed":
        return 10.0 + rng.standard_t(3, (series, rows))
    if kind == "autocorrelated":
        for row in range(1, rows):
            normal[:, row] = 0.95 * normal[:, row - 1] + np.sqrt(1 - 0.95**2) * normal[:, row]
    if kind == "day and night":
        return 10.0 * (1 - 0.3 * np.cos(2 * np.pi * np.arange(rows) / DAY)) * (1 + 0.03 * normal)
    if kind == "cron jobs":
        jobs = np.zeros((series, rows))
        for one in range(series):  # once a day, four times a day, every two hours; half an hour each, never quite alike
            every = (DAY, DAY // 4, 8)[one % 3]
            for start in range(int(rng.integers(every)), rows, every):
                jobs[one, start : start + 2] = rng.uniform(4.0, 6.0)
        return 1.0 + 0.1 * np.abs(normal) + jobs
    return 10.0 + normal


def advanced(values, groups, budget=BUDGET):
    engine = Engine(len(values), groups, Tuning(step=QUARTER, memory=2016, false_alarms_per_week=budget))
    return engine.advance(BEGINS + QUARTER * np.arange(values.shape[1]), values)


@pytest.fixture(scope="module")
def alone():
    """Anomalies of 24 series of each kind, {kind: [series, time]}."""
    values = np.concatenate([healthy(kind, 24, 3 * WEEK) for kind in KINDS])
    return dict(zip(KINDS, np.split(advanced(values, []).anomaly, len(KINDS)), strict=True))


@pytest.fixture(scope="module")
def together():
    """Anomalies of 8 groups of 6 series of each kind, {kind: [groups, time]}."""
    values = np.concatenate([healthy(kind, 48, 3 * WEEK) for kind in KINDS])
    groups = [range(first, first + 6) for first in range(0, len(values), 6)]
    return dict(zip(KINDS, np.split(advanced(values, groups).groups.anomaly, len(KINDS)), strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_a_lone_series_keeps_its_budget(alone, kind):
    """Readings that are called anomalies, from the second day on: at most twice the budget."""
    found = alone[kind][:, DAY:]
    assert found.sum() / (found.size / WEEK) <= TOLERANCE * BUDGET


def test_noise_is_told_only_where_more_may_be_told():
    """Hours with an anomaly, from the third day on: none at the usual budget, at four a day within twice of it."""
    values = healthy("gaussian", 24, 3 * WEEK)
    hours = {
        budget: advanced(values, [], budget).anomaly[:, 2 * DAY :].reshape(24, -1, 4).any(axis=2).sum() / (24 * 19 / 7)
        for budget in (BUDGET, 28.0)
    }
    assert hours[BUDGET] == 0.0
    assert 28.0 / TOLERANCE / 1.5 <= hours[28.0] <= TOLERANCE * 28.0


@pytest.mark.parametrize("kind", KINDS)
def test_a_group_keeps_its_budget(together, kind):
    """Hours with an anomaly, from the third day on: at most twice the budget."""
    found = together[kind][:, 2 * DAY :]
    weeks = found.size / WEEK
    assert found.reshape(8, -1, 4).any(axis=2).sum() / weeks <= TOLERANCE * BUDGET


@pytest.mark.parametrize("members", [20, 40])
def test_the_week_after_a_season_was_found_is_as_quiet_as_any(members):
    """Many metrics, each with a day ten times its noise: what they showed before it was known is no measure of the week after.

    It filled the scale for a week, the budget followed, and when it left two days were one alarm.
    """
    rng = np.random.default_rng(7)
    day = np.arange(3 * WEEK) / DAY + rng.random((members, 1))
    values = 100.0 + 30.0 * np.sin(2 * np.pi * day) + 3.0 * rng.standard_normal(day.shape)
    found = advanced(values, [range(members)]).groups.anomaly[0, 2 * DAY :]
    assert found.reshape(-1, 4).any(axis=1).sum() / (found.size / WEEK) <= TOLERANCE * BUDGET


def test_what_wakes_people_is_rarer_still():
    """Alerts that a watcher would begin, in five days of 20 lone series and 5 groups: each within the budget, and few in all."""
    rows = WEEK + 5 * DAY
    lives = {}
    for kind in KINDS:
        values = healthy(kind, 10, rows)
        lives |= {f"{kind} {one}": lone(values[one]) for one in range(4)}
        lives[f"{kind}, six together"] = Life(dict(zip(MEMBERS, values[4:], strict=True)))
    seen = Watch(lives, step=QUARTER).through(range(WEEK, rows, 3))
    begun = {life: len(told.begun) for life, told in seen.items()}
    assert max(begun.values()) <= BUDGET
    assert sum(begun.values()) <= 0.2 * BUDGET * len(lives)
