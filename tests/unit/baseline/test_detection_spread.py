"""How far a series usually strays, with floors, at any scale."""

import warnings

import numpy as np
import pytest

from lens_exporter.baseline.detection.spread import Scale, Spread, nothing_known, powers_of
from lens_exporter.baseline.detection.tuning import Tuning
from lens_exporter.model.window import FloatArray

HOURS = 48
ROWS = 12  # an hour of five minutes


def fitted(
    r: FloatArray, *, values: FloatArray | None = None, level: float = 0.0, learnt: FloatArray | None = None, **tuning: object
) -> Scale:
    """Learn residuals [time, series] hour by hour, with jumps like them, and fit."""
    series = r.shape[1]
    spread = Spread(series, Tuning(step=300.0, **tuning))  # type: ignore[arg-type]
    counted = np.isfinite(r) if learnt is None else learnt
    for hour in range(len(r) // ROWS):
        rows = slice(hour * ROWS, (hour + 1) * ROWS)
        spread.learn((r if values is None else values)[rows], powers_of(r[rows], r[rows], counted[rows], nothing_known(series)))
        spread.close(hour, hour + 1)
    return spread.fit(np.full(series, level))


def noise(series: int = 1, *, width: float = 1.0, seed: int = 1) -> FloatArray:
    return width * np.random.default_rng(seed).standard_normal((HOURS * ROWS, series))


def test_mean_and_deviation_are_those_of_what_was_learnt() -> None:
    """As numpy gives them, and the spread of normal noise is its deviation."""
    r = noise(3) + np.array([0.0, 2.0, -1.0])
    scale = fitted(r)
    np.testing.assert_allclose(scale.r_mean, r.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(scale.r_sd, r.std(axis=0), rtol=1e-5)
    assert scale.r_spread[0] == pytest.approx(1.0, rel=0.1)
    assert scale.known.all()


@pytest.mark.parametrize(("hours", "trust"), [(2, 0.0), (3, 0.25), (11, 0.25), (12, 1.0)])
def test_what_is_known_for_less_than_half_a_day_counts_a_quarter(hours: int, trust: float) -> None:
    """Nothing before an hour and thirty rows are known."""
    scale = fitted(noise()[: hours * ROWS])
    assert scale.trust.tolist() == [trust]
    assert scale.known.tolist() == [hours == 12]


def test_a_heavy_tail_is_wider_than_its_deviation() -> None:
    """Student's t with three degrees of freedom is judged by its tails too."""
    scale = fitted(np.random.default_rng(2).standard_t(3, (HOURS * ROWS, 1)))
    assert scale.r_spread[0] > 1.05 * scale.r_sd[0]


def test_a_shift_that_the_level_has_followed_is_no_measure() -> None:
    """Thirty of ninety hours lay ten deviations beside the level, which is where the values are now: the scale is that of the rest."""
    r, values = (np.random.default_rng(7).standard_normal((96 * ROWS, 2)) for _ in range(2))
    r[30 * ROWS : 60 * ROWS] += 10.0
    values[30 * ROWS :, 0] += 10.0
    values[30 * ROWS : 60 * ROWS, 1] += 10.0  # and this one is back where it was: an incident
    scale = fitted(r, values=values)
    assert scale.r_mean[0] == pytest.approx(0.0, abs=0.2)
    assert (scale.r_sd[0], scale.r_spread[0]) == (pytest.approx(1.0, rel=0.1), pytest.approx(1.0, rel=0.1))
    assert scale.r_sd[1] > 4.0


def test_what_is_kept_out_and_what_is_missing_is_not_learnt() -> None:
    """Ten hours of an alarm change neither mean nor deviation; gaps do not either."""
    r = noise()
    struck, counted = r.copy(), np.ones_like(r, dtype=np.bool_)
    struck[120:240] += 50.0
    counted[120:240] = False
    left, gappy = np.delete(r, slice(120, 240), axis=0), r.copy()
    gappy[120:240] = np.nan
    expected = left.std()
    assert fitted(struck, values=r, learnt=counted).r_sd[0] == pytest.approx(expected, rel=1e-5)
    assert fitted(gappy).r_sd[0] == pytest.approx(expected, rel=1e-5)


def test_less_than_half_a_day_is_too_little() -> None:
    """Eleven hours are not known, thirteen are."""
    assert not fitted(noise()[: 11 * ROWS]).known[0]
    assert fitted(noise()[: 13 * ROWS]).known[0]


@pytest.mark.parametrize(
    ("range_", "level", "full", "floor"),
    [(0.0, 0.0, None, 0.0), (50.0, 0.0, None, 0.5), (0.0, 700.0, None, 0.7), (0.0, -700.0, None, 0.7), (0.0, 0.0, 300.0, 0.6)],
    ids=["constant at zero", "1 % of the range", "0.1 % of the level", "of a negative one", "0.2 % of the full scale"],
)
def test_a_spread_has_floors(range_: float, level: float, full: float | None, floor: float) -> None:
    """A series without noise has the floor for its spread, and never zero."""
    values = np.zeros((HOURS * ROWS, 1))
    values[::ROWS] = range_
    full_scale = None if full is None else np.array([full])
    scale = fitted(np.zeros_like(values), values=values, level=level, full=full_scale)
    assert scale.r_sd[0] == pytest.approx(floor, abs=1e-9)
    assert scale.r_sd[0] > 0.0
    assert scale.r_spread[0] == pytest.approx(scale.r_sd[0])
    assert scale.e_spread[0] == pytest.approx(floor, abs=1e-9)


@pytest.mark.parametrize("factor", [1e-9, 1e-3, 1e6, 1e12, 1e15])
def test_the_unit_does_not_matter(factor: float) -> None:
    """Nanoseconds and terabytes: the spread in their unit, without a warning, though single precision ends at the third power."""
    r = noise(2) + np.array([0.0, 3.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        here, there = fitted(r), fitted(factor * r)
    for name in ("r_mean", "r_sd", "r_spread", "e_spread"):
        np.testing.assert_allclose(getattr(there, name), factor * getattr(here, name), rtol=1e-4, atol=1e-4 * factor)


def test_a_week_is_remembered() -> None:
    """What was wild eight days ago is forgotten, what was wild six days ago is not."""
    calm = np.tile(noise(), (4, 1))  # eight days
    for days, wide in ((7.5, False), (6.0, True)):
        r = calm.copy()
        first = len(r) - round(days * 24 * ROWS)
        r[first : first + 3 * ROWS] *= 20
        assert bool(fitted(r).r_sd[0] > 2.0) is wide


def test_only_a_series_that_nearly_always_has_a_value_is_steady() -> None:
    """Ninety-seven of a hundred is steady, nine of ten is not; nobody is without being asked."""
    r = noise(3)
    r[np.random.default_rng(3).random(len(r)) < 0.03, 1] = np.nan
    r[np.random.default_rng(4).random(len(r)) < 0.1, 2] = np.nan
    for asked in (True, False):
        spread = Spread(3, Tuning(step=300.0, missing=asked))
        for hour in range(HOURS):
            rows = r[hour * ROWS : (hour + 1) * ROWS]
            spread.learn(rows, powers_of(rows, rows, np.isfinite(rows), nothing_known(3)))
            spread.close(hour, hour + 1)
        assert spread.steady().tolist() == ([True, True, False] if asked else [False] * 3)


def test_extremes_are_of_everything_that_was_seen() -> None:
    """Highest and lowest of a week, also of rows that were kept out, NaN of a series that was never there."""
    values = noise(2)
    values[:, 1] = np.nan
    values[30, 0], values[40, 0] = 37.0, -25.0
    highest, lowest = extremes(values)
    assert (highest[0], lowest[0]) == (37.0, -25.0)
    assert np.isnan(highest[1])
    assert np.isnan(lowest[1])


def extremes(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    spread = Spread(2, Tuning(step=300.0))
    nothing = np.zeros_like(values, dtype=np.bool_)
    for hour in range(HOURS):
        rows = slice(hour * ROWS, (hour + 1) * ROWS)
        spread.learn(values[rows], powers_of(values[rows], values[rows], nothing[rows], nothing_known(2)))
        spread.close(hour, hour + 1)
    return spread.extremes()


def test_what_was_seen_once_counts_as_ten_ranges_at_most() -> None:
    """A counter that underflows is not the scale of its series for a week; what comes again in other hours is."""
    values = noise(2)
    values[30, 0] = 1.8e19
    values[[30, 100], 1] = 1.8e19
    highest, _ = extremes(values)
    assert 50.0 < highest[0] < 100.0
    assert highest[1] == pytest.approx(1.8e19)


def test_a_wild_residual_is_learnt_as_far_as_the_reach() -> None:
    """Ten ranges or forty spreads, whichever is more; all that is nearer is learnt as it is."""
    scale = fitted(noise())
    tame = scale.tamed(np.array([[3.0], [-1e9], [np.nan]]))[:, 0]
    assert tame[0] == 3.0
    assert tame[1] == pytest.approx(scale.r_mean[0] - scale.reach[0])
    assert 50.0 < scale.reach[0] < 100.0
    assert np.isnan(tame[2])


def lived(r: FloatArray, *, found_at: int = -1, week_at: int = -1, present: FloatArray | None = None) -> list[float]:
    """Learn residuals [time] hour by hour, a day or a week found at the begin of an hour; gives the spread after each."""
    spread, spreads = Spread(1, Tuning(step=300.0)), []
    for hour in range(len(r) // ROWS):
        rows = slice(hour * ROWS, (hour + 1) * ROWS)
        if hour == found_at:
            spread.begin_anew(np.array([True]))
        if hour == week_at:
            spread.level_out(np.array([True]))
        each = r[rows, None]
        counted = np.isfinite(each) if present is None else present[rows, None]
        spread.learn(each, powers_of(each, each, counted, nothing_known(1)))
        spread.close(hour, hour + 1)
        spreads.append(float(spread.fit(np.zeros(1)).r_spread[0]))
    return spreads


def test_what_was_learnt_before_a_season_was_found_counts_for_a_day_more() -> None:
    """The scale of a season's own swing would make everything look normal for a week."""
    swing, rest = noise(width=10.0)[: 30 * ROWS, 0], noise(seed=5)[:, 0]
    r = np.concatenate([swing, rest, rest])
    found = lived(r, found_at=30)
    assert found[29] == pytest.approx(10.0, rel=0.2)
    assert 2.0 < found[42] < 9.0  # half a day later it is on its way
    assert found[54] == pytest.approx(1.0, rel=0.2)  # entries are of three hours
    np.testing.assert_allclose(found[54:], found[54], rtol=0.2)
    assert lived(r, found_at=-1)[-1] > 3.0


def test_a_day_of_gaps_after_a_season_was_found_leaves_the_scale_as_it_was() -> None:
    """There would be nothing to know it by."""
    r = np.concatenate([noise(width=10.0)[: 30 * ROWS, 0], np.full(26 * ROWS, np.nan)])
    assert lived(r, found_at=30)[-1] == pytest.approx(10.0, rel=0.2)


def test_of_a_week_that_was_found_only_what_it_does_not_explain_counts() -> None:
    """Not where days lay, nor the edges between them; what strayed by day strays by day again, though it was calm of late."""
    random = np.random.default_rng(3)
    hour = np.arange(7 * 24 * ROWS) / ROWS
    busy = (hour % 24 > 8) & (hour % 24 < 18)
    off = np.where(busy & (hour >= 48) & (hour < 96), -80.0, 0.0)  # two days that were like no other
    r = np.where(busy, 5.0, 1.0) * random.standard_normal(hour.size) + off
    before, found = (lived(r, week_at=week)[-1] for week in (-1, 7 * 24 - 1))
    quiet = np.where(busy, 5.0, 1.0) * random.standard_normal(hour.size)
    assert before > 20.0
    assert found == pytest.approx(lived(quiet)[-1], rel=0.25)
    assert lived(r[: 5 * 24 * ROWS], found_at=5 * 24 - 1)[-1] == pytest.approx(found, rel=0.25)  # as a day that is like others


def test_what_a_day_that_was_found_put_aside_has_no_say_in_a_week_that_is_found_later() -> None:
    """Two days and a half before it lay elsewhere, and strayed less: neither is where, nor by how much, those after it do."""
    rest = noise(seed=5)[: 36 * ROWS, 0]
    r = np.concatenate([50.0 + noise(width=0.1, seed=3)[:, 0], 50.0 + noise(width=0.1)[: 12 * ROWS, 0], rest, rest])
    np.testing.assert_allclose(lived(r, found_at=60, week_at=96)[96:], 1.0, rtol=0.2)


def test_a_week_that_is_found_of_one_series_changes_no_other() -> None:
    spread, r = Spread(2, Tuning(step=300.0)), noise(2) + np.repeat([[9.0], [0.0]], HOURS * ROWS // 2, axis=0)
    for at in range(HOURS):
        rows = slice(at * ROWS, (at + 1) * ROWS)
        spread.learn(r[rows], powers_of(r[rows], r[rows], np.isfinite(r[rows]), nothing_known(2)))
        spread.close(at, at + 1)
    before = spread.fit(np.zeros(2))
    spread.level_out(np.array([True, False]))
    after = spread.fit(np.zeros(2))
    assert after.r_spread[0] < 0.3 * before.r_spread[0]
    assert (after.r_spread[1], after.r_mean[1]) == (before.r_spread[1], before.r_mean[1])


def test_a_week_that_is_found_of_a_series_whose_rows_were_all_kept_out_leaves_it_as_it_was() -> None:
    """A group's alarm keeps rows out of this memory and not out of that of seasons."""
    spread, r = Spread(2, Tuning(step=300.0)), noise(2)
    for at in range(HOURS):
        rows = slice(at * ROWS, (at + 1) * ROWS)
        if at == HOURS // 2:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                spread.level_out(np.array([True, True]))
        learnt = np.isfinite(r[rows]) & np.array([True, at >= HOURS // 2])
        spread.learn(r[rows], powers_of(r[rows], r[rows], learnt, nothing_known(2)))
        spread.close(at, at + 1)
    scale = spread.fit(np.zeros(2))
    np.testing.assert_allclose(scale.r_spread, 1.0, rtol=0.2)
    np.testing.assert_allclose(scale.e_spread, 1.0, rtol=0.2)
