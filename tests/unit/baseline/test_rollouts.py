"""What is told of pods that a release has begun: they are new, and what they have replaced is known."""

import re

import numpy as np
import pytest

from lens_exporter.model.decision import Phase, Rule
from tests.unit.baseline.lives import DAY, HOUR
from tests.unit.baseline.looks import same
from tests.unit.baseline.rollouts import Fleet, Release, around

AT = 4 * DAY + 9 * HOUR  # the release
END = AT + 16 * HOUR
LOOKS = range(AT, END)
FEW = range(AT, AT + 4 * HOUR)
USUAL = around(0.2)


def released(course, *, before=USUAL, pods=3, **declared):
    """Give a fleet whose pods are replaced once."""
    return Fleet([Release(0, AT + 2, before, pods), Release(AT, END, course, pods)], declared)


def starting(random, rows):
    """Begin slowly, as what has nothing in its caches yet, and be as ever after a quarter of an hour."""
    return USUAL(random, rows) * (1.0 + 4.0 * (np.arange(rows) < 3))


def filling(random, rows):
    """Begin at nothing, and be as ever after six hours."""
    return USUAL(random, rows) * np.minimum(1.0, np.arange(rows) / (6 * HOUR))


def dropping(random, rows):
    """Be as ever for two hours, and at a quarter of it since."""
    return USUAL(random, rows) * np.where(np.arange(rows) < 2 * HOUR, 1.0, 0.25)


def test_a_release_that_is_slower_is_one_alert():
    """Once, of one of its pods, for as long as nothing is known of it: then it is how it is."""
    fleet = released(around(0.4)).through(LOOKS)
    [(row, anomaly)] = fleet.begun
    assert AT + HOUR - 1 <= row <= AT + 2 * HOUR
    assert anomaly.rules == (Rule.PEERS,)
    assert anomaly.anomaly_type == "latency_high"
    assert not fleet.over


def restarted(starts, course=USUAL):
    """Give a fleet whose containers start at these rows, and whose pods are replaced at AT: a container has its own id."""
    pods = ["c" if first < AT else "d" for first in starts]
    ends = [first + 1 if first != AT else first + 2 for first in starts[1:]] + [END]
    releases = [Release(first, last, USUAL if pod == "c" else course) for first, last, pod in zip(starts, ends, pods, strict=True)]
    return Fleet(
        releases,
        name=lambda release, pod: f"web-{pods[release] * 8}-{'xz2'[pod] * 5}",
        more=lambda release, pod: {"id": f"{release}{pod}" * 32},
    )


@pytest.mark.parametrize("before", [[AT - 2 * DAY], [AT - DAY + 3 * HOUR * start for start in range(5)]])
def test_a_container_that_was_started_again_blinds_nobody_for_the_next_release(before):
    """Of cAdvisor's series a new container is another series of the same pod."""
    [(_, anomaly)] = restarted([0, *before, AT], around(0.4)).through(FEW).begun
    assert "half hours of its 3 peers had" in anomaly.summary
    assert not restarted([0, *before, AT]).through(range(before[0], AT + 4 * HOUR)).begun


