"""What happens to a series that is judged by itself, named by what happens to it. Five minutes a reading; a week and more is known."""

import re

import numpy as np
import pytest

from lens_exporter.model.decision import Phase, Rule
from lens_exporter.model.metric import Direction
from tests.unit.baseline.lives import BEGINS, DAY, HOUR, Watch, daily, lone, noise, raised, with_

NAN = float("nan")
AT = 8 * DAY + 9 * HOUR  # the row at which something happens
ROWS = AT + 2 * DAY
LOOKS = [*range(AT - 3, AT + 40), *range(AT + 40, ROWS, 12)]
FACTORS = (1e-9, 1.0, 1e9, 1e12)
rng = np.random.default_rng(7)
lost = rng.random(ROWS) < 0.3
lost &= ~np.roll(lost, 1)  # never two in a row


def repeated(course):
    """A scrape interval longer than the step: some samples stand in two columns."""
    return np.where(lost & (np.arange(ROWS) > 0), np.roll(course, 1), course)


def restart(first, back):
    """A gauge that is gone for one reading, begins again at 0 and is back where it was after so many readings."""
    course = with_(noise(ROWS, level=50.0), NAN, first, 1)
    course[first + 1 : first + 1 + back] = np.linspace(0.0, 50.0, back, endpoint=False)
    return course


def leak(course, per_reading):
    return course + per_reading * np.maximum(0, np.arange(ROWS) - AT)


def thrice(to, rows):
    """At one value for an hour two days before, and the day before, and then for so many readings: it is no news any more."""
    return with_(with_(with_(noise(ROWS), to, AT - 50 * HOUR, 12), to, AT - 30 * HOUR, 12), to, AT, rows)


