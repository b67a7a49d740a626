"""What is expected of a series at this hour."""

from collections.abc import Callable
from dataclasses import astuple, replace

import numpy as np
import pytest

from lens_exporter.baseline.detection.candidates import WEEKLY_AROUND
from lens_exporter.baseline.detection.seasons import Seasons
from lens_exporter.baseline.detection.spread import Scale, nothing_known
from lens_exporter.baseline.detection.streams import unexpected
from lens_exporter.baseline.detection.tuning import Tuning, utc
from lens_exporter.model.window import FloatArray

PER_DAY = 96  # bins of a quarter of an hour
FIRST = 19_675 * PER_DAY  # 2023-11-14 00:00 UTC


def lived(
    values: FloatArray, *, offset: Callable[[float], float] = utc, first: int = FIRST, step: float = 900.0
) -> tuple[Seasons, FloatArray]:
    """Live through bins with one row each, values [time] of one series; gives what was expected of each [time]."""
    seasons = Seasons(1, Tuning(step=step, offset=offset))
    expected = np.empty(values.size)
    for place, value in enumerate(values):
        if place:
            seasons.close()
        seasons.open(first + place)
        expected[place] = seasons.expected(first + place).base[0]
        row = np.array([[value]])
        seasons.learn(row, np.isfinite(row))
    seasons.close()
    seasons.open(first + values.size)
    return seasons, expected


def days(count: float, shape: Callable[[FloatArray], FloatArray]) -> FloatArray:
    """Give a value for each bin of so many days from its time in days."""
    return shape(np.arange(round(count * PER_DAY)) / PER_DAY)


def round_the_clock(day: FloatArray) -> FloatArray:
    return 10.0 + 3.0 * np.sin(2 * np.pi * day)


def weekdays(day: FloatArray) -> FloatArray:
    """Busy in the middle of the day, on two days of seven not at all."""
    return 10.0 + np.where(day % 7 < 5, 5.0, 0.0) * np.clip(4 * np.sin(2 * np.pi * day), 0.0, 1.0)


def test_nothing_is_expected_before_anything_was_seen() -> None:
    """Not in the first bin, and after the first hours the level is."""
    _, expected = lived(np.full(PER_DAY, 7.0))
    assert np.isnan(expected[0])
    assert expected[-1] == 7.0


def test_a_level_is_expected_where_there_is_no_season() -> None:
    """Noise around 5 is expected to be 5, at every hour, however large the offset."""
    for offset in (0.0, 1.7e9):
        noise = offset + 5.0 + 0.5 * np.random.default_rng(1).standard_normal(8 * PER_DAY)
        _, expected = lived(noise)
        np.testing.assert_allclose(expected[4 * PER_DAY :] - offset, 5.0, atol=0.3)


def test_the_same_time_of_day_is_expected_where_there_is_a_day_and_a_night() -> None:
    """From the second day on a sine is known to within what a quarter of an hour changes."""
    day = days(6, round_the_clock)
    _, expected = lived(day)
    assert np.abs(expected - day)[3 * PER_DAY :].max() < 0.3


def test_the_same_time_of_the_week_is_expected_where_weekends_differ() -> None:
    """Once both have been held to a weekend: the first two are a surprise to the median over days, the third is as expected."""
    week = days(22, weekdays)
    _, expected = lived(week)
    error = np.abs(expected - week)
    assert error[5 * PER_DAY : 7 * PER_DAY].max() > 3
    assert error[19 * PER_DAY : 21 * PER_DAY].max() < 0.5


@pytest.mark.parametrize("began", [1, 6])
def test_an_incident_is_not_expected_a_week_later(began: int) -> None:
    """A week that is known later than a day has erred in it as well, else it would be right about everything it was held to."""
    quiet = np.full(15 * PER_DAY, 3.0)
    quiet[began * PER_DAY + 40 : began * PER_DAY + 60] = 2.0
    _, expected = lived(quiet)
    np.testing.assert_array_equal(expected[(began + 1) * PER_DAY :], 3.0)


