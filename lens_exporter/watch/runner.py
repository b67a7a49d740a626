"""Runs one watcher on its schedule, in a thread of its own: a tick that hangs blocks itself and nothing else."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum

from lens_exporter.foundation.clock import Clock, monotonic, wall
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.foundation.threads import begin
from lens_exporter.watch.look import Known
from lens_exporter.watch.schedule import next_due
from lens_exporter.watch.watcher import Tick, Watcher

_POLL = 0.5  # seconds; how soon a stop, a crash, a hung tick or a clock that was set is noticed
_GRACE = 5.0  # seconds a running tick gets to end after stop()

Sleep = Callable[[float], Awaitable[None]]


class WatcherState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    LEARNING = "learning"  # a tick runs that has a long past to learn first
    HUNG = "hung"  # a tick runs for longer than its timeout, or learns and has not got on for as long
    FAILED = "failed"  # the last tick failed; the next one tries again


@dataclass(frozen=True, slots=True)
class WatcherStatus:
    """Read from memory, also while a tick hangs. Times are Unix seconds."""

    name: str
    schedule: str
    state: WatcherState
    next_due: float
    running_since: float | None
    last: Tick | None
    error: str  # why the last tick failed or crashed


@dataclass(frozen=True, slots=True)
class Started:
    """An extra tick began."""


@dataclass(frozen=True, slots=True)
class AlreadyRunning:
    """A tick is in flight; one extra tick follows it, however often it is asked for. None does of one that is being stopped."""

    since: float  # Unix seconds


@dataclass(slots=True)
class _Flight:
    trigger: str
    since: float  # Unix seconds
    moved: float  # when it began, or was last seen to get on in learning a long past, by the stopwatch
    caught_up: int | None = None
    reported: bool = False
    skipped: bool = False  # a tick was due meanwhile


class WatcherRunner:
    """Owns when its watcher ticks. One tick is in flight at a time, whoever asked for it."""

    def __init__(
        self,
        watcher: Watcher,
        schedule: str,
        *,
        events: Events,
        telemetry: Telemetry,
        timeout: float = 60.0,
        clock: Clock = wall,
        stopwatch: Clock = monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.watcher = watcher
        self._schedule = schedule
        self._events = events
        self._telemetry = telemetry
        self._timeout = timeout
        self._clock = clock
        self._stopwatch = stopwatch
        self._sleep = sleep
        self._lock = threading.Lock()
        self._flight: _Flight | None = None
        self._behind = False  # a tick was skipped, and none has been in time since
        self._queued = False
        self._last: Tick | None = None
        self._crash: BaseException | None = None
        self._sound = True  # its last tick did not crash
        self._error = ""
        self._stopped = False
        self._closed = False
        # From zero on, so that increase() sees the first one.
        for metric in ("lens_ticks_total", "lens_ticks_failed_total", "lens_ticks_skipped_total"):
            telemetry.inc(metric, 0, watcher=self.name)

    @property
    def name(self) -> str:
        return self.watcher.name

    async def run(self) -> None:
        """Tick on schedule until stop(). A tick that crashes (anything but a named failure) crashes this, for the supervisor."""
        before = self._clock()
        due = next_due(self._schedule, before)
        while not self._stopped:
            now = self._clock()
            if now < before:
                due = next_due(self._schedule, now)  # the clock was set back: what was due is far away now
            before = now
            if now >= due:
                if not self._start("schedule"):
                    await asyncio.to_thread(self._skipped, due)
                due = next_due(self._schedule, now)
            await self._look_after()
            await self._sleep(max(0.0, min(due - now, _POLL)))
        left = _GRACE
        while self._flight is not None and left > 0:
            await self._sleep(_POLL / 10)
            left -= _POLL / 10

    def stop(self) -> None:
        """Let run() return soon, and no tick begin. One in flight gets a few seconds to end; what it stored stands."""
        self._stopped = True
        self.watcher.interrupt()

    def trigger(self) -> Started | AlreadyRunning:
        """Ask for a tick now. Answers at once; while a tick runs, at most one more is queued behind it."""
        if self._start("manual"):
            return Started()
        with self._lock:
            if self._flight is not None:
                self._queued = True
                return AlreadyRunning(self._flight.since)
            if self._stopped:
                return AlreadyRunning(self._clock())  # the runner that takes its place ticks by itself
        return self.trigger()  # it ended in between

    def let_go(self) -> Known | None:
        """Stop, and give away what its watcher has learnt.

        None where that is nothing, while a tick is at work on it, and if the last one crashed: maybe over it.
        """
        self.stop()  # a tick of this one would learn all of it again
        with self._lock:
            learnt = self.watcher.let_go() if self._flight is None else None
            return learnt if self._sound and learnt is not None and learnt.baselines.knows else None

    def keep(self) -> None:
        """Write down what its watcher has learnt, once it was stopped, unless a tick is at work on it or the last one crashed."""
        with self._lock:
            ready = self._stopped and self._flight is None and self._sound
        if ready:  # nobody begins another one: a disk that hangs holds nobody up
            self.watcher.keep()

    def close(self) -> None:
        """Let go of what its watcher publishes and has learnt: investigations may keep its generation for a while.

        A tick that is still at work on it lets go when it ends.
        """
        self.watcher.close()
        self._closed = True
        self.let_go()

    def status(self) -> WatcherStatus:
        """Say how the watcher stands. Answers at once."""
        with self._lock:
            flight, last, error = self._flight, self._last, self._error
        return WatcherStatus(
            name=self.name,
            schedule=self._schedule,
            state=self._state(flight, error),
            next_due=next_due(self._schedule, self._clock()),
            running_since=flight.since if flight else None,
            last=last,
            error=error,
        )

    def _state(self, flight: _Flight | None, error: str) -> WatcherState:
        if flight is not None:
            if self._is_late(flight):
                return WatcherState.HUNG
            return WatcherState.RUNNING if self.watcher.caught_up is None else WatcherState.LEARNING
        return WatcherState.FAILED if error else WatcherState.WAITING

    def _is_late(self, flight: _Flight) -> bool:
        return self._stopwatch() - flight.moved > self._timeout

    def _start(self, trigger: str) -> bool:
        with self._lock:
            if self._flight is not None or self._stopped:
                return False
            self._flight = _Flight(trigger, self._clock(), self._stopwatch())
        self._fly(trigger)
        return True

    def _fly(self, trigger: str) -> None:
        # On a daemon thread, so that a hung tick does not keep the process from ending.
        try:
            tick = begin(f"watch-{self.name}", lambda: self.watcher.tick(self._clock(), trigger=trigger))
        except BaseException as error:
            # Too many threads run already. Nothing is in flight then, and the next tick must be free to try.
            with self._lock:
                self._flight, self._error = None, f"{type(error).__name__}: {error}"
            raise
        tick.add_done_callback(self._landed)

    def _landed(self, ended: "Future[Tick]") -> None:
        """Note how a tick ended, and begin the one that follows at once if one was asked for meanwhile."""
        crash = ended.exception()  # run() raises it where the supervisor sees it
        with self._lock:
            self._sound = crash is None
            self._behind = self._behind and self._flight is not None and self._flight.skipped
            if crash is None:
                self._last = ended.result()
                self._error = "; ".join(map(str, self._last.failures))
            else:
                self._crash, self._error = crash, f"{type(crash).__name__}: {crash}"
                self.watcher.crashed()
            again, self._queued = self._queued and crash is None and not self._stopped, False
            self._flight = _Flight("manual", self._clock(), self._stopwatch()) if again else None
            if self._closed:
                self.watcher.let_go()  # nobody else will
        if again:
            try:
                self._fly("manual")
            except (RuntimeError, MemoryError) as error:
                # A future's callback cannot raise anywhere; run() raises this where the supervisor sees it.
                with self._lock:
                    self._crash = error

    async def _look_after(self) -> None:
        with self._lock:
            crash, self._crash = self._crash, None
            flight = self._flight
        if crash is not None:
            raise crash
        if flight is not None and flight.caught_up != (caught_up := self.watcher.caught_up):
            flight.caught_up, flight.moved, flight.reported = caught_up, self._stopwatch(), False
        if flight is not None and not flight.reported and self._is_late(flight):
            flight.reported = True
            await asyncio.to_thread(self._late, learns=flight.caught_up is not None)

    def _skipped(self, due: float) -> None:
        self._telemetry.inc("lens_ticks_skipped_total", watcher=self.name)
        with self._lock:
            again, self._behind = self._behind, True
            if self._flight is not None:
                self._flight.skipped = True
        tell = self._events.again if again else self._events.append
        tell("schedule.skipped", subject=self.name, due=due)

    def _late(self, *, learns: bool) -> None:
        """Tell of a tick that hangs; one that learns may do so more than once, getting on in between."""
        error = f"the tick still {'waits for more of its past' if learns else 'runs'} after {self._timeout:g} s"
        self._telemetry.inc("lens_ticks_failed_total", watcher=self.name)
        self._events.append("watcher.failed", subject=self.name, error=error, seconds=self._timeout)
