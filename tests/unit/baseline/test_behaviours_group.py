"""What happens to six metrics of one instance that are judged together, named by what happens to them. Five minutes a reading."""

import numpy as np
import pytest

from lens_exporter.baseline.detection.engine import Engine
from lens_exporter.baseline.detection.tuning import Tuning
from lens_exporter.model.decision import Phase, Rule
from lens_exporter.model.metric import Direction
from tests.unit.baseline.lives import BEGINS, DAY, HOUR, MEMBERS, STEP, Watch, group, lone, noise

NAN = float("nan")
AT = 8 * DAY + 9 * HOUR  # the row at which something happens
ROWS = AT + 3 * DAY + 12 * HOUR
LOOKS = [*range(AT - 3, AT + 40), *range(AT + 40, ROWS, 24)]
SCALES = (1e-9, 1e-3, 1.0, 1e3, 1e6, 1e9)
rng = np.random.default_rng(7)
lost = {name: rng.random(ROWS) < 0.2 for name in MEMBERS}


def times(factor, names=MEMBERS[:3], first=AT, rows=None):
    """Multiply some metrics from a row on."""

    def change(values):
        for name in names:
            values[name][first : None if rows is None else first + rows] *= factor

    return change


def becomes(value, names=MEMBERS, first=AT, rows=None):
    def change(values):
        for name in names:
            values[name][first : None if rows is None else first + rows] = value

    return change


def level(values):
    """No season, noise alone."""
    for place, name in enumerate(MEMBERS):
        values[name][:] = noise(ROWS, level=10.0 + place, seed=place)


def constant(values):
    for place, name in enumerate(MEMBERS):
        values[name][:] = 10.0 + place


def whole(values):
    """Small counts."""
    for place, name in enumerate(MEMBERS):
        values[name][:] = np.random.default_rng(place).integers(3, 8, ROWS)


def both(*changes):
    return lambda values: [change(values) for change in changes]


def in_units(*scales):
    def change(values):
        for name, scale in zip(MEMBERS, scales, strict=True):
            values[name] *= scale

    return change


def begun_late(hours):
    return becomes(NAN, first=0, rows=AT - hours * HOUR)


def gaps(values):
    for name in MEMBERS:
        values[name][lost[name]] = NAN


def climbs(values):
    """Memory climbs to its limit in ten hours, while the others are as ever."""
    values["memory"][:] = noise(ROWS, level=0.3, width=0.002)
    values["memory"][AT:] += 0.7 / (10 * HOUR) * np.arange(ROWS - AT)


def season_begins(values):
    for place, name in enumerate(MEMBERS):
        values[name][:] = noise(ROWS, level=10.0 + place, seed=place)
        values[name][AT:] -= 3.0 * np.cos(2 * np.pi * np.arange(ROWS - AT) / DAY)


def percentages(values):
    """Three of six move by half a percentage point, fifty times their noise."""
    for place, name in enumerate(MEMBERS):
        values[name][:] = noise(ROWS, level=40.0, width=0.01, seed=place)
    for name in MEMBERS[:3]:
        values[name][AT : AT + 24] += 0.5


def declared(**one):
    return dict.fromkeys(MEMBERS, one)


def small(value):
    return becomes(value, ("cpu",), rows=24)


