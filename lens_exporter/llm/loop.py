"""The event loop the model SDKs run on, in a thread of its own, so that a call can be cancelled when its caller gave up."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_GRACE = 5.0  # seconds a cancelled call gets to close its connection


class BackgroundLoop:
    """Runs coroutines for callers of other threads. The thread starts with the first call."""

    def __init__(self, name: str = "lens-llm") -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def run(self, work: Callable[[], Coroutine[Any, Any, T]], seconds: float) -> T:
        """Run `work()` for at most `seconds` and give its result; the work has the caller's context, and so its span.

        When the time is over, or the waiting caller is interrupted, the work is cancelled: no connection stays open behind it.

        Raises:
            TimeoutError: the time is over.
            concurrent.futures.CancelledError: the loop was closed.

        """
        loop = self._started()

        async def bounded() -> T:
            async with asyncio.timeout(seconds):
                return await work()

        future = asyncio.run_coroutine_threadsafe(bounded(), loop)
        try:
            return future.result(seconds + _GRACE)
        finally:
            future.cancel()  # whoever gave up waiting does not go on paying; one that has ended stays as it is

    def close(self) -> None:
        """Cancel what runs and end the thread. Idempotent."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
            self._closed = True
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result(_GRACE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_GRACE)
        if not thread.is_alive():
            loop.close()

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._closed:
                raise concurrent.futures.CancelledError
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name=self._name, daemon=True)
                self._thread.start()
            return self._loop


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
