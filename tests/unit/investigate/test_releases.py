"""A release beside the one before it: what came with it, what did not, and what nobody can tell."""

import numpy as np
import pytest

from lens_exporter.investigate.releases import ReleaseVerdict, compare

STEP, POINTS = 120.0, 780
TIMES = STEP * np.arange(POINTS)
HOUR = round(3600 / STEP)
CAME, SAME, OTHERWISE = ReleaseVerdict.CAME_WITH_IT, ReleaseVerdict.AS_BEFORE, ReleaseVerdict.OTHERWISE


def white(noise):
    """Give a maker of courses around 1, each with its own noise."""
    return lambda random: lambda: np.exp(noise * random.standard_normal(POINTS))


def wandering(width, hours):
    """The same, under a load that all pods share and that wanders."""

    def made(random):
        keeps = np.exp(-1 / (hours * HOUR))
        shared = np.zeros(POINTS)
        pushed = np.sqrt(1 - keeps * keeps) * random.standard_normal(POINTS)
        for at in range(1, POINTS):
            shared[at] = keeps * shared[at - 1] + pushed[at]
        return lambda: np.exp(width * shared + 0.1 * random.standard_normal(POINTS))

    return made


def between(values, first, last=POINTS):
    there = np.full(POINTS, np.nan)
    there[first:last] = values[first:last]
    return there


def released(course, seed, began, factor=1.0, pods=3, own=1.0):
    """Replace pods by others that have `factor` as much; the first of them has `own` times that."""
    random = np.random.default_rng(seed)
    one = course(random)
    old = np.array([between(one(), 0, began) for _ in range(pods)])
    new = np.array([between(factor * one(), began) for _ in range(pods)])
    new[0] *= own
    return compare(TIMES, {"a": old, "b": new}, "b", new[0])


COURSES = {
    "noise of 15 %": white(0.15),
    "noise of 30 %": white(0.3),
    "a load that wanders in 20 minutes": wandering(0.15, 1 / 3),
    "a load that wanders in hours": wandering(0.15, 3),
}