LIVES = {
    "quiet": group(ROWS),
    "constant": group(ROWS, constant),
    "constant, then one is not": group(ROWS, both(constant, small(12.0))),
    "small counts": group(ROWS, whole),
    "gaps": group(ROWS, gaps),
    "gaps, then off": group(ROWS, both(gaps, times(2.0, rows=24))),
    "silent for two hours": group(ROWS, becomes(NAN, rows=24)),
    "one is silent": group(ROWS, becomes(NAN, ("cpu",))),
    "dead": group(ROWS, becomes(NAN)),
    "restarted": group(ROWS, both(becomes(NAN, rows=1), becomes(0.0, first=AT + 1, rows=1))),
    "incident": group(ROWS, times(2.0, rows=24)),
    "level shift": group(ROWS, both(level, times(1.5))),
    "level shift of a season": group(ROWS, times(2.0, ("cpu",))),
    "season that comes late": group(ROWS, season_begins),
    "climbs to its limit": group(ROWS, climbs, memory={"full": 1.0, "unit": "ratio"}),
    "spike of everything": group(ROWS, times(5.0, MEMBERS, rows=1)),
    "spike of one": group(ROWS, times(20.0, ("errors",), rows=1)),
    "dip of everything": group(ROWS, becomes(0.0, rows=1)),
    "incident on two days": group(ROWS, both(times(2.0, rows=36), times(2.0, first=AT + DAY, rows=36))),
    "same units": group(ROWS, times(1.5, rows=24)),
    "units apart by 10^18": group(ROWS, both(times(1.5, rows=24), in_units(*SCALES))),
    "terabytes": group(ROWS, both(times(1.5, rows=24), in_units(*[1e12] * 6))),
    "percent": group(ROWS, percentages, **declared(unit="percent")),
    "numbers like it": group(ROWS, percentages),
    "up, only down is bad": group(ROWS, times(2.0, rows=24), **declared(direction=Direction.DOWN)),
    "down, only down is bad": group(ROWS, times(0.5, rows=24), **declared(direction=Direction.DOWN)),
    "less than min_change": group(ROWS, times(2.0, rows=24), **declared(min_change=30.0)),
    "less than min_change_ratio": group(ROWS, times(2.0, rows=24), **declared(min_change_ratio=1.5)),
    "strong one is harmless": group(
        ROWS, both(times(4.0, ("latency",), rows=24), times(2.0, ("queue",), rows=24)), latency={"min_change": 1e3}
    ),
}


@pytest.fixture(scope="module")
def seen():
    return Watch(LIVES).through(LOOKS)


@pytest.mark.parametrize(
    "life",
    [
        "quiet",
        "constant",
        "small counts",
        "gaps",
        "silent for two hours",
        "one is silent",
        "dead",
        "restarted",
        "spike of everything",
        "spike of one",
        "dip of everything",
        "percent",
        "up, only down is bad",
        "less than min_change",
        "less than min_change_ratio",
    ],
)
def test_this_wakes_nobody(seen, life):
    """No reading of it is an anomaly."""
    assert seen[life].alarmed == []
    assert seen[life].observations


@pytest.mark.parametrize(
    ("life", "side"),
    [
        ("constant, then one is not", "high"),
        ("gaps, then off", "high"),
        ("incident", "high"),
        ("level shift", "high"),
        ("level shift of a season", "high"),
        ("same units", "high"),
        ("units apart by 10^18", "high"),
        ("numbers like it", "high"),
        ("down, only down is bad", "low"),
    ],
)
def test_this_is_one_alert_within_twenty_minutes(seen, life, side):
    """It begins at the third reading or the fourth, once, whoever carries it, and is over in the end."""
    ((row, began),) = seen[life].begun
    assert AT + 2 <= row <= AT + 4
    assert began.endswith(side)
    assert len(seen[life].over) == 1


def test_a_young_instance_is_watched_from_its_first_hour():
    """One that has just begun, and a new metric of an old one, are quiet; fourfold is told within four readings and only while it lasts.

    After an hour and after six each metric is judged by itself, later all together.
    """
    lives = {
        "new": group(ROWS, begun_late(0)),
        "a metric is new": group(ROWS, becomes(NAN, ("queue",), first=0, rows=AT)),
        **{f"{hours} h": group(ROWS, both(begun_late(hours), times(4.0, rows=6))) for hours in (1, 6, 24, 48)},
    }
    seen = Watch(lives).through([AT - 1, AT + 1, AT + 2, AT + 3, AT + 5, AT + 8, AT + 9, AT + 12])
    assert seen["new"].alarmed == seen["a metric is new"].alarmed == []
    for hours in (1, 6, 24, 48):
        alarmed = seen[f"{hours} h"].alarmed
        assert AT + 1 <= min(alarmed) <= AT + 3, hours
        assert max(alarmed) <= AT + 8, hours


