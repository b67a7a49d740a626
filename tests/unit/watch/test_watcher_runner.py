"""When a watcher ticks, and what a tick that hangs or crashes does to the rest."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lens_exporter.errors import Unreachable
from lens_exporter.watch.runner import AlreadyRunning, Started, WatcherRunner, WatcherState
from lens_exporter.watch.snapshots import Snapshots
from tests.servers.waiting import until
from tests.unit.publish.timeline import NOON
from tests.unit.watch.site import MEMORY, Site, quiet, site


class Running:
    """A runner on the site's clock. Its sleep moves that clock, so a minute passes in no time."""

    def __init__(self, here: Site, schedule: str = "* * * * *") -> None:
        self.here = here
        self.uptime = 0.0
        self.until = NOON
        self.set_back = 0.0
        self.ended = threading.Event()
        self.crash: BaseException | None = None
        self.runner = WatcherRunner(
            here.watcher,
            schedule,
            events=here.line.events,
            telemetry=here.line.telemetry,
            timeout=60.0,
            clock=here.line.time,
            stopwatch=lambda: self.uptime,
            sleep=self._sleep,
        )

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        if self.here.line.time.now < self.until:
            self.here.line.time.now += seconds
            self.uptime += seconds
        else:
            await asyncio.sleep(0.001)  # the test decides when time goes on

    def start(self) -> None:
        def run() -> None:
            try:
                asyncio.run(self.runner.run())
            except BaseException as error:
                self.crash = error
            finally:
                self.ended.set()

        threading.Thread(target=run, daemon=True).start()

    def let_pass(self, minutes: float) -> None:
        """Let the clock run on, and wait until it got there."""
        self.until = self.here.line.time.now + 60.0 * minutes
        until(lambda: self.here.line.time.now >= self.until or self.ended.is_set(), 10)

    def crash_at_a_tick(self) -> None:
        """Let the next tick meet a failure that has no name, and wait until it has ended the run."""

        def broken(_minute: float) -> float:
            raise ZeroDivisionError

        self.here.story.tell(MEMORY.name, broken)
        for _ in range(5):  # a tick that is under way lets the next one be skipped
            self.let_pass(2)
            if self.ended.wait(1):
                return
        raise AssertionError("no tick met the failure")

    @property
    def ticks(self) -> float:
        return self.here.metric("lens_ticks_total") or 0.0

    def settled(self, ticks: int) -> None:
        """Wait until that many ticks ran and none is in flight."""
        until(lambda: self.ticks == ticks and self.runner.status().running_since is None, 5)


@contextmanager
def running(schedule: str = "* * * * *", *, start: bool = True) -> Iterator[Running]:
    with site() as here:
        here.line.time.now = NOON
        it = Running(here, schedule)
        if start:
            it.start()
        yield it
        here.story.gate.set()
        it.runner.stop()
        if start:
            assert it.ended.wait(10)
        until(lambda: it.runner.status().running_since is None, 10)


def test_its_counters_begin_at_zero() -> None:
    """increase() and rate() see the first failure only if there was a sample before it."""
    with running(start=False) as it:
        for what in ("ticks", "ticks_failed", "ticks_skipped"):
            assert it.here.metric(f"lens_{what}_total") == 0


def test_it_ticks_at_the_times_of_its_schedule() -> None:
    """A minute after noon the first tick, one at each minute from then on."""
    with running() as it:
        it.let_pass(0.9)
        assert it.ticks == 0
        it.let_pass(0.2)
        it.settled(1)
        it.let_pass(1)
        it.settled(2)
        assert it.runner.status().state is WatcherState.WAITING


def test_a_tick_that_hangs_blocks_itself_only_and_is_seen() -> None:
    """Status and trigger answer at once; due ticks are skipped, counted and told; a minute later it counts as failed."""
    with running() as it:
        it.here.story.gate.clear()
        it.let_pass(1.1)
        until(lambda: it.runner.status().state is WatcherState.RUNNING, 5)
        assert it.runner.status().running_since is not None
        assert isinstance(it.runner.trigger(), AlreadyRunning)
        it.let_pass(3)
        until(lambda: it.here.metric("lens_ticks_skipped_total") == 3, 5)
        assert [event["due"] for event in it.here.events("schedule.skipped")] == [NOON + 120]  # those after it are no news
        assert it.runner.status().state is WatcherState.HUNG
        until(lambda: it.here.events("watcher.failed"), 5)
        assert [event["error"] for event in it.here.events("watcher.failed")] == ["the tick still runs after 60 s"]
        it.here.story.gate.set()
        until(lambda: it.runner.status().running_since is None, 5)
        assert it.runner.status().state is WatcherState.WAITING