@pytest.mark.parametrize("minutes", [12, 40, 90])
@pytest.mark.parametrize("course", COURSES.values(), ids=COURSES)
def test_a_release_that_changed_nothing_is_not_blamed(course, minutes):
    """Not once in twenty, though pods are few and noisy; in none of 3,600 by bench-like trials."""
    verdicts = [released(course, seed, POINTS - minutes * HOUR // 60).verdict for seed in range(20)]
    assert CAME not in verdicts
    assert SAME in verdicts


@pytest.mark.parametrize("course", COURSES.values(), ids=COURSES)
def test_twice_as_much_is_blamed_and_half_as_much_again_never_ruled_out(course):
    began = POINTS - 40 * HOUR // 60
    assert sum(released(course, seed, began, 2.0).verdict is CAME for seed in range(20)) >= 12
    assert SAME not in [released(course, seed, began, 1.5).verdict for seed in range(20)]


def test_what_is_told_is_what_was():
    found = released(white(0.05), 1, POINTS - HOUR, 3.0)
    assert (found.verdict, found.release, found.before, found.beside, found.pods) == (CAME, "b", "a", False, 3)
    assert found.since == TIMES[POINTS - HOUR]
    assert found.level == pytest.approx(3.0, rel=0.1)
    assert found.was == pytest.approx(1.0, rel=0.1)
    assert 0.9 < found.least < found.was < found.most < 1.1


def test_one_bad_pod_is_alone():
    found = released(white(0.05), 1, POINTS - HOUR, own=4.0)
    assert found.verdict is SAME
    assert found.alone
    assert found.own == pytest.approx(4.0, rel=0.1)


def test_a_little_more_everywhere_does_not_explain_one_pod_that_has_much_more():
    assert released(white(0.02), 1, POINTS - HOUR, factor=1.3, own=4.0).verdict is OTHERWISE


def test_more_in_one_pod_is_not_blamed_on_less_in_all():
    """New pods have yet to fill: what is too much in one of them is not that the others have little."""
    assert released(white(0.02), 1, POINTS - HOUR, factor=0.3, own=6.0).verdict is OTHERWISE


def course_of(values, began, later=None):
    """One pod each, that goes along `values`, and from the release on along `later`."""
    new = between(values if later is None else later, began)
    return compare(TIMES, {"a": between(values, 0, began)[None], "b": new[None]}, "b", new)


HOURS = np.arange(POINTS) / HOUR


@pytest.mark.parametrize(
    "values",
    [
        1.0 + np.maximum(0.0, HOURS - 20.0),
        2.0 - np.cos(2 * np.pi * HOURS / 24.0),
        np.where(HOURS % 24.0 < 9.0, 1.0, 3.0) + 0.01 * np.sin(HOURS * 7),
    ],
    ids=["a queue that has grown for hours", "a day and night", "what rises at nine each morning"],
)
def test_what_goes_on_or_comes_each_day_came_with_no_release(values):
    """A hotfix in the middle of an incident, and a release in the morning."""
    for began in range(POINTS - 3 * HOUR, POINTS - HOUR // 4, 7):
        assert course_of(values, began).verdict is not CAME


def test_what_began_an_hour_later_came_with_no_release_nor_was_it_none():
    later = np.where(HOURS < 24.0, 1.0, 3.0) + 0.01 * np.sin(HOURS * 7)
    assert course_of(1.0 + 0.01 * np.sin(HOURS * 7), POINTS - 3 * HOUR, later).verdict is OTHERWISE


def test_what_is_over_is_not_blamed():
    later = np.where(HOURS < 25.7, 3.0, 1.0)
    assert course_of(np.ones(POINTS), POINTS - HOUR, later).verdict is not CAME


def test_a_start_is_not_judged():
    """Four minutes after."""
    assert course_of(np.ones(POINTS), POINTS - 2, np.full(POINTS, 3.0)).verdict is OTHERWISE


@pytest.mark.parametrize(("side", "verdict"), [(1, CAME), (0, CAME), (-1, OTHERWISE)])
def test_a_rule_says_which_way_is_worse(side, verdict):
    rows = {"a": between(np.ones(POINTS), 0, POINTS - HOUR)[None], "b": between(np.full(POINTS, 3.0), POINTS - HOUR)[None]}
    assert compare(TIMES, rows, "b", rows["b"][0], side).verdict is verdict


ONES, THREES = np.ones(POINTS), np.full(POINTS, 3.0)


@pytest.mark.parametrize(
    "releases",
    [
        {"b": between(THREES, 100)},
        {"a": between(ONES, 0, 100), "b": between(THREES, 0)},
        {"a": between(ONES, 0, 10), "b": between(THREES, 10)},
        {"a": between(ONES, 0, 600), "b": between(THREES, 700)},
        {"a": np.full(POINTS, np.nan), "b": between(THREES, 100)},
    ],
    ids=["none before", "there all the time", "the one before seen for minutes", "a counter's first error", "never there"],
)
def test_where_none_was_before_nothing_is_said(releases):
    assert compare(TIMES, {name: values[None] for name, values in releases.items()}, "b", THREES) is None


def test_the_one_before_is_the_last_that_stayed():
    """What a release brought is told of it when the next follows; one that was taken back after minutes is nobody's predecessor."""
    began, brief = POINTS - HOUR, between(THREES, POINTS - HOUR - 8, POINTS - HOUR)
    rows = {"b": between(THREES, began)}
    third = rows | {"a": between(ONES, 0, 600), "m": between(ONES, 600, began)}
    found = compare(TIMES, {name: row[None] for name, row in third.items()}, "b", THREES)
    assert (found.verdict, found.release, found.before, found.until) == (CAME, "b", "m", None)
    bad = rows | {"a": between(ONES, 0, 600), "m": between(THREES, 600, began)}
    found = compare(TIMES, {name: row[None] for name, row in bad.items()}, "b", THREES)
    assert (found.verdict, found.release, found.before, found.since, found.until) == (CAME, "m", "a", TIMES[600], TIMES[began - 1])
    taken_back = rows | {"a": between(ONES, 0, began - 8), "m": brief}
    assert compare(TIMES, {name: row[None] for name, row in taken_back.items()}, "b", THREES).before == "a"


def test_one_that_was_rolled_back_and_comes_again_begins_again():
    again = np.concatenate([between(THREES, 400, 450)[:500], between(THREES, 700)[500:]])
    old = np.concatenate([between(ONES, 0, 400)[:450], between(ONES, 450, 700)[450:]])
    found = compare(TIMES, {"a": old[None], "b": again[None]}, "b", again)
    assert (found.verdict, found.since) == (CAME, TIMES[700])


def test_what_was_there_before_and_was_well_is_no_release():
    """A canary without traffic in the night has no latency then: that it is slow in the morning did not come with it."""
    canary = np.where(np.arange(POINTS) < 400, 1.0, 3.0)
    canary[400:600] = np.nan
    assert compare(TIMES, {"a": ONES[None], "b": canary[None]}, "b", canary) is None


def test_a_faster_leak_is_not_as_before():
    """The old pods took a day to where the new ones are after an hour."""
    began = POINTS - 70 * HOUR // 60
    old = 1.0 + 7.0 * np.arange(POINTS) / began
    new = between(1.0 + 7.0 * (np.arange(POINTS) - began) / (POINTS - began), began)
    assert compare(TIMES, {"a": between(old, 0, began)[None], "b": new[None]}, "b", new).verdict is OTHERWISE


def test_old_pods_that_still_run_are_beside_it():
    began = POINTS - HOUR
    found = compare(TIMES, {"a": ONES[None], "b": between(THREES, began)[None]}, "b", THREES)
    assert (found.verdict, found.beside) == (CAME, True)
    both = np.where(np.arange(POINTS) < began, 1.0, 3.0)
    assert compare(TIMES, {"a": both[None], "b": between(both, began)[None]}, "b", both).verdict is not CAME


@pytest.mark.parametrize("value", [0.0, -1.0, 1e299, 5e-324])
def test_any_number_will_do(value):
    found = course_of(np.zeros(POINTS), POINTS - HOUR, np.full(POINTS, value))
    assert found.verdict in {SAME, CAME}
    assert (found.verdict is SAME) == (value == 0.0)