@pytest.mark.parametrize("wild", [1e3, 1e6, 1.8e19])
def test_one_wild_reading_hides_nothing_that_comes_after_it(wild):
    """A counter that underflowed a day or six before: fivefold is told, together and alone, and the band is of what is usual."""
    lives = {}
    for days in (1, 6):
        spike, later = becomes(wild, ("latency",), first=AT - days * DAY, rows=1), times(5.0, ("latency",))
        lives[f"together {days}"] = group(ROWS, both(spike, later))
        values = noise(ROWS)
        values[AT - days * DAY] = wild
        values[AT:] *= 5.0
        lives[f"alone {days}"] = lone(values)
    seen = Watch(lives).through(range(AT - 1, AT + 6))
    for life, metric in ((life, "load" if "alone" in life else "latency") for life in lives):
        before = seen[life].at(AT - 1, metric)
        assert before.upper < 3 * before.expected, life
        assert len(seen[life].begun) == 1, life


def test_the_group_has_forgotten_a_wild_reading_within_the_hour():
    """The score that lasts covers six readings, the mean that a jump is measured from some more; both learn it as far as the reach."""
    engine = Engine(len(MEMBERS), [range(len(MEMBERS))], Tuning(step=300.0))
    values = np.array(list(group(ROWS, becomes(1e4, ("latency",), first=AT, rows=1)).values.values()))
    scored = engine.advance(BEGINS + 300.0 * np.arange(ROWS), values)
    assert scored.groups.anomaly[0, AT]
    assert not scored.groups.anomaly[0, AT + 9 : AT + DAY].any()


def test_the_readings_after_a_spike_are_normal(seen):
    """The metrics are where they were; that their score together takes a while to fall raises nothing."""
    for life in ("spike of everything", "spike of one", "dip of everything"):
        assert seen[life].at(AT + 1, "errors").phase is Phase.NORMAL


def test_a_level_shift_is_announced_once_and_learnt_within_two_days(seen):
    """One alert for as long as it is news; the score of the group is below its threshold from the third day on."""
    for life in ("level shift", "level shift of a season"):
        assert len(seen[life].begun) == 1, life
        assert max(seen[life].alarmed) <= AT + 2 * DAY, life
        assert seen[life].groups[LOOKS[-1]].score < seen[life].groups[LOOKS[-1]].threshold, life


def test_a_season_that_comes_late_is_known_after_three_days(seen):
    """It is told while it is new, and no longer two hours into the fourth day."""
    assert seen["season that comes late"].alarmed
    assert max(seen["season that comes late"].alarmed) <= AT + 3 * DAY + 2 * HOUR


def test_a_limit_that_comes_near_is_a_rule_of_its_own(seen):
    """In the last of ten hours the forecast speaks, whatever the group says."""
    full = AT + 10 * HOUR
    warned = [row for row, decision in seen["climbs to its limit"].alarms if Rule.EXHAUSTION in decision.rules]
    assert warned
    assert all(full - 2 * HOUR <= row for row in warned)


def test_an_incident_of_hours_neither_blinds_the_threshold_nor_is_learnt(seen):
    """Three hours are told until they end; a day later the threshold is within a tenth, and bands within a quarter, of before."""
    life = seen["incident on two days"]
    assert [row for row in LOOKS if AT + 2 <= row < AT + 36] == [row for row in life.alarmed if row < AT + 36]
    assert len(life.begun) == 2
    assert AT + DAY <= life.begun[1][0] <= AT + DAY + 36
    before, after = (max(row for row in life.groups if row < at) for at in (AT, AT + DAY))
    assert life.groups[after].threshold == pytest.approx(life.groups[before].threshold, rel=0.1)
    for name in MEMBERS:
        then, now = (life.at(row, name) for row in (before, after))
        assert now.upper - now.expected == pytest.approx(then.upper - then.expected, rel=0.25), name


