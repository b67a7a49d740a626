"""Supervision, on a clock that stands still."""

import asyncio
import threading

import pytest

from lens_exporter.foundation.database import Database, metadata
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.health import Readiness
from lens_exporter.foundation.supervisor import Child, ChildState, RestartPolicy, TaskSupervisor
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.foundation.threads import in_thread
from tests.unit.foundation.fake_time import FakeTime, reach


class Floor:
    """A supervisor with everything around it."""

    def __init__(self, **policy) -> None:
        self.time = FakeTime()
        self.telemetry = Telemetry()
        database = Database("sqlite://")
        metadata.create_all(database.engine)
        self.events = Events(database, self.telemetry)
        self.readiness = Readiness(self.telemetry)
        self.supervisor = TaskSupervisor(
            self.telemetry,
            self.events,
            self.readiness,
            policy=RestartPolicy(**policy),
            clock=self.time,
            sleep=self.time.sleep,
        )

    def state(self, name: str) -> ChildState:
        return next(child.state for child in self.supervisor.children() if child.name == name)

    def told(self) -> list[tuple[str, dict]]:
        return [(event.type, event.data) for event in self.events.query()]


class Part:
    """A part that crashes as often as it is told to, then runs until cancelled."""

    def __init__(self, *crashes: Exception) -> None:
        self.crashes = list(crashes)
        self.starts = 0

    async def run(self) -> None:
        self.starts += 1
        if self.crashes:
            raise self.crashes.pop(0)
        await asyncio.Event().wait()


def test_a_crashed_part_is_started_again_after_growing_pauses():
    """Pauses double; event, counter and gauge follow; readiness is not touched."""

    async def story():
        floor, part = Floor(first_pause=1.0), Part(ValueError("one"), KeyError("two"))
        floor.supervisor.add(Child("watcher", part.run))
        await reach(lambda: floor.time.slept == [1.0])
        assert floor.state("watcher") is ChildState.PAUSING
        assert floor.telemetry.value("lens_child_up", child="watcher") == 0
        floor.time.advance(1.0)
        await reach(lambda: floor.time.slept == [1.0, 2.0])
        floor.time.advance(2.0)
        await reach(lambda: part.starts == 3)
        assert floor.state("watcher") is ChildState.RUNNING
        assert floor.telemetry.value("lens_child_up", child="watcher") == 1
        assert floor.telemetry.value("lens_child_restarts_total", child="watcher") == 2
        assert floor.readiness.ready().ok
        assert floor.told() == [
            ("service.child_failed", {"child": "watcher", "error": "ValueError: one", "restarts": 1, "pause": 1.0}),
            ("service.child_failed", {"child": "watcher", "error": "KeyError: 'two'", "restarts": 2, "pause": 2.0}),
        ]
        await floor.supervisor.stop()

    asyncio.run(story())


def test_a_part_that_crashes_too_often_is_given_up_and_readiness_says_so():
    """After the third crash within the time a limit of two is spent; the other part goes on."""

    async def story():
        floor = Floor(restarts=2, seconds=60.0, first_pause=1.0)
        bad, good = Part(*(OSError("no disk") for _ in range(9))), Part()
        floor.supervisor.add(Child("bad", bad.run))
        floor.supervisor.add(Child("good", good.run))
        for pauses in (1, 2):
            await reach(lambda pauses=pauses: len(floor.time.slept) == pauses)
            floor.time.advance(floor.time.slept[-1])
        await reach(lambda: floor.state("bad") is ChildState.GIVEN_UP and len(floor.told()) == 3)
        floor.time.advance(3600)
        assert bad.starts == 3
        assert floor.readiness.ready() == (False, ("part bad: given up after 3 crashes in 60 s, the last: OSError: no disk",))
        assert floor.telemetry.value("lens_ready") == 0
        assert floor.telemetry.value("lens_child_up", child="bad") == 0
        assert floor.told()[-1] == ("service.child_given_up", {"child": "bad", "error": "OSError: no disk", "restarts": 2})
        assert floor.state("good") is ChildState.RUNNING
        await floor.supervisor.stop()

    asyncio.run(story())


