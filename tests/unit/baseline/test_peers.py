"""What pods of a kind had, for those of them that are new."""

import numpy as np
import pytest

from lens_exporter.baseline.early import Early
from lens_exporter.baseline.peers import peers_of
from lens_exporter.baseline.roster import Roster

NAN = float("nan")
BIN = 900.0
PODS = tuple({"pod": f"web-bcdfgh2-{name * 5}"} for name in "xzkvw")


def of(means, *, young, pods=PODS):
    """Find the peers of young pods, by their places; means {place: [bin]} are what is remembered."""
    roster = Roster(1)
    roster.seat(0, pods)
    table = np.array([means[place] for place in range(len(means))], dtype=np.float64).T
    series = np.array(young)
    nothing = np.zeros((series.size, 1))
    early = Early(series, np.zeros(1), nothing, nothing, nothing, np.ones(series.size, dtype=np.int64))
    return peers_of(roster, early, lambda which: table[:, which], bin_seconds=BIN)


def test_the_most_of_any_and_what_each_had_at_most():
    """Of half an hour, which is two bins."""
    found = of([[1, 3, 5, 1, 1, 1], [2, 2, 2, 8, 2, 2], [NAN, NAN, NAN, NAN, 9, 9]], young=[2], pods=PODS[:3])
    assert found.count.tolist() == [2]
    assert (found.lower[0], found.upper[0]) == (1.0, 5.0)
    assert (found.lowest[0], found.below[0]) == (1.5, 0.5)
    assert (found.highest[0], found.above[0]) == (4.5, 0.5)
    assert found.usual[0] == pytest.approx((2.0 + 3.0) / 2)


def test_only_who_was_there_half_an_hour_before_counts():
    """Those that a release begins together are no measure of each other; what it began with is, for those that come later."""
    gone = [1, 1, NAN, NAN, NAN, NAN]
    found = of(
        [gone, [NAN, NAN, 5, 5, 5, 5], [NAN, NAN, NAN, 6, 6, 6], [NAN, NAN, NAN, NAN, 7, 7], [NAN] * 6],
        young=[1, 2, 3, 4],
    )
    assert found.count.tolist() == [1, 1, 2, 4]
    assert found.upper.tolist() == [1.0, 1.0, 5.0, 7.0]


def test_half_an_hour_has_both_of_its_bins():
    assert of([[1, NAN, 1, NAN], [NAN, NAN, NAN, 5]], young=[1], pods=PODS[:2]).count.tolist() == [0]


def test_other_kinds_say_nothing():
    pods = (PODS[0], {"pod": "api-bcdfgh2-zzzzz"}, {"pod": "db-0"})
    found = of([[1, 1, 1, 1], [NAN, NAN, 5, 5], [NAN, NAN, 5, 5]], young=[1, 2], pods=pods)
    assert found.count.tolist() == [0, 0]
    assert np.isnan(found.upper).all()


def series(*, by, pods):
    """Give a series of each of these pods, by a label of which each has another value."""
    return tuple(PODS[pod] | {by: mark * 64} for pod, mark in zip(pods, "abcdef", strict=False))


def test_what_one_pod_says_of_several_things_at_once_is_no_measure():
    """Volumes that an exporter tells of have unique names, as containers have."""
    pods = series(by="persistentvolume", pods=(0, 0, 1))
    found = of([[1] * 8, [NAN, NAN, NAN, 2, 2, 2, 2, 2], [NAN, NAN, 5, 5, 5, 5, 5, 5]], young=[1, 2], pods=pods)
    assert found.count.tolist() == [0, 0]
    assert np.isnan(found.upper).all()


def test_a_container_that_is_started_again_is_the_same_pod():
    """Another series, by its id; for a bin or two both are known. It is as old as its pod, and not its own peer."""
    pods = series(by="id", pods=(0, 0, 1, 2))
    before, again = [NAN, 1, 3, 3, 1, 1, NAN, NAN], [NAN, NAN, NAN, NAN, 9, 9, 9, 9]
    found = of([before, again, [NAN] * 6 + [5, 5], [2] * 8], young=[1, 2], pods=pods)
    assert found.count.tolist() == [0, 2]
    assert found.age.tolist() == [7 * BIN, 2 * BIN]
    assert (found.lower[1], found.upper[1]) == (1.0, 9.0)
    assert (found.highest[1], found.above[1]) == (5.5, 24.5)
    assert found.usual[1] == pytest.approx((5.0 + 2.0) / 2)


@pytest.mark.parametrize(("shared", "count"), [(0, 1), (2, 1), (4, 1), (5, 0)])
def test_a_container_may_be_started_again_many_times(shared, count):
    """The query goes on with the old one for as long as its range; more than an hour is no start."""
    starts = [[NAN] * (6 * start) + [1] * (6 + shared) + [NAN] * (24 - 6 * start) for start in range(5)]
    starts = [means[:30] for means in starts]
    found = of([*starts, [NAN] * 26 + [5] * 4], young=[5], pods=series(by="id", pods=(0, 0, 0, 0, 0, 1)))
    assert found.count.tolist() == [count]


def test_a_pod_whose_newest_container_has_no_half_hour_yet_is_a_peer():
    found = of([[2] * 7 + [NAN], [NAN] * 7 + [9], [NAN] * 6 + [5, 5]], young=[2], pods=series(by="id", pods=(0, 0, 1)))
    assert (found.count.tolist(), found.upper.tolist()) == ([1], [2.0])


@pytest.mark.parametrize("together", [range(2), range(8, 10)])
def test_of_many_series_of_a_pod_any_two_may_be_there_at_once(together):
    """The first few are looked at before all."""
    pods = tuple(PODS[0] | {"id": f"{each:x}" * 64} for each in range(10))
    means = [[3] * 80 if each in together else [NAN] * 8 * each + [1] * 8 + [NAN] * (72 - 8 * each) for each in range(10)]
    assert of([*means, [NAN] * 76 + [5] * 4], young=[10], pods=(*pods, PODS[1])).count.tolist() == [0]