def test_until_a_week_has_been_compared_for_a_week_both_are_normal() -> None:
    """What is as on this day last week is in order from the first time on: a second weekend surprises nobody, a Monday neither."""
    for count, proven in ((12.25, False), (19.25, True)):  # a Saturday morning, the second and the third
        seasons, _ = lived(days(count, weekdays))
        found = seasons.expected(FIRST + round(count * PER_DAY))
        assert found.low[0] == pytest.approx(10.0, abs=0.1)
        assert found.high[0] == pytest.approx(10.0 if proven else 15.0, abs=0.1)


def test_of_a_week_that_is_proven_an_incident_is_no_part() -> None:
    """In the third week, and later, what last week had at this hour is not normal beside what each day has."""
    for count, wide in ((10, True), (24, False)):
        values = np.full(count * PER_DAY, 3.0) + 0.01 * np.random.default_rng(1).standard_normal(count * PER_DAY)
        values[(count - 7) * PER_DAY + 40 : (count - 7) * PER_DAY + 60] = 2.0
        seasons, _ = lived(np.concatenate([values, values[:50]]))
        found = seasons.expected(FIRST + count * PER_DAY + 50)
        assert found.high[0] == pytest.approx(3.0, abs=0.05)
        assert found.low[0] == pytest.approx(2.0 if wide else 3.0, abs=0.05)


def test_what_is_unlike_both_is_a_departure() -> None:
    """Nor is a week that says what a day says anything beside it."""
    seasons, _ = lived(days(12.25, weekdays))
    scale = replace(nothing_known(1), r_spread=np.array([0.1]), known=np.array([True]))
    seen = unexpected(np.array([[10.0], [15.0], [12.0], [18.0], [7.0]]), seasons.expected(FIRST + round(12.25 * PER_DAY)), scale)
    assert np.abs(seen.r[:3, 0]).max() < 0.3
    assert np.abs(seen.r[3:, 0]).min() > 2.5
    seasons, _ = lived(days(10.25, weekdays))
    found = seasons.expected(FIRST + round(10.25 * PER_DAY))
    assert found.high[0] - found.low[0] < 0.5


def test_a_silent_day_leaves_no_older_level_behind() -> None:
    """A stretch of six hours that was left out was at no level: its place holds the one of two weeks before."""
    seasons, _ = lived(np.concatenate([np.full(16 * PER_DAY, 100.0), np.full(11 * PER_DAY, 1000.0)]))
    for bin_ in range(FIRST + 28 * PER_DAY, FIRST + 35 * PER_DAY - 1):  # the 28th day is left out
        seasons.open(bin_)
        seasons.learn(np.array([[1000.0]]), np.array([[True]]))
        seasons.close()
    last = FIRST + 35 * PER_DAY - 1  # a week after the last of the silent day, beside which one was not
    seasons.open(last)
    around = seasons._predicted(last).base[WEEKLY_AROUND]
    assert around[0] + seasons._origin[0] == pytest.approx(1000.0)


def test_a_season_follows_a_level_that_has_moved() -> None:
    """To a tenth of the shift in two days, where a day by itself takes four and a week two weeks."""
    for shape, before in ((round_the_clock, 14), (weekdays, 28)):
        values = days(before + 9, shape)
        values[before * PER_DAY :] += 20.0
        _, expected = lived(values)
        error = np.abs(expected - values)
        assert error[before * PER_DAY : (before + 1) * PER_DAY].min() > 10.0
        assert error[(before + 2) * PER_DAY :].mean() < 2.0


def test_a_week_is_known_for_good() -> None:
    """After a month the weekly candidate is still the one on Saturdays, five days after it was better last, and with noise."""
    week = days(30, weekdays)
    _, expected = lived(week + 0.3 * np.random.default_rng(4).standard_normal(week.size))
    assert np.abs(expected - week)[21 * PER_DAY :].max() < 0.9


