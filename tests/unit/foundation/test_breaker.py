"""The circuit breaker, with the seed's numbers."""

import pytest

from lens_exporter.errors import BreakerOpen
from lens_exporter.foundation.breaker import BreakerChange, BreakerState, CircuitBreaker


class Service:
    """A breaker on a clock of its own, and what its listener heard."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.heard: list[BreakerChange] = []
        self.breaker = CircuitBreaker("claude", "http://x", clock=lambda: self.now, on_change=self.heard.append)

    def fail(self, times: int = 1, **keywords) -> None:
        for _ in range(times):
            with pytest.raises(OSError, match="down"), self.breaker.call(**keywords):
                raise OSError("down")

    def succeed(self, times: int = 1) -> None:
        for _ in range(times):
            with self.breaker.call():
                pass

    def refused(self) -> str:
        with pytest.raises(BreakerOpen) as caught:
            self.succeed()
        return str(caught.value)

    @property
    def states(self) -> list[BreakerState]:
        return [change.state for change in self.heard]


def test_five_failures_in_a_row_open_it_and_two_successes_after_thirty_seconds_close_it():
    """The whole way round; the listener hears each change once."""
    service = Service()
    service.fail(4)
    assert service.breaker.state is BreakerState.CLOSED
    service.fail()
    assert service.breaker.state is BreakerState.OPEN
    assert service.refused() == "claude is not called before 13:47:10 UTC: it failed 5 times in a row, last with: down"
    service.now += 29.9
    service.refused()
    service.now += 0.1
    service.succeed()
    assert service.breaker.state is BreakerState.HALF_OPEN
    service.succeed()
    assert service.breaker.state is BreakerState.CLOSED
    assert service.states == [BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED]
    assert service.heard[0] == BreakerChange("claude", BreakerState.OPEN, 5, "down", 1_000_030.0)


def test_a_success_in_between_starts_the_count_anew():
    """Only failures in a row count."""
    service = Service()
    for _ in range(3):
        service.fail(4)
        service.succeed()
    assert service.breaker.state is BreakerState.CLOSED


def test_one_trial_at_a_time_and_a_failed_one_opens_it_for_thirty_seconds_again():
    """While a trial runs nobody else is let through."""
    service = Service()
    service.fail(5)
    service.now += 30
    trial = service.breaker.call()
    trial.__enter__()
    service.refused()
    trial.__exit__(OSError, OSError("down"), None)
    assert service.breaker.state is BreakerState.OPEN
    service.now += 29
    service.refused()
    service.now += 1
    service.succeed(2)
    assert service.breaker.state is BreakerState.CLOSED


def test_a_straggler_from_before_says_nothing_about_the_present():
    """A slow call that began while it was closed neither ends the trial, nor counts as one, nor opens it for longer."""
    service = Service()
    slow, slow_failure = service.breaker.call(), service.breaker.call()
    slow.__enter__()
    slow_failure.__enter__()
    service.fail(5)
    service.now += 20
    slow_failure.__exit__(OSError, OSError("late"), None)
    service.now += 10
    trial = service.breaker.call()
    trial.__enter__()
    slow.__exit__(None, None, None)
    service.refused()
    trial.__exit__(None, None, None)
    assert service.breaker.state is BreakerState.HALF_OPEN


def test_errors_that_are_not_the_services_fault_do_not_count():
    """False: the service answered, which is a success. None: it was never asked, which is neither."""
    service = Service()
    service.fail(4)
    service.fail(9, counts=lambda _error: None)
    assert service.breaker.state is BreakerState.CLOSED
    service.fail(1, counts=lambda _error: False)
    service.fail(4)
    assert service.breaker.state is BreakerState.CLOSED
    service.fail()
    service.now += 30
    service.fail(2, counts=lambda _error: None)
    assert service.breaker.state is BreakerState.HALF_OPEN
    service.fail(2, counts=lambda _error: False)
    assert service.breaker.state is BreakerState.CLOSED


def test_a_cancelled_call_frees_the_trial_and_counts_for_nothing():
    """Somebody who gives up says nothing about the service."""
    service = Service()
    service.fail(5)
    service.now += 30
    with pytest.raises(KeyboardInterrupt), service.breaker.call():
        raise KeyboardInterrupt
    service.succeed(2)
    assert service.breaker.state is BreakerState.CLOSED


def test_a_listener_that_fails_does_not_block_the_trial_for_ever():
    """Its error comes out, and the next call is let through."""
    service = Service()
    service.fail(5)
    service.now += 30
    service.breaker._on_change = lambda _change: (_ for _ in ()).throw(RuntimeError("listener"))
    with pytest.raises(RuntimeError, match="listener"):
        service.succeed()
    service.breaker._on_change = lambda _change: None
    service.now += 30
    service.succeed(2)
    assert service.breaker.state is BreakerState.CLOSED


def test_a_clock_set_back_keeps_nobody_waiting():
    """After a jump of an hour the thirty seconds begin at the new time."""
    service = Service()
    service.fail(5)
    service.now -= 3600
    service.refused()
    service.now += 30
    service.succeed(2)
    assert service.breaker.state is BreakerState.CLOSED


def test_it_tells_how_often_it_was_tried_and_for_how_long():
    """Opened, tried twice in vain, closed at the third: who hears it can tell the first from those that are no news."""
    service = Service()
    service.fail(5)
    for attempt in (service.fail, service.fail, service.succeed, service.succeed):
        service.now += 30
        attempt()
    told = [(change.state.name, change.trials) for change in service.heard]
    assert told == [
        ("OPEN", 0),
        ("HALF_OPEN", 1),
        ("OPEN", 1),
        ("HALF_OPEN", 2),
        ("OPEN", 2),
        ("HALF_OPEN", 3),
        ("CLOSED", 3),
    ]
    assert service.heard[-1].seconds == 120.0
