"""Supervision of the running parts, one for one: a part that crashes is started again after a growing pause.

The rule is Erlang's restart intensity: more than `restarts` within `seconds` and the part is given up. Then readiness fails and
says which part and why, and everything else goes on.
"""

import asyncio
import traceback
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import structlog

from lens_exporter.foundation.clock import Clock, monotonic
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.health import Readiness
from lens_exporter.foundation.telemetry import Telemetry

Sleep = Callable[[float], Awaitable[None]]

_log = structlog.get_logger("lens_exporter.supervisor")


@dataclass(frozen=True, slots=True)
class Child:
    """One part to keep running. `run` ends by returning (done), by an exception (crashed) or by being cancelled (stopped)."""

    name: str
    run: Callable[[], Awaitable[None]]
    stop: Callable[[], None] | None = None  # asks it to end by itself soon; without, it is cancelled at once
    permanent: bool = False  # must never end: returning counts as a crash


class ChildState(StrEnum):
    RUNNING = "running"
    PAUSING = "pausing"  # crashed, and waiting to be started again
    DONE = "done"
    STOPPED = "stopped"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True)
class ChildStatus:
    name: str
    state: ChildState
    restarts: int
    error: str  # the last crash, "" if there was none


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """At most `restarts` within `seconds`, with pauses that double from `first_pause` to `longest_pause`."""

    restarts: int = 5
    seconds: float = 60.0
    first_pause: float = 0.5
    longest_pause: float = 30.0


@dataclass(slots=True, eq=False)
class _Kept:
    child: Child
    state: ChildState = ChildState.RUNNING
    restarts: int = 0
    error: str = ""
    stopping: bool = False
    crashes: deque[float] = field(default_factory=deque)  # within the policy's seconds
    task: "asyncio.Task[None] | None" = None


class TaskSupervisor:
    """Keeps named children running in the event loop that added them. All methods belong to that loop."""

    def __init__(
        self,
        telemetry: Telemetry,
        events: Events,
        readiness: Readiness,
        *,
        policy: RestartPolicy | None = None,
        clock: Clock = monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._telemetry = telemetry
        self._events = events
        self._readiness = readiness
        self._policy = policy or RestartPolicy()
        self._clock = clock
        self._sleep = sleep
        self._children: dict[str, _Kept] = {}

    def add(self, child: Child) -> None:
        """Start a child. Raises ValueError when one of that name is kept already."""
        if child.name in self._children:
            raise ValueError(f"a child named {child.name!r} is supervised already")
        kept = _Kept(child)
        self._children[child.name] = kept
        self._telemetry.inc("lens_child_restarts_total", 0, child=child.name)  # from zero on, so that increase() sees the first one
        kept.task = asyncio.get_running_loop().create_task(self._keep(kept), name=child.name)

    def children(self) -> tuple[ChildStatus, ...]:
        """Say how each child stands."""
        return tuple(ChildStatus(name, kept.state, kept.restarts, kept.error) for name, kept in self._children.items())

    async def remove(self, name: str, *, grace: float = 10.0) -> bool:
        """Stop a child and forget it, its series and its reasons. Says whether it really ended; raises KeyError if unknown."""
        kept = self._children[name]
        ended = await self._end(kept, grace)
        del self._children[name]
        self._readiness.clear(_condition(name))
        for metric in ("lens_child_up", "lens_child_restarts_total"):
            self._telemetry.forget(metric, child=name)
        return ended

    async def stop(self, *, grace: float = 10.0) -> tuple[str, ...]:
        """Stop all children at once: asked first, cancelled after `grace` seconds. Names those that did not even end then."""
        kept = list(self._children.values())
        ended = await asyncio.gather(*(self._end(each, grace) for each in kept))
        return tuple(each.child.name for each, done in zip(kept, ended, strict=True) if not done)

    async def _keep(self, kept: _Kept) -> None:
        try:
            while await self._run_once(kept):
                pause = self._pause(kept)
                if pause is None:
                    await self._give_up(kept)
                    return
                await self._announce_restart(kept, pause)
                await self._sleep(pause)
        except asyncio.CancelledError:
            kept.state = ChildState.STOPPED
        finally:
            # One that ended long after it was removed must not speak for its successor.
            if self._children.get(kept.child.name) is kept:
                self._telemetry.set("lens_child_up", 0.0, child=kept.child.name)

    async def _run_once(self, kept: _Kept) -> bool:
        """Run the child to its end. Says whether that was a crash."""
        kept.state = ChildState.RUNNING
        self._telemetry.set("lens_child_up", 1.0, child=kept.child.name)
        try:
            await kept.child.run()
        except asyncio.CancelledError:
            if _being_cancelled():
                raise
            kept.error = "it was cancelled from inside"
        except Exception as error:  # noqa: BLE001 - whatever a part dies of, the others live on
            kept.error = _words(error)
            _log.error("part crashed", part=kept.child.name, error=kept.error, trace="".join(traceback.format_exception(error)))
        else:
            if not kept.stopping and not kept.child.permanent:
                kept.state = ChildState.DONE
                return False
            kept.error = "" if kept.stopping else "it ended, and should not have"
        if kept.stopping:
            kept.state = ChildState.STOPPED
        return not kept.stopping

    def _pause(self, kept: _Kept) -> float | None:
        """Give the seconds until the next start, or None when the policy allows no more."""
        now = self._clock()
        kept.crashes.append(now)
        while kept.crashes[0] <= now - self._policy.seconds:
            kept.crashes.popleft()
        if len(kept.crashes) > self._policy.restarts:
            return None
        return float(min(self._policy.longest_pause, self._policy.first_pause * 2 ** (len(kept.crashes) - 1)))

    async def _announce_restart(self, kept: _Kept, pause: float) -> None:
        kept.state = ChildState.PAUSING
        kept.restarts += 1
        name = kept.child.name
        self._telemetry.set("lens_child_up", 0.0, child=name)
        self._telemetry.inc("lens_child_restarts_total", child=name)
        await self._tell("service.child_failed", kept, pause=pause)

    async def _give_up(self, kept: _Kept) -> None:
        kept.state = ChildState.GIVEN_UP
        name, policy = kept.child.name, self._policy
        self._telemetry.set("lens_child_up", 0.0, child=name)
        self._readiness.fail(
            _condition(name),
            f"given up after {len(kept.crashes)} crashes in {policy.seconds:g} s, the last: {kept.error}",
        )
        await self._tell("service.child_given_up", kept)

    async def _tell(self, event: str, kept: _Kept, **data: Any) -> None:
        # Storing an event may wait for the database, and the loop must not.
        name = kept.child.name
        await asyncio.to_thread(
            self._events.append, event, subject=name, child=name, error=kept.error, restarts=kept.restarts, **data
        )

    async def _end(self, kept: _Kept, grace: float) -> bool:
        task = kept.task
        if task is None or task.done():
            return True
        kept.stopping = True
        if kept.child.stop is not None and kept.state is ChildState.RUNNING:
            kept.child.stop()
            await self._wait(task, grace)
        if not task.done():
            task.cancel()
            await self._wait(task, grace)
        if not task.done():
            _log.error("part does not end", part=kept.child.name, grace=grace)
        return task.done()

    async def _wait(self, task: "asyncio.Task[None]", seconds: float) -> None:
        timer = asyncio.ensure_future(self._sleep(seconds))
        await asyncio.wait({task, timer}, return_when=asyncio.FIRST_COMPLETED)
        timer.cancel()


def _condition(name: str) -> str:
    return f"part {name}"


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