def test_beside_a_sharp_edge_either_side_of_it_is_as_expected() -> None:
    """Office hours begin in the middle of a bin: what it and those beside it had is not far from anything in between."""
    office = days(9, lambda day: np.where((day % 1.0 > 0.4) & (day % 1.0 < 0.8), 20.0, 10.0))
    seasons, _ = lived(office, step=300.0)
    scale = replace(nothing_known(1), r_spread=np.full(1, 0.5), known=np.ones(1, dtype=np.bool_))
    begins = FIRST + 9 * PER_DAY + int(np.ceil(0.4 * PER_DAY))

    def off(value: float, bin_: int, scale: Scale = scale) -> float:
        return float(unexpected(np.array([[value]]), seasons.expected(bin_), scale).r[0, 0])

    for bin_ in (begins - 1, begins):
        assert [off(value, bin_) for value in (9.0, 11.0, 19.0, 21.0)] == pytest.approx([-2.0, 0.0, 0.0, 2.0])
    assert [off(20.0, bin_) for bin_ in (begins - 2, begins + 2)] == pytest.approx([10.0, 0.0])
    coarse, unknown = replace(scale, r_spread=np.full(1, 4.0)), nothing_known(1)
    for one in (coarse, unknown):  # what noise could be is no edge
        assert off(20.0, begins, one) == pytest.approx(20.0 - (10.0 + 20.0 + 20.0) / 3)


def test_what_a_slope_does_from_one_bin_to_the_next_is_no_edge_where_a_bin_is_a_row() -> None:
    """A row knows itself what is usual at its time; beside it is an hour or more."""
    slope = days(9, lambda day: 100.0 * np.abs(day % 1.0 - 0.5))
    scale = replace(nothing_known(1), r_spread=np.full(1, 0.01), known=np.ones(1, dtype=np.bool_))
    for step, narrow in ((300.0, False), (900.0, True)):
        seasons, _ = lived(slope, step=step)
        found = seasons.expected(FIRST + 9 * PER_DAY + 20).beside_edges(scale)
        assert (found.high - found.low)[0] == pytest.approx(0.0 if narrow else 200.0 / PER_DAY, abs=0.05)


@pytest.mark.parametrize(
    ("step", "bin_", "a_day"),
    [(1.0, 900.0, 96), (3600.0, 3600.0, 24), (5 * 3600.0, 28_800.0, 3), (43_200.0, 43_200.0, 2), (86_400.0, 86_400.0, 1)],
)
def test_bins_divide_a_day(step: float, bin_: float, a_day: int) -> None:
    """Whatever the step; rows that are rarer than days have bins of days."""
    tuning = Tuning(step=step)
    assert (tuning.bin, tuning.bins_per_day) == (bin_, a_day)
    assert Tuning(step=90_000.0).bin == 2 * 86_400.0


def test_rows_of_a_day_know_the_day_of_the_week() -> None:
    """Sundays rest; Saturday and Monday, which are beside them, do not."""
    seasons, seen = Seasons(1, Tuning(step=86_400.0)), []
    values = np.where(np.arange(70) % 7 == 6, 2.0, 10.0) + 0.1 * np.random.default_rng(6).standard_normal(70)
    for day, value in enumerate(values):
        if day:
            seasons.close()
        seasons.open(day)
        seen.append(seasons.expected(day).base[0])
        seasons.learn(np.array([[value]]), np.ones((1, 1), dtype=np.bool_))
    assert np.abs(np.array(seen) - values)[35:].max() < 0.6


@pytest.mark.parametrize("hours", [1, -1])
def test_the_season_moves_with_the_clock(hours: int) -> None:
    """The clock changes on the tenth day, and with it the load: told of it the error stays, untold it grows."""
    changed = 10 * 86_400.0 + FIRST * 900.0

    def clock(at: float) -> float:
        return 3600.0 * hours if at >= changed else 0.0

    at = np.arange(11 * PER_DAY)
    load = round_the_clock((at * 900.0 + np.where(at >= 10 * PER_DAY, 3600.0 * hours, 0.0)) / 86_400.0)
    told, untold = (np.abs(lived(load, offset=one)[1] - load)[10 * PER_DAY :].max() for one in (clock, utc))
    assert told < 0.45
    assert untold > 0.6