def test_ticks_that_are_all_too_slow_are_told_once_until_one_is_in_time() -> None:
    """A schedule that is too fast for what it asks is no news with each tick; it is again after it was well."""
    with running() as it:
        for slow in (True, True, False, True):
            before = it.ticks
            if slow:
                it.here.story.gate.clear()
            skipped = it.here.metric("lens_ticks_skipped_total") or 0.0
            it.let_pass(1)
            if slow:
                until(lambda: it.runner.status().running_since is not None, 5)
                it.let_pass(1)
                until(lambda seen=skipped: (it.here.metric("lens_ticks_skipped_total") or 0.0) == seen + 1, 5)
            it.here.story.gate.set()
            until(lambda seen=before: it.ticks > seen and it.runner.status().running_since is None, 5)
        assert len(it.here.events("schedule.skipped")) == 2
        assert it.here.metric("lens_ticks_skipped_total") == 3


def test_a_trigger_starts_a_tick_and_more_of_them_queue_one() -> None:
    """However often it is pressed while a tick runs: one more follows."""
    with running(start=False) as it:
        it.here.story.gate.clear()
        assert it.runner.trigger() == Started()
        until(lambda: it.here.story.asked, 5)
        assert it.runner.trigger() == AlreadyRunning(NOON)
        assert it.runner.trigger() == AlreadyRunning(NOON)
        it.here.story.gate.set()
        until(lambda: it.runner.status().running_since is None, 5)
        assert it.ticks == 2
        assert [event["trigger"] for event in it.here.events("watcher.decided")] == ["manual", "manual"]
        assert it.runner.trigger() == Started()
        it.settled(3)


def test_a_failed_tick_is_shown_and_the_next_one_tries_again() -> None:
    """The state says failed with the error's words, then waiting again."""
    with running() as it:
        it.here.story.fails = Unreachable(service="prometheus", url="http://p", reason="refused")
        it.let_pass(1.1)
        until(lambda: it.runner.status().state is WatcherState.FAILED, 5)
        assert "refused" in it.runner.status().error
        it.here.story.fails = None
        it.let_pass(1)
        until(lambda: it.runner.status().state is WatcherState.WAITING, 5)
        assert it.runner.status().error == ""


def test_a_tick_that_crashes_ends_the_run_for_the_supervisor() -> None:
    """A failure without a name is a bug: run() raises it, and a new run() goes on."""
    with running() as it:
        it.crash_at_a_tick()
        assert isinstance(it.crash, ZeroDivisionError)
        assert it.runner.status().state is WatcherState.FAILED
        assert "ZeroDivisionError" in it.runner.status().error
        it.here.story.tell(MEMORY.name, lambda _minute: 0.4)
        it.ended.clear()
        it.start()
        it.let_pass(2)
        until(lambda: it.runner.status().error == "", 5)


def test_a_clock_that_jumps_ahead_causes_one_tick_and_no_burst() -> None:
    """Eight hours asleep: one tick now, the next at the next minute."""
    with running() as it:
        it.let_pass(1.1)
        it.settled(1)
        it.here.line.time.now += 8 * 3600.0
        it.settled(2)
        it.let_pass(0.5)
        assert it.ticks == 2


def test_a_clock_that_is_set_back_does_not_stop_the_ticks() -> None:
    """An hour back: the next tick comes within a minute and not after an hour."""
    with running() as it:
        it.let_pass(1.1)
        it.settled(1)
        it.until = it.here.line.time.now = NOON - 3600.0
        until(lambda: it.here.line.time.now == NOON - 3600.0, 5)
        it.let_pass(1.1)
        it.settled(2)


def test_stop_ends_the_run_and_lets_a_tick_in_flight_end() -> None:
    """run() returns after the tick has stored what it saw."""
    with running() as it:
        it.let_pass(1.1)
        it.settled(1)
        it.runner.stop()
        assert it.ended.wait(5)
        assert it.crash is None


def _no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the system refuse every tick's thread, as at a container's limit of processes."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "watch-python":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)


def test_a_tick_whose_thread_cannot_start_is_not_in_flight_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """The supervisor is told, and once threads can start again so do ticks."""
    with running() as it:
        with monkeypatch.context() as limited:
            _no_threads(limited)
            it.let_pass(1.1)
            assert it.ended.wait(5)
        assert "can't start new thread" in str(it.crash)
        assert it.runner.status().state is WatcherState.FAILED
        it.ended.clear()
        it.start()
        it.let_pass(1)
        it.settled(1)
        assert it.runner.status().state is WatcherState.WAITING


