"""The breaker against its rules, for any order of overlapping calls."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from lens_exporter.errors import BreakerOpen
from lens_exporter.foundation.breaker import BreakerState, CircuitBreaker

OUTCOMES = st.sampled_from(["answered", "failed", "never sent"])


class Breaker(RuleBasedStateMachine):
    """Knows only the rules: what was answered since when, and which call is the trial. Two failures open it, to get there often."""

    calls = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.breaker = CircuitBreaker("x", failures_to_open=2, clock=lambda: self.now)
        self.state = BreakerState.CLOSED
        self.era = 0
        self.row: list[str] = []  # outcomes since the last change, "never sent" left out
        self.opened = 0.0
        self.trials = 0

    def change(self, state: BreakerState) -> None:
        self.state, self.row, self.trials = state, [], 0
        self.era += 1

    @rule(seconds=st.sampled_from([0.5, 29.5, 30.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(target=calls)
    def begin(self):
        if self.state is BreakerState.OPEN and self.now >= self.opened + 30:
            self.change(BreakerState.HALF_OPEN)
        call = self.breaker.call(counts=lambda error: {"failed": True, "never sent": None}[str(error)])
        if self.state is BreakerState.OPEN or self.trials:
            with pytest.raises(BreakerOpen):
                call.__enter__()
            return None
        call.__enter__()
        self.trials = int(self.state is BreakerState.HALF_OPEN)
        return call, self.era

    @rule(begun=consumes(calls), outcome=OUTCOMES)
    def end(self, begun, outcome: str) -> None:
        if begun is None:
            return
        call, era = begun
        if outcome == "answered":
            call.__exit__(None, None, None)
        else:
            call.__exit__(OSError, OSError(outcome), None)
        if era != self.era:
            return
        self.trials = 0
        if outcome != "never sent":
            self.row.append(outcome)
        needed = 2 if self.state is BreakerState.CLOSED else 1
        if self.state is not BreakerState.OPEN and self.row[-needed:] == ["failed"] * needed:
            self.opened = self.now
            self.change(BreakerState.OPEN)
        elif self.state is BreakerState.HALF_OPEN and self.row == ["answered"] * 2:
            self.change(BreakerState.CLOSED)

    @invariant()
    def stands_as_the_rules_say(self) -> None:
        assert self.breaker.state is self.state


TestBreaker = Breaker.TestCase
TestBreaker.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