def test_gaps_are_nothing_and_what_lay_before_them_still_counts() -> None:
    """Half of all bins are empty, and a day is missing as a whole: the sine is still known."""
    day = days(9, round_the_clock)
    gappy = day.copy()
    gappy[np.random.default_rng(2).random(day.size) < 0.5] = np.nan
    gappy[5 * PER_DAY : 6 * PER_DAY] = np.nan
    _, expected = lived(gappy)
    assert np.abs(expected - day)[7 * PER_DAY :].max() < 0.5


def test_bins_that_are_left_out_are_gaps() -> None:
    """Jumping over a day is the same as living through it without a value."""
    day = days(4, round_the_clock)
    jumped, _ = lived(day)
    jumped.close()
    later = FIRST + 6 * PER_DAY
    jumped.open(later)
    lived_through, _ = lived(np.concatenate([day, np.full(2 * PER_DAY, np.nan)]))
    np.testing.assert_allclose(jumped.expected(later).base, lived_through.expected(later).base)


def test_what_lies_ahead_can_be_asked_for_and_nothing_is_learnt_by_it() -> None:
    """Tomorrow's bins are those of today's; the open one is expected as before."""
    seasons, _ = lived(days(5, round_the_clock))
    now = FIRST + 5 * PER_DAY
    before = seasons.expected(now).base.copy()
    for ahead in (1, 40, PER_DAY - 1):
        assert seasons.expected(now + ahead).base[0] == pytest.approx(round_the_clock(np.array([5 + ahead / PER_DAY]))[0], abs=0.4)
    np.testing.assert_array_equal(seasons.expected(now).base, before)


def test_a_new_level_is_the_level_after_thirty_hours() -> None:
    """The median of the medians of two and a half days: a day of an incident does not move it, a day and a half does."""
    for length, moved in ((1.0, False), (1.5, True)):
        seasons, _ = lived(np.concatenate([np.full(7 * PER_DAY, 5.0), np.full(round(length * PER_DAY), 9.0)]))
        assert bool(seasons.level[0] == 9.0) is moved


def test_series_come_and_go() -> None:
    """The old ones keep what they know, a new one knows nothing."""
    seasons = Seasons(2, Tuning(step=900.0))
    for place in range(2 * PER_DAY):
        if place:
            seasons.close()
        seasons.open(FIRST + place)
        row = np.array([[1.0, 2.0]])
        seasons.learn(row, np.isfinite(row))
    seasons.take(np.array([1, -1, 0]))
    expected = seasons.expected(FIRST + 2 * PER_DAY - 1).base
    assert expected[[0, 2]].tolist() == [2.0, 1.0]
    assert np.isnan(expected[1])


def test_a_gap_of_any_length_is_one_step():
    """As many bins are forgotten as are remembered, not as many as were missed."""
    seasons, _ = lived(np.full(PER_DAY, 3.0))
    later = FIRST + 10**13
    seasons.close()
    seasons.open(later)
    assert seasons.expected(later).base[0] == pytest.approx(3.0)


def test_a_season_that_explains_far_more_is_told_of_once() -> None:
    """A day and night is found on the second day, what weekdays have in common in the second week, and neither twice."""
    seasons = Seasons(3, Tuning(step=900.0))
    day = np.arange(16 * PER_DAY) / PER_DAY
    noise = 0.1 * np.random.default_rng(3).standard_normal(day.size)
    told: dict[int, list[float]] = {0: [], 1: [], 2: []}
    for place, row in enumerate(np.stack([round_the_clock(day) + noise, weekdays(day) + noise, 10.0 + noise], axis=1)):
        seasons.open(FIRST + place)
        seasons.learn(row[None], np.ones((1, 3), dtype=np.bool_))
        for series in np.flatnonzero(seasons.close()):
            told[int(series)].append(day[place])
    assert len(told[0]) == 1
    assert 1.0 < told[0][0] < 1.5
    assert len(told[1]) == 2
    assert 7.0 < told[1][1] < 16.0
    assert not told[2]


