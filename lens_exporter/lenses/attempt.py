"""One call in a thread of its own, so that whoever waits for it can stop waiting."""

import os
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Attempt(Generic[T]):
    """Runs `work` at once in a daemon thread. A thread cannot be ended from outside: a late one is left to finish by itself."""

    def __init__(self, work: Callable[[], T], *, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._work = work
        self._clock = clock
        self._done = threading.Event()
        self._pid = os.getpid()
        self.answer: T | None = None
        self.error: BaseException | None = None
        self.started = clock()
        self._ended = self.started
        threading.Thread(target=self._run, name=name, daemon=True).start()

    @property
    def finished(self) -> bool:
        return self._done.is_set()

    @property
    def lost(self) -> bool:
        """Whether it was begun before a fork: its thread does not exist in this process and it will never finish."""
        return self._pid != os.getpid()

    @property
    def seconds(self) -> float:
        """How long it took, or has taken until now."""
        return (self._ended if self.finished else self._clock()) - self.started

    def wait(self, deadline: float) -> bool:
        """Wait until it is `deadline` seconds old at most; whether it has finished."""
        return self._done.wait(max(self.started + deadline - self._clock(), 0.0))

    def _run(self) -> None:
        try:
            self.answer = self._work()
        except BaseException as error:  # noqa: BLE001 - foreign code, and nobody is above it in this thread; whoever waits judges
            self.error = error
        finally:
            self._ended = self._clock()
            self._done.set()