WIDE = rng.integers(8, 17, ROWS).astype(float)
LIVES = {
    "constant": lone(np.full(ROWS, 45.0)),
    "constant but for rounding": lone(45.0 * (1 + 1e-9 * rng.standard_normal(ROWS))),
    "constant, then 46": lone(with_(np.full(ROWS, 45.0), 46.0, AT)),
    "never an error, then three": lone(with_(np.zeros(ROWS), 3.0, AT, 6)),
    "quiet": lone(noise(ROWS)),
    "day and night": lone(daily(ROWS)),
    "silent for two hours": lone(with_(noise(ROWS), NAN, AT, 24)),
    "infinite for two hours": lone(with_(noise(ROWS), np.inf, AT, 24)),
    "silent, then elsewhere": lone(raised(with_(noise(ROWS), NAN, AT, 24), 5.0, AT + 24, 12)),
    "irregular": lone(np.where(lost, NAN, noise(ROWS))),
    "irregular, then off": lone(np.where(lost, NAN, raised(noise(ROWS), 5.0, AT, 24))),
    "off, and two readings are lost": lone(with_(raised(noise(ROWS), 5.0, AT, 24), NAN, AT + 8, 2)),
    "repeated": lone(repeated(noise(ROWS))),
    "rate over a reset": lone(with_(with_(noise(ROWS, level=5.0), 0.0, AT, 1), NAN, AT + 1, 1)),
    "resets every day and a half": lone((np.arange(ROWS) % (DAY * 3 // 2)) + 0.1 * rng.standard_normal(ROWS)),
    "restarts at once": lone(restart(AT, 1)),
    "restarts within an hour": lone(restart(AT, 12)),
    "restarts within an hour, only up is bad": lone(restart(AT, 12), direction=Direction.UP),
    "new": lone(with_(noise(ROWS), NAN, 0, AT)),
    "dead": lone(with_(noise(ROWS), NAN, AT)),
    "level shift": lone(raised(noise(ROWS), 5.0, AT)),
    "level shift of a season": lone(daily(ROWS) * np.where(np.arange(ROWS) < AT, 1.0, 2.0)),
    "a third more for good": lone(raised(noise(ROWS, width=1.0), 3.0, AT)),
    "a third more for an hour": lone(raised(noise(ROWS, width=1.0), 3.0, AT, 12)),
    "a third more, only down is bad": lone(raised(noise(ROWS, width=1.0), 3.0, AT), direction=Direction.DOWN),
    "a third more, less than min_change": lone(raised(noise(ROWS, width=1.0), 3.0, AT), min_change=4.0),
    "half a percent for an hour, mostly none": lone(
        with_(np.where(rng.random(ROWS) < 0.02, 0.004, 0.0001), 0.005, AT, 12), unit="ratio", direction=Direction.UP
    ),
    "slow leak": lone(leak(noise(ROWS), 0.015)),
    "leak towards a limit": lone(leak(noise(ROWS, level=0.3, width=0.002), 0.7 / (10 * HOUR)), full=1.0, unit="ratio"),
    "season that comes late": lone(
        noise(ROWS) - 3.0 * np.where(np.arange(ROWS) < AT, 0.0, np.cos(2 * np.pi * (np.arange(ROWS) - AT) / DAY))
    ),
    "spike": lone(raised(noise(ROWS), 20.0, AT, 1)),
    "dip": lone(raised(noise(ROWS), -9.0, AT, 1)),
    "to half of where a spike was": lone(raised(raised(noise(ROWS), 20.0, AT - 2 * DAY, 1), 10.0, AT, 12)),
    "whole numbers": lone(WIDE),
    "whole numbers, one more than ever": lone(with_(WIDE, 17.0, AT, 6)),
    "whole numbers, a leap": lone(with_(WIDE, 40.0, AT, 12)),
    "rounded to quarters": lone(np.round(4 * noise(ROWS)) / 4),
    "incident on two days": lone(raised(raised(noise(ROWS), 5.0, AT, 36), 5.0, AT + DAY, 36)),
    "far out as twice before": lone(thrice(14.0, 2)),
    "little further than its band, for half an hour": lone(thrice(11.8, 6)),
    "little further than its band, for twenty minutes": lone(thrice(11.8, 4)),
    "percent": lone(raised(noise(ROWS, level=40.0, width=0.01), 0.3, AT), unit="percent"),
    "a number like it": lone(raised(noise(ROWS, level=40.0, width=0.01), 0.3, AT)),
    "bytes of a limit": lone(raised(noise(ROWS, level=1e9, width=1e6), 5e7, AT), unit="bytes", full=1e11),
    "bytes": lone(raised(noise(ROWS, level=1e9, width=1e6), 5e7, AT), unit="bytes"),
    "up, only down is bad": lone(raised(noise(ROWS), 5.0, AT, 24), direction=Direction.DOWN),
    "down, only down is bad": lone(raised(noise(ROWS), -5.0, AT, 24), direction=Direction.DOWN),
    "less than min_change": lone(raised(noise(ROWS), 5.0, AT, 24), min_change=7.0),
    "more than min_change": lone(raised(noise(ROWS), 5.0, AT, 24), min_change=3.0),
    "less than min_change_ratio": lone(raised(noise(ROWS), 5.0, AT, 24), min_change_ratio=0.7),
    "more than min_change_ratio": lone(raised(noise(ROWS), 5.0, AT, 24), min_change_ratio=0.3),
    "ratio near 0": lone(np.clip(noise(ROWS, level=0.02, width=0.02), 0.0, 1.0), unit="ratio"),
    "ratio near 1": lone(np.clip(noise(ROWS, level=0.98, width=0.02), 0.0, 1.0), unit="ratio"),
    **{f"raised, times {factor:g}": lone(factor * raised(noise(ROWS), 5.0, AT, 24)) for factor in FACTORS},
}


@pytest.fixture(scope="module")
def seen():
    return Watch(LIVES).through(LOOKS)


@pytest.mark.parametrize(
    "life",
    [
        "constant",
        "constant but for rounding",
        "quiet",
        "day and night",
        "silent for two hours",
        "infinite for two hours",
        "irregular",
        "repeated",
        "rate over a reset",
        "resets every day and a half",
        "restarts at once",
        "restarts within an hour, only up is bad",
        "new",
        "dead",
        "spike",
        "dip",
        "whole numbers",
        "whole numbers, one more than ever",
        "little further than its band, for twenty minutes",
        "rounded to quarters",
        "percent",
        "bytes of a limit",
        "up, only down is bad",
        "less than min_change",
        "less than min_change_ratio",
        "a third more, only down is bad",
        "a third more, less than min_change",
        "ratio near 0",
        "ratio near 1",
    ],
)
def test_this_wakes_nobody(seen, life):
    """No reading of it is an anomaly."""
    assert seen[life].alarmed == []
    assert seen[life].observations


@pytest.mark.parametrize(
    ("life", "kind"),
    [
        ("constant, then 46", "load_high"),
        ("never an error, then three", "load_high"),
        ("irregular, then off", "load_high"),
        ("off, and two readings are lost", "load_high"),
        ("restarts within an hour", "load_low"),
        ("level shift", "load_high"),
        ("level shift of a season", "load_high"),
        ("whole numbers, a leap", "load_high"),
        ("a number like it", "load_high"),
        ("bytes", "load_high"),
        ("down, only down is bad", "load_low"),
        ("more than min_change", "load_high"),
        ("more than min_change_ratio", "load_high"),
    ],
)
def test_this_is_one_alert_within_a_quarter_of_an_hour(seen, life, kind):
    """It begins at the second reading or the third, once, and is over in the end."""
    ((row, began),) = seen[life].begun
    assert (AT < row <= AT + 3, began) == (True, kind)
    assert len(seen[life].over) == 1


def test_a_gap_is_a_phase_and_what_comes_after_it_is_judged_like_any_other(seen):
    """Missing while it lasts, normal right after; at another level it is an alert at the second reading."""
    assert seen["silent for two hours"].at(AT + 5).phase is Phase.MISSING
    assert seen["infinite for two hours"].at(AT + 5).phase is Phase.MISSING
    assert seen["silent for two hours"].at(AT + 24).phase is Phase.NORMAL
    assert seen["silent, then elsewhere"].begun == [(AT + 25, "load_high")]


def test_a_spike_of_one_sample_is_noted_and_nothing_more(seen):
    """It deviates at its reading; the one after it is as normal as the one before."""
    for life in ("spike", "dip"):
        assert [seen[life].at(row).phase for row in (AT - 1, AT, AT + 1)] == [Phase.NORMAL, Phase.DEVIATING, Phase.NORMAL]


def test_a_jump_is_told_as_what_it_is(seen):
    """A value unlike all that are remembered, though a spike went further: the words do not speak of how far."""
    row, decision = seen["to half of where a spike was"].alarms[0]
    assert (row, decision.rule) == (AT + 1, Rule.JUMP)
    assert decision.description.splitlines()[0] == (
        "Above its band for 2 readings, since 09:00 UTC. It jumped to a value unlike any that is remembered."
    )


def test_a_dead_series_is_forgotten_after_thirty_readings(seen):
    """Missing at first, then no word about it."""
    assert seen["dead"].at(AT + 20).phase is Phase.MISSING
    assert AT + 40 not in seen["dead"].observations


def test_a_level_shift_is_learnt_within_a_day(seen):
    """The alert is over, and the new level is normal, 24 hours after it came; nothing is said about it on the day after that."""
    for life in ("constant, then 46", "level shift", "level shift of a season"):
        assert max(seen[life].alarmed) <= AT + DAY, life
        assert seen[life].at(LOOKS[-1]).phase is Phase.NORMAL, life


def test_a_drift_that_no_reading_reveals_is_told_within_a_day(seen):
    """Each reading moves by a twentieth of the noise."""
    first, kind = seen["slow leak"].begun[0]
    assert (AT < first <= AT + DAY, kind) == (True, "load_high")


@pytest.mark.parametrize(
    ("life", "readings"), [("far out as twice before", 2), ("little further than its band, for half an hour", 6)]
)
def test_what_was_there_before_is_told_by_how_far_it_is_and_how_long(seen, life, readings):
    """It is no news; two readings further out than the budget allows are told, a band that is left by little for half an hour."""
    assert [(row, decision.rules) for row, decision in seen[life].alarms[:1]] == [(AT + readings - 1, (Rule.CONSECUTIVE,))]


def test_a_limit_that_comes_near_is_a_rule_of_its_own(seen):
    """Full in ten hours: within the last hour the forecast speaks, and names the hour to within ten minutes."""
    rules = {row: decision.rules for row, decision in seen["leak towards a limit"].alarms}
    full = AT + 10 * HOUR
    assert all(Rule.EXHAUSTION not in found for row, found in rules.items() if row < full - 2 * HOUR)
    during = [row for row in rules if full - HOUR < row < full and Rule.EXHAUSTION in rules[row]]
    assert during
    forecast = seen["leak towards a limit"].at(during[-1]).full_at
    assert (forecast - seen["leak towards a limit"].at(during[-1]).at) / 300.0 == pytest.approx(full - during[-1], abs=2.5)


def test_a_season_that_comes_late_is_told_on_its_first_day_only(seen):
    """At most once for each side, then it is how the series is."""
    assert len(seen["season that comes late"].begun) <= 2
    assert max(seen["season that comes late"].alarmed) <= AT + DAY


def test_a_shift_that_no_reading_tells_is_told_by_all_of_them(seen):
    """Three deviations: within two hours, once, with the mean of the last readings for a value, and for half a day at most."""
    life = seen["a third more for good"]
    assert [kind for _, kind in life.begun] == ["load_high"]
    assert life.begun[0][0] <= AT + 2 * HOUR
    assert life.alarmed[-1] <= AT + 15 * HOUR
    first = life.alarms[0][1]
    assert first.rule is Rule.SUSTAINED
    assert re.search(r"load of .* at about 1[23]\.?\d* for at least 30 min; about 10 is usual at this hour", first.summary)
    assert re.search(r"is the mean of its last \d readings; single ones may be within \d.* to 1\d", first.description)
    assert AT * 300.0 <= first.since - BEGINS < life.alarms[0][0] * 300.0


def test_what_is_little_of_a_share_is_much_where_there_was_hardly_any(seen):
    """Half a percent of errors, within what single readings reach: told while it lasts, and over soon after."""
    life = seen["half a percent for an hour, mostly none"]
    assert len(life.begun) == 1
    assert AT <= life.begun[0][0] <= AT + 6
    assert life.alarmed[-1] < AT + 12
    assert life.over[0] <= AT + 12 + HOUR


def test_an_incident_of_hours_is_not_learnt_while_it_lasts_and_fires_again_the_next_day(seen):
    """Three hours are told from the second reading to the last, and so are those of the next day."""
    life = seen["incident on two days"]
    assert [row for row in range(AT + 1, AT + 36) if row in life.observations] == [row for row in life.alarmed if row < AT + DAY]
    assert len(life.begun) == 2
    assert AT + DAY <= life.begun[1][0] <= AT + DAY + 12  # looked at once an hour by then


def test_the_unit_does_not_matter(seen):
    """Nanoseconds, or bytes by the terabyte: the same alerts at the same readings."""
    begun = [seen[f"raised, times {factor:g}"].begun for factor in FACTORS]
    assert begun[0] == [(AT + 1, "load_high")]
    assert all(other == begun[0] for other in begun)
    alarmed = [seen[f"raised, times {factor:g}"].alarmed for factor in FACTORS]
    assert all(other == alarmed[0] for other in alarmed)


def test_the_band_of_a_ratio_never_leaves_0_to_1(seen):
    """Near empty or near full, at every reading; and it still has room on the other side."""
    for row in LOOKS:
        low, high = seen["ratio near 0"].at(row), seen["ratio near 1"].at(row)
        assert 0.0 <= low.lower <= low.expected < low.upper <= 1.0
        assert 0.0 <= high.lower < high.expected <= high.upper <= 1.0


@pytest.mark.parametrize(("out", "period"), [(3, 13), (3, 20), (10, 20), (3, 45)])
def test_what_flaps_for_three_hours_is_two_alerts(out, period):
    """So many minutes of every `period`, at a step of a minute: the second alert stays on until all of it is over."""
    day = 24 * 60
    since = np.arange(9 * day) - 8 * day
    flapping = (since >= 0) & (since < 180) & (since % period < out)
    life = lone(noise(9 * day) + np.where(flapping, 5.0, 0.0))
    seen = Watch({"flaps": life}, step=60.0).through(range(8 * day - 3, 8 * day + 300))["flaps"]
    last = int(np.flatnonzero(flapping)[-1])
    assert [row for row, _ in seen.begun] == [8 * day + 1, 8 * day + period + 1]
    assert last < seen.over[-1] <= last + period + 5
