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


def test_what_one_pod_says_of_several_things_at_once_is_no_measure():
    """A label that is left out since pods differ in it is about something else: nodes seen by one exporter, hosts of an ingress."""
    pods = tuple(pod | {"host": host} for pod, host in ((PODS[0], "a"), (PODS[0], "b"), (PODS[1], "a")))
    found = of([[1] * 8, [NAN, NAN, NAN, 2, 2, 2, 2, 2], [NAN, NAN, 5, 5, 5, 5, 5, 5]], young=[1, 2], pods=pods)
    assert found.count.tolist() == [0, 0]


def test_a_container_that_is_started_again_is_the_same_pod():
    """Another series, by its id; for a bin or two both are known. What it had before is a measure, and it is one peer for others."""
    pods = tuple(pod | {"id": mark * 64} for pod, mark in ((PODS[0], "a"), (PODS[0], "b"), (PODS[1], "c")))
    before, again = [1, 1, 3, 3, 1, 1, NAN, NAN], [NAN, NAN, NAN, NAN, 9, 9, 9, 9]
    found = of([before, again, [NAN] * 6 + [5, 5]], young=[1, 2], pods=pods)
    assert found.count.tolist() == [1, 1]
    assert found.upper.tolist() == [3.0, 9.0]
