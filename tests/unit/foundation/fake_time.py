"""A clock and a sleep that only move when a test says so."""

import asyncio
from collections.abc import Callable


class FakeTime:
    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        event = asyncio.Event()
        self._sleepers.append((self.now + seconds, event))
        await event.wait()

    def advance(self, seconds: float) -> None:
        self.now += seconds
        for until, event in self._sleepers:
            if until <= self.now:
                event.set()


async def reach(condition: Callable[[], object], turns: int = 200_000) -> None:
    """Let the loop turn until the condition holds; some turns wait for a short piece of work on a thread."""
    for _ in range(turns):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("never came true")