def test_members_may_differ_by_any_factor(seen):
    """Nanoseconds beside terabytes: the same alerts, at the same readings, carried by the same metrics, at the same scores."""
    plain = seen["same units"]
    for life in ("units apart by 10^18", "terabytes"):
        assert [(row, found.anomaly_type) for row, found in seen[life].alarms] == [(row, x.anomaly_type) for row, x in plain.alarms]
        assert seen[life].groups[AT + 5].score == pytest.approx(plain.groups[AT + 5].score, rel=1e-4)


def test_the_strongest_that_is_worth_telling_speaks(seen):
    """Latency departs most, but by less than was declared: the queue carries the alarm."""
    assert {decision.anomaly_type for _, decision in seen["strong one is harmless"].alarms} == {"queue_high"}


def test_a_missing_value_counts_only_where_it_is_asked_for():
    """Silence of one metric, of all, and of a lone series: three readings make it an alert, which ends when it has become usual."""
    lives = {
        "one": group(AT + DAY, lambda values: values["cpu"].__setitem__(slice(AT, None), NAN)),
        "all": group(AT + DAY, lambda values: [values[name].__setitem__(slice(AT, None), NAN) for name in MEMBERS]),
        "an hour": group(AT + DAY, lambda values: values["cpu"].__setitem__(slice(AT, AT + 12), NAN)),
        "two readings": group(AT + DAY, lambda values: values["cpu"].__setitem__(slice(AT, AT + 2), NAN)),
        "often": group(AT + DAY, lambda values: values["cpu"].__setitem__(lost["cpu"][: AT + DAY], NAN)),
    }
    seen = Watch(lives, missing=True).through([*range(AT - 2, AT + 20), *range(AT + 20, AT + DAY, 12)])
    assert seen["one"].begun == [(AT + 2, "cpu_missing")]
    assert [kind.endswith("_missing") for _, kind in seen["all"].begun] == [True]
    assert seen["an hour"].begun == [(AT + 2, "cpu_missing")]
    assert seen["an hour"].over
    assert seen["two readings"].alarmed == seen["often"].alarmed == []
    assert AT + 6 * HOUR < max(seen["one"].alarmed) < AT + 12 * HOUR
    ((_, decision),) = [found for found in seen["one"].alarms if found[0] == AT + 2]
    assert decision.summary == "one: cpu of one has no value; " + decision.summary.split("; ")[1]
    assert "Without a value for 3 readings; it nearly always has one." in decision.description
    assert decision.since == seen["one"].at(AT, "cpu").at


def test_what_nobody_looked_at_is_not_missing():
    """An outage of Prometheus is none of what it scrapes; who stays away after it for three readings is missing."""
    outage = slice(AT, AT + 24)

    def everything(values, until=AT + 24):
        for name in MEMBERS:
            values[name][AT:until] = NAN

    lives = {
        "all": group(AT + DAY, everything),
        "a reading later": group(AT + DAY, lambda values: everything(values, AT + 25)),
        "for good": group(AT + DAY, lambda values: everything(values, None)),
        "before it already": group(AT + DAY, lambda values: values["cpu"].__setitem__(slice(AT - 12, None), NAN)),
    }
    scraped = BEGINS + STEP * np.arange(AT + DAY)
    scraped[outage] = NAN
    rows = [*range(AT - 14, AT + 40)]
    seen = Watch(lives, missing=True, scraped=scraped).through(rows)
    assert seen["all"].alarmed == seen["a reading later"].alarmed == []
    assert seen["for good"].begun[0][0] == AT + 26
    assert seen["before it already"].begun[0] == (AT - 10, "cpu_missing")
    unknown = Watch(lives, missing=True, scraped=np.full(AT + DAY, NAN)).through(rows)  # nothing is scraped here, ever
    assert [kind.endswith("_missing") for _, kind in unknown["all"].begun] == [True]
