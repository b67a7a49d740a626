"""The first judge row by row: what is kept between ticks gives what judging everything again would give."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lens_exporter.baseline.analyzer import Analyzer
from lens_exporter.baseline.baselines import Baselines, Learning
from lens_exporter.baseline.detector import TAIL
from lens_exporter.baseline.robust import RobustDetector
from lens_exporter.baseline.warm import _SETTLED, Warm
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.watch.look import Looker
from lens_exporter.watch.ports import Watched
from tests.unit.baseline.looks import same
from tests.unit.baseline.past import Past

ROWS = 40  # of a day
SERIES = 6
LENGTH = 260


def table(seed: int) -> np.ndarray:
    """Values [series, time]: noise, whole numbers, gaps, a constant, one that begins late and one that is gone for long."""
    random = np.random.default_rng(seed)
    values = random.normal(100.0, 10.0, (SERIES, LENGTH))
    values[1] = np.floor(values[1] / 20.0)
    values[2] = 7.0
    values[3, : random.integers(0, LENGTH)] = np.nan
    values[4, 60:160] = np.nan
    values[random.random(values.shape) < 0.05] = np.nan
    values[5, random.integers(0, LENGTH)] = np.inf
    return values


def naive(values: np.ndarray, end: int, ahead: int, begun: int) -> tuple[np.ndarray, np.ndarray]:
    """The bands of the last columns before `end`, `ahead` of which have not settled: each from its own day, median by median."""
    settled = end - ahead
    shown = min(TAIL, end - begun)
    expected, half_width = np.full((2, SERIES, shown), np.nan)
    for series in range(SERIES):
        day = values[series, max(begun, settled - ROWS) : settled]
        alone = np.isfinite(day).sum() >= _SETTLED * ahead
        for place, column in enumerate(range(end - shown, end)):
            upto = settled if column >= settled and alone else column
            before = values[series, max(begun, upto - ROWS) : upto]
            before = before[np.isfinite(before)]
            if before.size >= 3:
                found = RobustDetector().bands(before[None], 0, before.size)
                expected[series, place], half_width[series, place] = found.expected[0, 0], found.half_width[0, 0]
    return expected, half_width


@given(
    st.integers(0, 50),
    st.lists(st.tuples(st.sampled_from([1, 2, 3, 20, 70]), st.sampled_from([1, 2, 4, 22, 29, 35])), min_size=1, max_size=14),
    st.sampled_from(["together", "one after the other"]),
)
@settings(max_examples=100, deadline=None)
def test_each_column_is_judged_by_the_day_before_it(seed, steps, manner):
    """However many rows come at once, and however many of them may still change."""
    values, times = table(seed), np.arange(LENGTH, dtype=np.float64)
    warm, everybody = Warm(ROWS), np.ones(SERIES, dtype=np.bool_)
    settled = 0
    for added, ahead in steps:
        if settled + added + ahead > LENGTH:
            break
        blocks = [added] if manner == "together" else [1] * added
        for block in blocks:
            part = slice(settled, settled + block)
            warm.learn(times[part], values[:, part], everybody)
            settled += block
        end = settled + ahead
        early = warm.followed_by(times[settled:end], values[:, settled:end], RobustDetector())
        expected, half_width = naive(values, end, ahead, 0)
        np.testing.assert_allclose(early.expected, expected, rtol=1e-12)
        np.testing.assert_allclose(early.half_width, half_width, rtol=1e-9)
        np.testing.assert_array_equal(early.values, values[:, max(0, end - ROWS) : end])
        np.testing.assert_array_equal(early.times, times[max(0, end - ROWS) : end])
        day = np.isfinite(values[:, max(0, settled - ROWS) : settled]).sum(axis=1)
        np.testing.assert_array_equal(early.observations, day + np.isfinite(values[:, settled : end - 1]).sum(axis=1))


@given(st.integers(0, 50), st.integers(1, 3), st.data())
@settings(max_examples=40, deadline=None)
def test_who_comes_and_goes_changes_nothing_for_the_others(seed, ahead, data):
    """Series leave when they are known, others begin: everybody's bands stay those of their own rows."""
    values, times = table(seed), np.arange(LENGTH, dtype=np.float64)
    some, all_of_them = Warm(ROWS), Warm(ROWS)
    left = np.zeros(SERIES, dtype=np.bool_)
    for row in range(120):
        if row % 7 == 3:
            left |= np.array(data.draw(st.lists(st.booleans(), min_size=SERIES, max_size=SERIES))) & (np.arange(SERIES) > 1)
        for warm, new in ((some, ~left), (all_of_them, np.ones(SERIES, dtype=np.bool_))):
            warm.learn(times[row : row + 1], values[:, row : row + 1], new)
        if row % 3 == 0:
            part = slice(row + 1, row + 1 + ahead)
            one, other = (warm.followed_by(times[part], values[:, part], RobustDetector()) for warm in (some, all_of_them))
            assert one.series.tolist() == np.flatnonzero(~left).tolist()
            np.testing.assert_array_equal(one.expected, other.expected[one.series])
            np.testing.assert_array_equal(one.half_width, other.half_width[one.series])


@pytest.mark.parametrize("ahead", [1, 50])
def test_nobody_and_nothing_are_no_trouble(ahead):
    """No series at all, and rows before anything is known."""
    warm = Warm(ROWS)
    assert warm.followed_by(np.arange(ahead), np.zeros((0, ahead)), RobustDetector()).series.size == 0
    first = warm.followed_by(np.arange(float(ahead)), np.ones((2, ahead)), RobustDetector())
    assert first.expected.shape == (2, min(TAIL, ahead))
    warm.learn(np.arange(3.0), np.zeros((2, 3)), np.zeros(2, dtype=np.bool_))
    assert warm.followed_by(np.arange(3.0, 3.0 + ahead), np.ones((2, ahead)), RobustDetector()).series.size == 0


@pytest.mark.parametrize(("step", "window"), [(60.0, 7_200.0), (300.0, 14 * 86_400.0), (3600.0, 14 * 86_400.0), (3600.0, 86_400.0)])
@pytest.mark.parametrize("block", [1, 7])
def test_who_has_just_started_says_what_one_says_that_ran_on(step, window, block):
    """While everything is young: bands of every shown column, at each step and whatever blocks the past came in."""
    random = np.random.default_rng(3)
    names = ("load", "errors")
    begins = 1_700_006_400.0
    values = {name: random.normal(100.0, 10.0, (3, 140)) for name in names}
    for each in values.values():
        each[random.random(each.shape) < 0.05] = np.nan
        each[1, :60] = np.nan
    labels = {name: tuple({"queue": f"{number}"} for number in range(3)) for name in names}

    def fresh() -> Looker:
        watched = Watched("x", tuple(BaselineMetric(name, name) for name in names), window=window, step=step)
        source = Past(begins, step, labels, values, block=block)
        return Looker(watched, source, Baselines(watched.asked, Learning(step, window)), Analyzer())

    ran_on = fresh()
    for row in range(30, 120):
        at = begins + row * step
        seen = ran_on.look(at)
        if row % 9 == 0:
            again = fresh()
            same(again.look(at), seen)
            ours, theirs = (vars(vars(looker)["_baselines"])["_warm"] for looker in (ran_on, again))
            assert ours.series.tolist() == theirs.series.tolist()
            shown = min(theirs._judged, ours._judged)
            for one in ("expected", "half_width"):
                mine, others = (getattr(warm._bands, one)[:, TAIL - shown :] for warm in (ours, theirs))
                np.testing.assert_allclose(mine, others, rtol=1e-9)
