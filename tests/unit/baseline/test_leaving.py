"""Who is gone is forgotten: for how long depends on whether it may come back."""

import numpy as np
import pytest

from lens_exporter.baseline.kinds import comes_back
from tests.unit.baseline.lives import DAY, HOUR
from tests.unit.baseline.looks import same
from tests.unit.baseline.rollouts import Fleet, Release, around

USUAL = around(0.2)
LONG = Release(0, 8 * DAY, USUAL, pods=2)


def jobs(first, last, minutes=20, every=30):
    """One pod after another: made-up names, each for so many minutes."""
    return [Release(start, start + minutes * HOUR // 60, USUAL, pods=1) for start in range(first, last, every * HOUR // 60)]


def named(release, pod):
    """Names as Kubernetes makes them up, another for each release."""
    letters = "bcdfghjklm"
    made_up = "".join(letters[release // 10**place % 10] for place in range(5))
    return f"report-{28_000_000 + release}-{made_up}" if release else f"web-7d9f8c6b5-xz2x{pod + 2}"


@pytest.mark.parametrize(
    ("labels", "back"),
    [
        ({"pod": "web-7d9f8c6b5-x2x4k"}, False),
        ({"pod": "report-28391220-x7kqp"}, False),
        ({"pod": "node-exporter-x7kqp", "instance": "10.0.0.1:9100"}, False),
        ({"id": f"/kubepods/pod/{'0f' * 32}"}, False),
        ({"pod": "postgres-0"}, True),
        ({"instance": "db-1:9100"}, True),
        ({"uuid": "GPU-123e4567-e89b-12d3-a456-426614174000"}, True),
        ({"pod": "mysql-proxy"}, True),
        ({"pod": "kafka-broker-24599"}, True),
        ({"pod": "backup-0", "image": f"backup@sha256:{'0f' * 32}"}, True),
        ({}, True),
    ],
)
def test_who_comes_back_is_told_by_its_name(labels, back):
    assert comes_back(labels) is back


def test_pods_of_minutes_are_forgotten_within_nine_hours():
    """They leave at the next eighth of a day after six silent hours; those that stay, stay."""
    fleet = Fleet([LONG, *jobs(2 * DAY, 4 * DAY)], name=named)
    counts = [fleet.look(row).remembered for row in range(2 * DAY, 5 * DAY, HOUR)]
    assert 10 < max(counts) <= 2 + 2 * 9 + 2
    assert counts[-1] == 2


def test_a_name_that_is_given_again_is_remembered_until_midnight():
    """A job of every night is silent for most of a day; what is told of it does not begin anew."""
    nightly = [Release(night, night + HOUR, USUAL, pods=1) for night in range(2 * DAY, 6 * DAY, DAY)]
    fleet = Fleet([LONG, nightly[0]], name=lambda release, pod: f"backup-{pod}" if release else f"web-{pod}")
    before = fleet.look(2 * DAY + 2 * HOUR).remembered
    assert fleet.look(2 * DAY + 23 * HOUR).remembered == before == 3
    assert fleet.look(4 * DAY + HOUR).remembered == 2


def test_nobody_leaves_while_nothing_is_read():
    """Ten hours without a value of anybody are no reason to think that a pod of five hours is gone."""
    first, silent = 2 * DAY, 10 * HOUR
    course = lambda random, rows: np.where(  # noqa: E731
        (np.arange(rows) >= 5 * HOUR) & (np.arange(rows) < 5 * HOUR + silent), np.nan, USUAL(random, rows)
    )
    fleet = Fleet([Release(first, first + 20 * HOUR, course)], name=named)
    looks = [fleet.look(row) for row in range(first + HOUR, first + 17 * HOUR, HOUR)]
    assert {look.remembered for look in looks} == {3}


def test_an_outage_that_ends_with_a_new_pod_makes_nobody_gone():
    """What is seen for the first time in a row that may still change has no past that others could be silent against."""
    first, back = 2 * DAY, 2 * DAY + 9 * HOUR
    gap = lambda random, rows: np.where(  # noqa: E731
        (np.arange(rows) >= 2 * HOUR) & (np.arange(rows) < 9 * HOUR), np.nan, USUAL(random, rows)
    )
    fleet = Fleet([Release(first, first + DAY, gap, pods=3), Release(back, first + DAY, USUAL, pods=1)], name=named)
    looks = [fleet.look(row) for row in range(first + HOUR, back + HOUR)]
    assert [look.remembered for look in looks if look.remembered < 3] == []


def test_pods_that_are_away_at_night_are_remembered_in_the_morning():
    """The last of their kind leave at midnight at the earliest, so that a release of the morning has somebody beside it."""
    by_day = [Release(day + 8 * HOUR, day + 17 * HOUR, USUAL, pods=2) for day in range(2 * DAY, 4 * DAY, DAY)]
    names = lambda release, pod: f"web-{'bcdfghjk'[release] * 8}-{'xz2456789'[pod] * 5}"  # noqa: E731
    fleet = Fleet([*by_day, Release(0, 8 * DAY, USUAL, pods=1)], name=lambda r, p: names(r, p) if r < 2 else "shop-0")
    assert fleet.look(3 * DAY + 7 * HOUR).remembered == 3


def test_a_fresh_start_remembers_the_same():
    fleet = Fleet([LONG, *jobs(2 * DAY, 4 * DAY)], name=named)
    for row in range(2 * DAY, 4 * DAY, HOUR):
        lived = fleet.look(row)
    again = fleet.look(row, fleet.watcher())
    assert lived.remembered == again.remembered > 8
    same(lived, again)
