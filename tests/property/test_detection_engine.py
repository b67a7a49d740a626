"""What must hold of the engine for any rows: how they come in, and what comes after them, changes nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lens_exporter.baseline.detection.engine import Engine
from lens_exporter.baseline.detection.scored import Scored
from lens_exporter.baseline.detection.tuning import Tuning
from lens_exporter.model.window import FloatArray

HOUR = 3600.0
DAY = 24  # rows
BEGINS = 1_700_092_800.0
GROUPS = ([0, 1, 2, 3, 4], [5, 6, 7, 8])  # 9 and 10 are lone
SERIES = 11
NAMES = ("expected", "lower", "upper", "score", "anomaly", "novel", "unusual", "sustained")


@st.composite
def pasts(draw: st.DrawFn) -> FloatArray:
    """Five to seven days of rows an hour apart, [series, time]: seasons, noise, gaps, incidents, a constant and a counter."""
    rows = draw(st.integers(5 * DAY, 7 * DAY))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    values = 10.0 * (1 + 0.3 * np.sin(2 * np.pi * np.arange(rows) / DAY)) + 0.3 * rng.standard_normal((SERIES, rows))
    values[3] = 7.0
    values[9] = np.arange(rows)
    values *= 10.0 ** rng.integers(-3, 9, (SERIES, 1))
    for _ in range(draw(st.integers(0, 4))):
        first, last = sorted(draw(st.tuples(st.integers(0, rows), st.integers(0, rows))))
        who = draw(st.lists(st.integers(0, SERIES - 1), max_size=6))
        values[who, first:last] *= draw(st.sampled_from([np.nan, 0.0, 3.0, -1.0]))
    return values


def engine(*, missing: bool = False) -> Engine:
    return Engine(SERIES, GROUPS, Tuning(step=HOUR, memory=200, missing=missing))


def times(rows: int, first: int = 0) -> FloatArray:
    return BEGINS + HOUR * np.arange(first, first + rows)


def advanced(values: FloatArray, cuts: list[int], *, missing: bool = False) -> list[Scored]:
    ends = sorted({min(cut, values.shape[1]) for cut in cuts} | {values.shape[1]})
    one, found = engine(missing=missing), []
    for first, last in zip([0, *ends], ends, strict=False):
        found.append(one.advance(times(last - first, first), values[:, first:last]))
    return found


def same(one: Scored, other: Scored, rows: slice = slice(None), others: slice = slice(None)) -> None:
    for name in NAMES:
        np.testing.assert_allclose(getattr(one, name)[:, rows], getattr(other, name)[:, others], rtol=1e-7, atol=1e-7)
    for name in ("score", "threshold", "anomaly"):
        ours, theirs = getattr(one.groups, name), getattr(other.groups, name)
        np.testing.assert_allclose(ours[:, rows], theirs[:, others], rtol=1e-7, atol=1e-7)


@given(pasts(), st.lists(st.integers(1, 7 * DAY), max_size=8), st.booleans())
@settings(max_examples=6, deadline=None)
def test_any_partition_gives_the_same(values: FloatArray, cuts: list[int], missing: bool) -> None:
    """Rows at once or in blocks of any size."""
    whole = engine(missing=missing).advance(times(values.shape[1]), values)
    first = 0
    for part in advanced(values, cuts, missing=missing):
        rows = part.score.shape[1]
        same(part, whole, others=slice(first, first + rows))
        first += rows


@given(pasts(), st.integers(1, 5 * DAY), st.integers(0, 3 * DAY), st.booleans())
@settings(max_examples=6, deadline=None)
def test_who_wants_to_hear_the_last_rows_only_hears_the_same(values: FloatArray, cut: int, told: int, missing: bool) -> None:
    """Rows nobody asks about are learnt like all others; what is said about the last ones, and about later blocks, is the same."""
    values[9, -2 * DAY :: 3] = np.nan
    asked, spared = engine(missing=missing), engine(missing=missing)
    for first, last in ((0, cut), (cut, values.shape[1])):
        block = times(last - first, first), values[:, first:last]
        rows = min(told, last - first)
        whole, end = asked.advance(*block), spared.advance(*block, told=told)
        assert end.score.shape == (SERIES, rows)
        same(end, whole, others=slice(last - first - rows, None))


def test_what_nobody_was_told_of_is_known_when_somebody_asks() -> None:
    """Wherever the rows end that nobody hears of, within an hour, with it or with a fit, those that follow are told the same."""
    values = 10.0 + np.random.default_rng(8).standard_normal((SERIES, 5 * DAY))
    values[::3] += 5.0 * np.sin(2.0 * np.pi * np.arange(5 * DAY) / DAY)
    for cut in range(4 * DAY, 4 * DAY + 12):
        asked, spared = engine(), engine()
        asked.advance(times(cut), values[:, :cut])
        assert spared.advance(times(cut), values[:, :cut], told=0).score.shape == (SERIES, 0)
        rest = times(DAY // 2, cut), values[:, cut : cut + DAY // 2]
        same(spared.advance(*rest), asked.advance(*rest))


@given(pasts(), st.integers(0, 5 * DAY), st.integers(1, 3))
@settings(max_examples=6, deadline=None)
def test_a_peek_is_what_the_first_row_will_be_and_changes_nothing(values: FloatArray, first: int, rows: int) -> None:
    """As long as no hour ends on the way, which only learning can go through; an engine that was asked is as one that was not."""
    asked, unasked = engine(), engine()
    for one in (asked, unasked):
        one.advance(times(first), values[:, :first])
    begun = times(1, first)
    for one in (asked, unasked):
        one.advance(begun, values[:, first : first + 1])
    asked.peek(times(rows, first + 1), values[:, first + 1 : first + 1 + rows])
    rest = values[:, first + 1 :]
    same(*(one.advance(times(rest.shape[1], first + 1), rest) for one in (asked, unasked)))


def test_a_peek_at_rows_of_the_running_hour_is_what_they_will_be() -> None:
    """Five-minute rows: those of the hour that was begun are judged as they will be when they are learnt."""
    rng = np.random.default_rng(3)
    values = 10.0 + 0.3 * rng.standard_normal((SERIES, 3 * 288 + 7))
    values[:5, -4:] += 9.0
    at = BEGINS + 300.0 * np.arange(values.shape[1])
    one = Engine(SERIES, GROUPS, Tuning(step=300.0, memory=500))
    known = 3 * 288 + 4  # twenty minutes into an hour: the next rows share its second quarter
    one.advance(at[:known], values[:, :known])
    peeked = one.peek(at[known : known + 2], values[:, known : known + 2])
    same(peeked, one.advance(at[known : known + 2], values[:, known : known + 2]))
    assert peeked.groups.anomaly[0].any()


@given(pasts(), st.integers(1, 5 * DAY), st.sampled_from([np.nan, 0.0, 1e12, -5.0]))
@settings(max_examples=6, deadline=None)
def test_a_row_depends_on_rows_before_it_only(values: FloatArray, row: int, other: float) -> None:
    """Change what comes from a row on: nothing before it changes, and neither do expected, band and thresholds of the row itself."""
    changed = values.copy()
    changed[:, row:] = other
    here, there = (engine().advance(times(values.shape[1]), each) for each in (values, changed))
    same(here, there, rows=slice(0, row), others=slice(0, row))
    for name in ("expected", "lower", "upper"):
        np.testing.assert_array_equal(getattr(here, name)[:, row], getattr(there, name)[:, row])
    np.testing.assert_array_equal(here.groups.threshold[:, row], there.groups.threshold[:, row])


@given(pasts(), st.integers(1, 4 * DAY), st.permutations(range(SERIES)))
@settings(max_examples=6, deadline=None)
def test_series_and_groups_may_change_places(values: FloatArray, row: int, order: list[int]) -> None:
    """After taking them in another order, and the groups too, each goes on as it would have."""
    stayed, moved = engine(), engine()
    for one in (stayed, moved):
        one.advance(times(row), values[:, :row])
    place = {old: new for new, old in enumerate(order)}
    moved.take(np.array(order), [[place[old] for old in GROUPS[1]], [place[old] for old in GROUPS[0]]], np.array([1, 0]))
    rest = values.shape[1] - row
    here = stayed.advance(times(rest, row), values[:, row:])
    there = moved.advance(times(rest, row), values[order, row:])
    for name in ("expected", "lower", "upper", "score"):
        np.testing.assert_allclose(getattr(there, name), getattr(here, name)[order], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(there.groups.score, here.groups.score[::-1], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(there.groups.threshold, here.groups.threshold[::-1], rtol=1e-6, atol=1e-6)


@given(pasts(), st.integers(1, 4 * DAY))
@settings(max_examples=6, deadline=None)
def test_joining_late_is_having_had_gaps(values: FloatArray, row: int) -> None:
    """A lone series that is taken in at a row is scored as one that was there all along without a value."""
    values[10, :row] = np.nan
    there = engine()
    late = Engine(SERIES - 1, GROUPS, Tuning(step=HOUR, memory=200))
    there.advance(times(row), values[:, :row])
    late.advance(times(row), values[: SERIES - 1, :row])
    late.take(np.array([*range(SERIES - 1), -1]), GROUPS, np.array([0, 1]))
    rest = values.shape[1] - row
    same(*(one.advance(times(rest, row), values[:, row:]) for one in (there, late)))


@given(pasts())
@settings(max_examples=6, deadline=None)
def test_what_is_said_is_well_formed(values: FloatArray) -> None:
    """A band holds what is expected; scores are numbers from 0 on; a gap has score 0 and is no anomaly; only lone series are novel or unusual."""
    found = engine().advance(times(values.shape[1]), values)
    known = np.isfinite(found.upper)
    assert (found.lower[known] <= found.expected[known]).all()
    assert (found.expected[known] <= found.upper[known]).all()
    assert (found.score >= 0.0).all()
    gaps = np.isnan(values)
    assert (found.score[gaps] == 0.0).all()
    assert not found.anomaly[gaps].any()
    assert not found.novel[:9].any()
    assert not found.unusual[:9].any()


def test_an_engine_of_nobody_says_nothing() -> None:
    """No series, and no rows."""
    nobody = Engine(0, (), Tuning(step=HOUR))
    assert nobody.advance(times(50), np.zeros((0, 50))).score.shape == (0, 50)
    assert engine().advance(times(0), np.zeros((SERIES, 0))).score.shape == (SERIES, 0)


def wild_days(days: float, step: float) -> FloatArray:
    """Values of all series, with gaps, a shifted level and readings beyond all reach."""
    rng = np.random.default_rng(11)
    at = np.arange(round(days * 24 * HOUR / step)) * step / (24 * HOUR)
    values = 10.0 + 3.0 * np.sin(2 * np.pi * at) + 0.3 * rng.standard_normal((SERIES, at.size))
    values[rng.random(values.shape) < 0.01] = np.nan
    values[rng.integers(0, SERIES, 20), rng.integers(0, at.size, 20)] = 1e4
    values[2, at.size // 2 :] += 20.0
    values[9, at.size // 2 : at.size // 2 + 40] *= 1e3
    return values


@pytest.mark.parametrize(("rows", "missing"), [(1, True), (47, False)])
def test_a_long_block_is_judged_as_short_ones(rows: int, missing: bool) -> None:
    """What one round of calls finds for the hours between two fits, smaller blocks find too, with gaps; novelty to the last bit."""
    step, values = 600.0, wild_days(3.5, 600.0)
    for hour in range(3):
        values[4 + hour, 6 * hour - 130 : -70] = np.nan  # so long that they are steady no more, one an hour after the other
    kept = np.ones(values.shape[1], dtype=np.bool_)
    kept[301:305] = kept[320:330] = False  # rows that were never asked for: within an hour, and more than one
    at, values = (BEGINS + step * np.arange(kept.size))[kept], values[:, kept]
    whole, parts = (Engine(SERIES, GROUPS, Tuning(step=step, memory=300, missing=missing)) for _ in range(2))
    found = whole.advance(at, values)
    for first in range(0, at.size, rows):
        block = slice(first, first + rows)
        one = parts.advance(at[block], values[:, block])
        same(one, found, others=block)
        np.testing.assert_array_equal(one.novel, found.novel[:, block])
    assert found.novel.any()
    for mine, theirs in zip(whole.extremes(), parts.extremes(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_series_is_judged_the_same_whoever_is_beside_it() -> None:
    """Few series are averaged, sorted and compared in other ways than many: what comes out is one."""
    step, values = 900.0, wild_days(3.0, 900.0)[[0, 2, 9]]
    at, copies = BEGINS + step * np.arange(values.shape[1]), 400
    few, many = (Engine(3 * times_, (), Tuning(step=step, memory=300)) for times_ in (1, copies))
    here, there = few.advance(at, values), many.advance(at, np.tile(values, (copies, 1)))
    assert here.novel.any()
    for name in NAMES:
        np.testing.assert_allclose(getattr(there, name), np.tile(getattr(here, name), (copies, 1)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("step", [60.0, 300.0, 3600.0])
@pytest.mark.parametrize("groups", [[], [range(5)]])
def test_rows_may_be_looked_at_before_any_is_learnt(step, groups):
    """Nothing is expected of them, and nothing is told."""
    engine = Engine(5, groups, Tuning(step=step))
    for _ in range(2):
        seen = engine.peek(BEGINS + step * np.arange(3), np.ones((5, 3)))
        assert np.isnan(seen.expected).all()
        assert not seen.score.any()
        engine.take(np.arange(5), groups, np.arange(len(groups)))
