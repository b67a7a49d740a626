"""How late an asyncio event loop runs its timers."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a program without asyncio must not import it because of its exporter
    from asyncio import AbstractEventLoop, TimerHandle

_EVERY = 0.25
_WINDOW = 60.0


class LoopLag:
    """Sets a timer on the loop four times a second and keeps the longest delay of the present and the last minute.

    A delay is measured when the timer runs at last; while the loop is blocked, the delay so far counts. It uses timers and not a
    task, so that a loop that is closed has nothing left to complain about.
    """

    def __init__(self, loop: AbstractEventLoop, *, every: float = _EVERY, window: float = _WINDOW) -> None:
        self._loop = loop
        self._every = every
        self._window = window
        self._lock = threading.Lock()
        self._timer: TimerHandle | None = None
        self._due = 0.0  # 0 while nothing is due
        self._since = 0.0  # when the present stretch of the window began
        self._longest = (0.0, 0.0)  # of the stretch before, of the present one
        self._closed = False

    def start(self) -> None:
        """Begin to watch; may be called from any thread.

        Raises:
            RuntimeError: the loop is closed.

        """
        self._loop.call_soon_threadsafe(self._set)

    def close(self) -> None:
        """Stop watching; may be called from any thread, also after the loop has closed."""
        self._closed = True
        if not self._loop.is_closed():
            try:
                self._loop.call_soon_threadsafe(self._cancel)
            except RuntimeError:
                return  # it closed in between

    def seconds(self) -> float | None:
        """Give the longest delay; None while the loop does not run, or before the first timer."""
        with self._lock:
            if self._due == 0.0 or not self._loop.is_running():
                return None
            return max(*self._longest, self._loop.time() - self._due)

    def _set(self) -> None:
        if self._closed:
            return
        with self._lock:
            self._due = self._loop.time() + self._every
        self._timer = self._loop.call_at(self._due, self._ran)

    def _ran(self) -> None:
        now = self._loop.time()
        with self._lock:
            late = max(now - self._due, 0.0)
            before, present = self._longest
            if now - self._since >= self._window:
                before, present, self._since = present, 0.0, now
            self._longest = (before, max(present, late))
        self._set()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