def clock_change(at: float) -> float:
    return 3600.0 if at >= 9 * 86_400.0 + FIRST * 900.0 else 0.0


def most_of_a_day(at: float) -> float:
    """Give a clock by which the same time yesterday is half an hour ago."""
    return 23.5 * clock_change(at)


@pytest.mark.parametrize("offset", [utc, clock_change, most_of_a_day])
@pytest.mark.parametrize("reach", [np.inf, 2.0])
def test_bins_gone_through_at_once_are_as_closed_and_opened_one_by_one(offset: Callable[[float], float], reach: float) -> None:
    """In runs of up to six hours and more, of bins of one to four rows, with gaps and values too wild to be learnt as they are."""
    random = np.random.default_rng(5)
    which = np.repeat(np.arange(16 * PER_DAY), random.integers(1, 5, 16 * PER_DAY))
    day = which / PER_DAY
    values = np.stack([round_the_clock(day), weekdays(day), np.full(day.size, 10.0), round_the_clock(day)], axis=1)
    values += 0.1 * random.standard_normal(values.shape)
    values[random.random(values.shape) < 0.02] += 50.0
    values[random.random(values.shape) < 0.1] = np.nan
    values[: day.size // 2, 3] = np.nan

    scale = replace(nothing_known(4), r_spread=np.full(4, 0.1), reach=np.full(4, reach), known=np.ones(4, dtype=np.bool_))
    one, found_one = Seasons(4, Tuning(step=300.0, offset=offset)), {}
    expected = np.empty((3, *values.shape))
    for bin_ in range(which[-1] + 1):
        rows = np.flatnonzero(which == bin_)
        if bin_:
            found_one[int(rows[0])] = one.close()
        one.open(FIRST + bin_)
        seen = unexpected(values[rows], one.expected(FIRST + bin_), scale)
        expected[:, rows] = np.array(astuple(seen.expected))[:, None]
        one.learn(values[rows] - seen.wild, np.isfinite(values[rows]))
    many, found_many, first, calls = Seasons(4, Tuning(step=300.0, offset=offset)), {}, 0, 0
    while first < day.size:
        found_many[first] = found_many.get(first, np.zeros(4, dtype=np.bool_)) | many.close()
        many.open(FIRST + int(which[first]))
        last = int(np.searchsorted(which, which[first] + random.integers(1, 40)))
        seen = many.through(values[first:last], which[first:last] - which[first], scale, over=last < day.size)
        for said, each in zip(astuple(seen.expected), expected, strict=True):
            np.testing.assert_array_equal(np.broadcast_to(said, seen.r.shape), each[first : first + len(seen.r)])
        found_many |= {first + row: found_many.get(first + row, False) | found for row, found in seen.found}
        first, calls = first + len(seen.r), calls + 1
    assert calls < which[-1] / 4
    for row, found in found_one.items():
        np.testing.assert_array_equal(found_many.get(row, np.zeros(4, dtype=np.bool_)), found)
    assert sum(found.sum() for found in found_one.values()) > 2
    for ahead in range(PER_DAY):
        at = FIRST + int(which[-1]) + ahead
        np.testing.assert_array_equal(astuple(many.expected(at)), astuple(one.expected(at)))


def test_means_of_bins_come_in_the_order_of_time_and_the_open_one_has_none() -> None:
    """However often the memory has gone round; once it is over it has."""
    seasons, _ = lived(np.arange(40.0 * PER_DAY))
    means = seasons.means(np.array([0]))[:, 0]
    assert np.isnan(means[-1])
    assert means[-PER_DAY:-1].tolist() == list(range(39 * PER_DAY + 1, 40 * PER_DAY))
    assert np.all(np.diff(means[:-1]) == 1.0)
    seasons.learn(np.array([[9.0]]), np.array([[True]]))
    seasons.close()
    assert seasons.means(np.array([0]))[-1, 0] == 9.0
