"""Token buckets: a minute's worth at once, an even refill, bounded memory."""

import pytest

from lens_exporter.foundation.rate_limit import Buckets
from tests.unit.foundation.fake_time import FakeTime


def test_a_minutes_worth_at_once_and_then_evenly():
    """On a timeline: 6 a minute are 6 at once, then one every 10 seconds; a refusal says how long to wait and takes nothing."""
    time = FakeTime()
    buckets = Buckets(6, time)
    assert [buckets.take("a") for _ in range(6)] == [0.0] * 6
    assert buckets.take("a") == pytest.approx(10.0)
    assert buckets.take("a") == pytest.approx(10.0)
    time.advance(4)
    assert buckets.take("a") == pytest.approx(6.0)
    time.advance(6)
    assert buckets.take("a") == 0.0
    assert buckets.take("a") == pytest.approx(10.0)
    time.advance(3600)
    assert [buckets.take("a") for _ in range(7)] == [0.0] * 6 + [pytest.approx(10.0)]


def test_one_client_costs_another_nothing():
    """Each has a bucket of its own."""
    buckets = Buckets(1, FakeTime())
    assert (buckets.take("a"), buckets.take("b")) == (0.0, 0.0)
    assert buckets.take("a") > 0


def test_what_is_given_back_may_be_taken_again():
    """A success is no failure; nobody gets more than a minute's worth by it."""
    buckets = Buckets(2, FakeTime())
    for _ in range(5):
        assert buckets.take("a") == 0.0
        buckets.give_back("a")
        buckets.give_back("a")
    assert [buckets.take("a") > 0 for _ in range(3)] == [False, False, True]
    buckets.give_back("nobody")
    assert len(buckets) == 1


def test_memory_is_bounded_and_who_asks_last_is_remembered():
    """A million addresses leave no more than the limit; whoever is still asking is not forgotten for them."""
    buckets = Buckets(1, FakeTime(), most_clients=100)
    buckets.take("persistent")
    for number in range(10_000):
        buckets.take(f"10.{number}")
        if number % 50 == 0:
            assert buckets.take("persistent") > 0
    assert len(buckets) == 100


def test_a_clock_set_back_gives_nothing():
    """Neither a refill nor an empty bucket comes of it."""
    time = FakeTime()
    buckets = Buckets(2, time)
    buckets.take("a")
    time.advance(-500)
    assert [buckets.take("a") > 0 for _ in range(2)] == [False, True]
