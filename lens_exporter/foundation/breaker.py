"""A circuit breaker: a failing service is left alone for a while, then tried with one call at a time.

Release It! (Nygard), with the seed's numbers: five consecutive failures open it, thirty seconds later one trial call at a time is
let through, two successes close it. Own code because the kept libraries time with the wall clock and let any number of
trial calls through.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum

from lens_exporter.errors import BreakerOpen
from lens_exporter.foundation.clock import Clock, wall


class BreakerState(IntEnum):
    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


@dataclass(frozen=True, slots=True)
class BreakerChange:
    """What a listener hears when the state changes."""

    service: str
    state: BreakerState
    failures: int
    reason: str
    until: float
    trials: int = 0  # how often it has half opened since it opened first
    seconds: float = 0.0  # since then


class CircuitBreaker:
    """Guards one service. Thread-safe; `call()` is the only way through."""

    def __init__(
        self,
        service: str,
        url: str = "",
        *,
        failures_to_open: int = 5,
        seconds_open: float = 30.0,
        successes_to_close: int = 2,
        clock: Clock = wall,
        on_change: Callable[[BreakerChange], None] = lambda _change: None,
    ) -> None:
        self.service = service
        self._url = url
        self._failures_to_open = failures_to_open
        self._seconds_open = seconds_open
        self._successes_to_close = successes_to_close
        self._clock = clock
        self._on_change = on_change
        self._lock = threading.Lock()
        self._state = BreakerState.CLOSED
        self._failures = 0
        self._successes = 0
        self._opened_at = 0.0
        self._trial_running = False
        self._trials = 0
        self._since = 0.0  # when it opened first
        self._reason = ""
        self._era = 0  # counts changes of state: a call that began before the last one has nothing to say about the present

    @property
    def state(self) -> BreakerState:
        with self._lock:
            return self._state

    @contextmanager
    def call(self, *, counts: Callable[[Exception], bool | None] = lambda _error: True) -> Iterator[None]:
        """Run the body as one guarded call.

        `counts` judges an error of the body: True is the service's failure; False is none, the service answered (a refused bad
        request); None says nothing about it (the request was never sent). So does being cancelled.

        Raises:
            BreakerOpen: instead of calling, while the breaker is open or another trial call is under way.

        """
        era, change = self._enter()
        failed: bool | None = None
        reason = ""
        try:
            self._tell(change)
            yield
            failed = False
        except Exception as error:
            failed, reason = counts(error), str(error)
            raise
        finally:
            self._tell(self._leave(era, failed, reason))

    def _enter(self) -> tuple[int, BreakerChange | None]:
        change = None
        with self._lock:
            now = self._clock()
            self._opened_at = min(self._opened_at, now)  # the clock was set back: nobody waits longer for that
            if self._state is BreakerState.OPEN and now >= self._opened_at + self._seconds_open:
                change = self._move(BreakerState.HALF_OPEN)
            if self._state is BreakerState.OPEN or (self._state is BreakerState.HALF_OPEN and self._trial_running):
                raise self._refusal()
            self._trial_running = self._state is BreakerState.HALF_OPEN
            return self._era, change

    def _refusal(self) -> BreakerOpen:
        until = datetime.fromtimestamp(self._opened_at + self._seconds_open, UTC).strftime("%H:%M:%S UTC")
        return BreakerOpen(service=self.service, url=self._url, until=until, failures=self._failures, reason=self._reason)

    def _leave(self, era: int, failed: bool | None, reason: str) -> BreakerChange | None:
        with self._lock:
            if era != self._era:
                return None
            self._trial_running = False
            if failed is None:
                return None
            if not failed:
                self._failures = 0
                self._successes += 1
                closes = self._state is BreakerState.HALF_OPEN and self._successes >= self._successes_to_close
                return self._move(BreakerState.CLOSED) if closes else None
            self._failures += 1
            self._successes = 0
            self._reason = reason
            if self._state is BreakerState.CLOSED and self._failures < self._failures_to_open:
                return None
            self._opened_at = self._clock()
            return self._move(BreakerState.OPEN)

    def _move(self, state: BreakerState) -> BreakerChange:
        now = self._clock()
        if self._state is BreakerState.CLOSED:
            self._since, self._trials = now, 0
        self._trials += state is BreakerState.HALF_OPEN
        self._era += 1
        self._state = state
        self._successes = 0
        self._trial_running = False
        until = self._opened_at + self._seconds_open
        lasted = max(0.0, now - self._since)
        return BreakerChange(self.service, state, self._failures, self._reason, until, self._trials, lasted)

    def _tell(self, change: BreakerChange | None) -> None:
        if change is not None:
            self._on_change(change)