def test_a_release_that_is_started_again_is_held_against_what_was_before_it():
    """Not against what it did itself."""
    [(row, _)] = restarted([0, AT, AT + HOUR // 2], around(0.4)).through(FEW).begun
    assert AT + HOUR < row <= AT + 2 * HOUR


def test_its_text_says_beside_whom():
    [(_, anomaly)] = released(around(0.4)).through(FEW).begun
    [seen] = anomaly.evidence[:1]
    assert seen.phase is Phase.ANOMALY
    assert (seen.lower, seen.expected, seen.upper) == (
        pytest.approx(0.18, abs=0.02),
        pytest.approx(0.2, abs=0.01),
        pytest.approx(0.23, abs=0.02),
    )
    assert seen.score > 1.0
    assert re.fullmatch(
        r"web-cccccccc-\w+: latency at about \d+ ms for \S+ \w+; half hours of its 3 peers had 2\d\d ms at most", anomaly.summary
    )
    assert "half hours of the 3 pods of its kind that were there before had 1" in anomaly.description
    assert "ends when its own past is known, after a day and a half" in anomaly.description


@pytest.mark.parametrize("course", [USUAL, starting, filling, around(0.22), around(0.2, own=0.05)])
@pytest.mark.parametrize("pods", [1, 3])
def test_a_release_that_is_as_the_last_one_wakes_nobody(course, pods):
    """However it begins: what has just begun has yet to fill."""
    assert not released(course, pods=pods).through(LOOKS).begun


def test_what_was_as_its_peers_are_and_no_longer_is_may_be_low():
    [(_, anomaly)] = released(dropping).through(FEW).begun
    assert anomaly.anomaly_type == "latency_low"
    assert not released(dropping, direction="up").through(FEW).begun


def test_pods_that_differ_say_little_of_a_new_one():
    def apart():
        levels = iter((0.1, 0.2, 0.3))
        return lambda random, rows: around(next(levels))(random, rows)

    assert not released(around(0.4), before=apart()).through(LOOKS).begun
    assert released(around(1.0), before=apart()).through(FEW).begun


def test_pods_that_live_for_less_than_a_day_speak_for_the_next():
    """What they had is remembered, though none was ever known."""
    every = [Release(start, start + 20 * HOUR, USUAL) for start in range(0, 4 * 20 * HOUR, 20 * HOUR)]
    born = every[-1].last
    fleet = Fleet([*every, Release(born, born + DAY, around(0.5))])
    [(row, anomaly)] = fleet.through(range(born, born + 8 * HOUR)).begun
    assert row <= born + 2 * HOUR
    assert anomaly.rules == (Rule.PEERS,)


def test_what_starts_slowly_each_time_wakes_nobody():
    """Predecessors did so too, and that is remembered."""
    slow = lambda random, rows: USUAL(random, rows) * (1.0 + 2.0 * (np.arange(rows) < 2 * HOUR))  # noqa: E731
    assert not released(slow, before=slow).through(LOOKS).begun
    assert released(slow).through(FEW).begun


def test_what_comes_after_a_bad_one_is_as_that_was():
    """It is told once, and not of each pod that takes the place of one."""
    bad = around(0.5)
    later = [Release(AT + hour * HOUR, AT + (hour + 3) * HOUR, bad) for hour in (0, 3, 6, 9)]
    fleet = Fleet([Release(0, AT + 2, USUAL), *later]).through(range(AT, AT + 12 * HOUR))
    assert len(fleet.begun) == 1


def test_what_comes_over_all_of_them_is_no_release():
    """The new one is as the old ones are, though what those do now is not summed up yet."""
    surge = AT + 4 * HOUR

    def surging(random, rows, first):
        return USUAL(random, rows) * np.where(np.arange(first, first + rows) < surge, 1.0, 2.0)

    releases = [Release(first, END, lambda random, rows, first=first: surging(random, rows, first)) for first in (0, AT)]
    fleet = Fleet(releases).through(range(AT, surge + 4 * HOUR))
    assert fleet.begun
    assert not [anomaly for _, anomaly in fleet.begun if Rule.PEERS in anomaly.rules]


def test_nobody_is_a_peer_of_itself():
    def rising(random, rows):
        return USUAL(random, rows) * np.where(np.arange(rows) < 16 * HOUR, 1.0, 3.0)

    [seen] = Fleet([Release(0, DAY, rising, 1)]).look(18 * HOUR).conclusions
    assert Rule.PEERS not in getattr(seen.decision, "rules", ())


@pytest.mark.parametrize(
    "name", [lambda release, pod: f"web-{3 * release + pod}", lambda release, pod: f"web-{'xyz'[release]}-{pod}"]
)
def test_of_what_may_be_anything_nothing_is_said(name):
    """Machines, and pods that are counted, may be new for another purpose."""
    releases = [Release(0, AT + 2, USUAL), Release(AT, END, around(0.4))]
    assert not Fleet(releases, name=name).through(FEW).begun


def test_what_is_declared_as_little_is_not_told():
    assert not released(around(0.4), min_change=0.25).through(FEW).begun
    assert not released(around(0.4), min_change_ratio=1.5).through(FEW).begun


def test_who_looks_for_the_first_time_sees_the_same():
    """What is known of others is part of what comes back from Prometheus."""
    fleet = released(around(0.4)).through(FEW)
    same(fleet.look(FEW[-1] + 1), fleet.look(FEW[-1] + 1, fleet.watcher()))