def test_slow_crashes_never_spend_the_limit():
    """A part that lives longer than the limit's time between crashes is started again for ever, with the first pause."""

    async def story():
        floor, part = Floor(restarts=1, seconds=60.0, first_pause=1.0), Part(*(OSError() for _ in range(5)))
        floor.supervisor.add(Child("slow", part.run))
        for crash in range(1, 6):
            await reach(lambda crash=crash: len(floor.time.slept) == crash)
            floor.time.advance(61.0)
        await reach(lambda: part.starts == 6)
        assert floor.time.slept == [1.0] * 5
        await floor.supervisor.stop()

    asyncio.run(story())


def test_pauses_are_capped():
    """No pause is longer than the longest one."""

    async def story():
        floor, part = Floor(restarts=9, first_pause=1.0, longest_pause=3.0), Part(*(OSError() for _ in range(4)))
        floor.supervisor.add(Child("x", part.run))
        for crash in range(1, 5):
            await reach(lambda crash=crash: len(floor.time.slept) == crash)
            floor.time.advance(3.0)
        await reach(lambda: part.starts == 5)
        assert floor.time.slept == [1.0, 2.0, 3.0, 3.0]
        await floor.supervisor.stop()

    asyncio.run(story())


def test_returning_is_done_unless_the_part_is_permanent():
    """A part that returns is left alone; a permanent one is started again."""

    async def story():
        floor = Floor()
        starts = []

        async def once():
            starts.append("once")

        async def server():
            starts.append("server")

        floor.supervisor.add(Child("once", once))
        floor.supervisor.add(Child("server", server, permanent=True))
        await reach(lambda: len(floor.time.slept) == 1)
        assert floor.state("once") is ChildState.DONE
        assert floor.state("server") is ChildState.PAUSING
        assert floor.told()[0][1]["error"] == "it ended, and should not have"
        floor.time.advance(60)
        await reach(lambda: starts == ["once", "server", "server"])
        await floor.supervisor.stop()

    asyncio.run(story())


def test_a_part_cancelled_from_inside_has_crashed():
    """A cancellation nobody asked the supervisor for is a crash, not a stop."""

    async def story():
        floor = Floor()

        async def run():
            raise asyncio.CancelledError

        floor.supervisor.add(Child("x", run))
        await reach(floor.told)
        assert floor.told()[0][1]["error"] == "it was cancelled from inside"
        await floor.supervisor.stop()

    asyncio.run(story())


def test_stop_asks_first_and_a_part_that_ends_by_itself_is_not_cancelled():
    """The polite way: stop is called, the part finishes what it does."""

    async def story():
        floor, asked, ends = Floor(), asyncio.Event(), []

        async def run():
            await asked.wait()
            ends.append("by itself")

        floor.supervisor.add(Child("polite", run, stop=asked.set, permanent=True))
        await reach(lambda: floor.telemetry.value("lens_child_up", child="polite") == 1)
        assert await floor.supervisor.stop(grace=5.0) == ()
        assert ends == ["by itself"]
        assert floor.state("polite") is ChildState.STOPPED
        assert floor.told() == []

    asyncio.run(story())


def test_stop_cancels_after_the_grace_and_names_what_does_not_even_end_then():
    """Deaf parts are cancelled after the grace; one that ignores that too is named."""

    async def story():
        floor, free = Floor(), asyncio.Event()

        async def deaf():
            await asyncio.Event().wait()

        async def stubborn():
            while not free.is_set():
                try:
                    await free.wait()
                except asyncio.CancelledError:
                    continue

        floor.supervisor.add(Child("deaf", deaf, stop=lambda: None))
        floor.supervisor.add(Child("stubborn", stubborn, stop=lambda: None))
        await reach(lambda: floor.telemetry.value("lens_child_up", child="stubborn") == 1)
        stopping = asyncio.ensure_future(floor.supervisor.stop(grace=5.0))
        await reach(lambda: floor.time.slept == [5.0, 5.0])
        assert floor.state("deaf") is ChildState.RUNNING
        floor.time.advance(5.0)
        await reach(lambda: floor.state("deaf") is ChildState.STOPPED and len(floor.time.slept) == 4)
        floor.time.advance(5.0)
        assert await stopping == ("stubborn",)
        free.set()

    asyncio.run(story())


