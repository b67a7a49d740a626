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
        self._reason = ""

    @property
    def state(self) -> BreakerState:
        with self._lock:
            return self._state

    @contextmanager
    def call(self, *, counts: Callable[[BaseException], bool] = lambda _error: True) -> Iterator[None]:
        """Run the body as one guarded call.

        Only errors for which `counts` is true are held against the service: a refused bad request says nothing about its health.

        Raises:
            BreakerOpen: instead of calling, while the breaker is open or another trial call is under way.

        """
        self._enter()
        try:
            yield
        except BaseException as error:
            self._leave(error if counts(error) else None)
            raise
        self._leave(None)

    def _enter(self) -> None:
        change = None
        with self._lock:
            if self._state is BreakerState.OPEN and self._clock() >= self._opened_at + self._seconds_open:
                change = self._move(BreakerState.HALF_OPEN)
            blocked = self._state is BreakerState.OPEN or (self._state is BreakerState.HALF_OPEN and self._trial_running)
            if not blocked and self._state is BreakerState.HALF_OPEN:
                self._trial_running = True
        self._tell(change)
        if blocked:
            until = datetime.fromtimestamp(self._opened_at + self._seconds_open, UTC).strftime("%H:%M:%S UTC")
            raise BreakerOpen(service=self.service, url=self._url, until=until, failures=self._failures, reason=self._reason)

    def _leave(self, error: BaseException | None) -> None:
        change = None
        with self._lock:
            self._trial_running = False
            if error is None:
                self._failures = 0
                self._successes += 1
                if self._state is BreakerState.HALF_OPEN and self._successes >= self._successes_to_close:
                    change = self._move(BreakerState.CLOSED)
            else:
                self._failures += 1
                self._successes = 0
                self._reason = str(error)
                if self._state is BreakerState.HALF_OPEN or self._failures >= self._failures_to_open:
                    self._opened_at = self._clock()
                    change = self._move(BreakerState.OPEN)
        self._tell(change)

    def _move(self, state: BreakerState) -> BreakerChange | None:
        if state is self._state:
            return None
        self._state = state
        self._successes = 0
        return BreakerChange(self.service, state, self._failures, self._reason, self._opened_at + self._seconds_open)

    def _tell(self, change: BreakerChange | None) -> None:
        if change is not None:
            self._on_change(change)