def test_a_queued_tick_whose_thread_cannot_start_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tick that follows another at once begins on that one's thread, where nobody would see a failure."""
    with running(start=False) as it:
        it.here.story.gate.clear()
        assert it.runner.trigger() == Started()
        assert isinstance(it.runner.trigger(), AlreadyRunning)
        with monkeypatch.context() as limited:
            _no_threads(limited)
            it.here.story.gate.set()
            until(lambda: it.runner.status().running_since is None, 5)
        assert it.runner.status().state is WatcherState.FAILED
        it.start()
        assert it.ended.wait(5)
        assert "can't start new thread" in str(it.crash)
        assert it.runner.trigger() == Started()
        it.settled(2)
        it.ended.clear()
        it.start()


@pytest.mark.parametrize("count", [20])
def test_simultaneous_triggers_start_one_tick(count: int) -> None:
    """Of many at the same moment one starts, and one more tick at most follows."""
    with running(start=False) as it:
        it.here.story.gate.clear()
        answers: list[Started | AlreadyRunning] = []
        together = threading.Barrier(count)

        def press() -> None:
            together.wait()
            answers.append(it.runner.trigger())

        threads = [threading.Thread(target=press) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        it.here.story.gate.set()
        until(lambda: it.runner.status().running_since is None, 5)
        assert answers.count(Started()) == 1
        assert it.ticks == 2


def test_what_was_learnt_is_given_away_between_ticks_only() -> None:
    """While a tick is at work on it nobody else may have it; afterwards it is given once, with all that was learnt."""
    with running(start=False) as it:
        it.here.story.tell(MEMORY.name, quiet)
        it.here.story.gate.clear()
        it.runner.trigger()
        until(lambda: it.here.story.asked, 5)
        assert it.runner.let_go() is None
        it.here.story.gate.set()
        it.settled(1)
        assert it.runner.status().running_since is None
        learnt = it.runner.let_go()
        assert learnt is not None
        assert not learnt.baselines.due(NOON + 60).fresh
        assert it.runner.let_go() is None
        assert it.runner.watcher.let_go().baselines.due(NOON + 60).fresh


@pytest.mark.parametrize("mended", [False, True])
def test_what_a_tick_crashed_over_is_given_to_nobody(mended: bool) -> None:
    """A reload is how a part that crashes is begun anew; the next good tick makes what it has learnt worth having again."""
    with running() as it:
        it.crash_at_a_tick()
        if mended:
            it.here.story.tell(MEMORY.name, quiet)
            it.ended.clear()
            it.start()
            it.let_pass(2)
            until(lambda: it.runner.status().error == "", 5)
        until(lambda: it.runner.status().running_since is None, 5)
        assert (it.runner.let_go() is not None) == mended


@contextmanager
def running_kept(folder: Path, *, start: bool = True) -> Iterator[Running]:
    """A runner whose watcher keeps what it has learnt in a folder."""
    with running(start=False) as it:
        here = it.here
        here.snapshots = lambda _: Snapshots(folder, "python", "", events=here.line.events, telemetry=here.line.telemetry)
        here.restart()
        it.runner.watcher = here.watcher
        if start:
            it.start()
        yield it


def crash_once_it_is_kept(it: Running, folder: Path) -> None:
    it.let_pass(2)
    until(lambda: list(folder.glob("*.lens-snapshot")), 5)
    # A tick that is under way would let the crashing one be skipped: the clock runs faster than it.
    until(lambda: it.runner.status().running_since is None, 5)
    it.crash_at_a_tick()
    until(lambda: it.runner.status().running_since is None, 5)


def test_what_a_tick_crashed_over_is_kept_for_nobody(tmp_path: Path) -> None:
    """The file of the tick before it goes; what ticks well again is kept again."""
    with running_kept(tmp_path) as it:
        crash_once_it_is_kept(it, tmp_path)
        assert list(tmp_path.iterdir()) == []
        it.here.story.tell(MEMORY.name, quiet)
        it.ended.clear()
        it.start()
        it.let_pass(2)
        until(lambda: list(tmp_path.iterdir()), 5)


def test_a_stop_after_a_crash_writes_nothing(tmp_path: Path) -> None:
    """What the last tick crashed over is not for the next process."""
    with running_kept(tmp_path) as it:
        crash_once_it_is_kept(it, tmp_path)
        it.runner.stop()
        it.runner.keep()
        assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_while_a_tick_is_at_work_on_it(tmp_path: Path) -> None:
    """A tick that hangs when the process is to end must not be waited for, nor be read from."""
    with running_kept(tmp_path, start=False) as it:
        it.here.story.gate.clear()
        it.runner.trigger()
        until(lambda: it.here.story.asked, 5)
        it.runner.stop()
        it.runner.keep()
        assert list(tmp_path.iterdir()) == []
        it.here.story.gate.set()
        it.settled(1)
        (kept,) = tmp_path.iterdir()
        kept.unlink()
        it.runner.keep()
        assert kept.exists()


def test_a_tick_that_learns_a_long_past_hangs_only_where_it_gets_on_no_more() -> None:
    """Three steps of nearly a minute each are a long start and no failure; a minute without a step is one, each time."""
    with running(start=False) as it:
        it.here.line.time.now = NOON + 27 * 60.0  # so much after the half hour: the anchor is farthest away
        steps = threading.Semaphore(0)
        rows = it.here.story.rows

        def step_by_step(*asked: Any, **how: Any) -> Any:
            steps.acquire(timeout=30)
            return rows(*asked, **how)

        it.here.story.rows = step_by_step
        it.here.story.block = 600.0
        it.here.story.tell(MEMORY.name, quiet)
        it.start()
        it.let_pass(1.1)
        for step in (2, 3, 4):  # the first one counts series
            until(lambda step=step: it.here.watcher.caught_up == step, 5)
            it.let_pass(0.9)
            assert it.runner.status().state is WatcherState.LEARNING
            steps.release()
        assert it.here.events("watcher.failed") == []
        for told, step in enumerate((5, 6), 1):
            until(lambda step=step: it.here.watcher.caught_up == step, 5)
            it.let_pass(1.2)
            assert it.runner.status().state is WatcherState.HUNG
            until(lambda told=told: len(it.here.events("watcher.failed")) == told, 5)
            steps.release()
        steps.release(1000)
        until(lambda: it.runner.status().running_since is None, 5)
        assert it.runner.status().state is WatcherState.WAITING
        assert it.here.watcher.caught_up is None
        it.runner.stop()
        assert it.ended.wait(10)


def test_who_is_stopped_while_it_learns_keeps_what_it_has_learnt() -> None:
    """It gives up at its next step, tells of no failure, and begins no other tick; who goes on asks for the rest only."""
    with running(start=False) as it:
        it.here.line.time.now = at = NOON + 29 * 60.0
        steps = threading.Semaphore(2)
        rows = it.here.story.rows
        asked: list[float] = []

        def step_by_step(metric: Any, start: float, *more: Any, **how: Any) -> Any:
            steps.acquire(timeout=30)
            asked.append(start)
            return rows(metric, start, *more, **how)

        it.here.story.rows = step_by_step
        it.here.story.block = 600.0
        it.here.story.tell(MEMORY.name, quiet)
        it.runner.trigger()
        until(lambda: it.here.watcher.caught_up == 4, 5)
        it.runner.stop()
        steps.release()
        until(lambda: it.runner.status().running_since is None, 5)
        assert it.here.events("watcher.failed") == []
        assert isinstance(it.runner.trigger(), AlreadyRunning)
        assert it.runner.status().running_since is None
        learnt = it.runner.let_go()
        assert learnt is not None
        assert len(asked) == 3
        due = learnt.baselines.due(at)
        assert not due.fresh
        assert due.first == asked[2] + 600.0


@pytest.mark.parametrize("in_flight", [False, True])
def test_one_that_is_closed_holds_nothing_that_was_learnt(in_flight: bool) -> None:
    """Its generation may be kept for as long as an investigation lasts; what its watchers knew is not, whenever the last tick ends."""
    with running(start=False) as it:
        it.here.story.tell(MEMORY.name, quiet)
        known = weakref.ref(it.here.watcher._looker._baselines)
        it.here.story.gate.clear()
        it.runner.trigger()
        until(lambda: it.here.story.asked, 5)
        if in_flight:
            it.runner.close()
        it.here.story.gate.set()
        until(lambda: it.runner.status().running_since is None, 5)
        if not in_flight:
            it.runner.close()
        gc.collect()
        assert known() is None
        assert isinstance(it.runner.trigger(), AlreadyRunning)
        assert it.ticks == 1