def test_one_that_ends_long_after_it_was_removed_does_not_speak_for_its_successor():
    """The gauge of the name is that of the part which bears it now."""

    async def story():
        floor, free = Floor(), asyncio.Event()

        async def stubborn():
            while not free.is_set():
                try:
                    await free.wait()
                except asyncio.CancelledError:
                    continue

        floor.supervisor.add(Child("x", stubborn))
        await reach(lambda: floor.telemetry.value("lens_child_up", child="x") == 1)
        (task,) = [task for task in asyncio.all_tasks() if task.get_name() == "x"]
        removing = asyncio.ensure_future(floor.supervisor.remove("x", grace=5.0))
        await reach(lambda: floor.time.slept == [5.0])
        floor.time.advance(5.0)
        assert not await removing
        floor.supervisor.add(Child("x", Part().run))
        await reach(lambda: floor.telemetry.value("lens_child_up", child="x") == 1)
        free.set()
        await task
        assert floor.telemetry.value("lens_child_up", child="x") == 1
        await floor.supervisor.stop()

    asyncio.run(story())


def test_a_pausing_part_stops_at_once():
    """Nobody waits for a pause to end; and the part is not started again."""

    async def story():
        floor, part = Floor(), Part(OSError())
        floor.supervisor.add(Child("x", part.run, stop=lambda: None))
        await reach(lambda: floor.time.slept)
        assert await floor.supervisor.stop() == ()
        assert (part.starts, floor.state("x")) == (1, ChildState.STOPPED)

    asyncio.run(story())


def test_parts_come_and_go_at_run_time():
    """A removed part takes its series and its reason along, and its name may be used again."""

    async def story():
        floor = Floor(restarts=0)
        floor.supervisor.add(Child("x", Part(OSError("gone")).run))
        await reach(lambda: floor.state("x") is ChildState.GIVEN_UP and floor.told())
        with pytest.raises(ValueError, match="supervised already"):
            floor.supervisor.add(Child("x", Part().run))
        assert await floor.supervisor.remove("x")
        assert floor.readiness.ready() == (True, ())
        assert floor.telemetry.value("lens_child_up", child="x") is None
        assert floor.supervisor.children() == ()
        floor.supervisor.add(Child("x", Part().run))
        await reach(lambda: floor.telemetry.value("lens_child_up", child="x") == 1)
        await floor.supervisor.stop()

    asyncio.run(story())


def test_a_blocking_loop_is_a_part_like_any_other():
    """It runs on a thread, its crash is a crash, and its event ends it."""

    async def story():
        floor, runs, started = Floor(first_pause=1.0), [], threading.Event()

        def loop(stopping: threading.Event) -> None:
            runs.append(threading.current_thread().name)
            if len(runs) == 1:
                raise SystemExit(3)
            started.set()
            stopping.wait()
            runs.append("ended")

        floor.supervisor.add(in_thread("loop", loop, permanent=True))
        await reach(lambda: floor.time.slept == [1.0])
        assert floor.told()[0][1]["error"] == "ThreadDied: SystemExit(3)"
        floor.time.advance(1.0)
        await reach(started.is_set)
        assert await floor.supervisor.stop() == ()
        assert runs == ["loop", "loop", "ended"]
        assert floor.state("loop") is ChildState.STOPPED

    asyncio.run(story())


def test_a_thread_that_hangs_holds_nobody_up():
    """After its grace it is abandoned; being a daemon it does not keep the process alive."""

    async def story():
        floor, release = Floor(), threading.Event()
        floor.supervisor.add(in_thread("hung", lambda _stopping: release.wait() and None))
        await reach(lambda: floor.telemetry.value("lens_child_up", child="hung") == 1)
        stopping = asyncio.ensure_future(floor.supervisor.stop(grace=5.0))
        await reach(lambda: floor.time.slept == [5.0])
        floor.time.advance(5.0)
        assert await stopping == ()
        assert all(thread.daemon for thread in threading.enumerate() if thread.name == "hung")
        release.set()

    asyncio.run(story())
