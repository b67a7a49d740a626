"""Blocking work on daemon threads: a loop as a supervised child, and a call whose outcome is a future."""

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, InvalidStateError
from typing import TypeVar

from lens_exporter.foundation.supervisor import Child

T = TypeVar("T")


class ThreadDied(RuntimeError):
    """The loop ended by something that is no ordinary exception (SystemExit, KeyboardInterrupt, StopIteration)."""


def in_thread(name: str, loop: Callable[[threading.Event], None], *, permanent: bool = False) -> Child:
    """Make a child of a blocking loop. The loop returns soon after its event is set; until then it may block as it likes.

    The thread is a daemon and not one of asyncio's own: one that hangs never keeps the process from ending, and never takes a
    place from `asyncio.to_thread`.
    """
    stopping = threading.Event()

    async def run() -> None:
        home = asyncio.get_running_loop()
        ended: asyncio.Future[None] = home.create_future()

        def settle(error: BaseException | None) -> None:
            if ended.done():
                return  # cancelled meanwhile
            if error is None:
                ended.set_result(None)
            elif isinstance(error, Exception) and not isinstance(error, StopIteration):
                ended.set_exception(error)
            else:
                died = ThreadDied(repr(error))
                died.__cause__ = error
                ended.set_exception(died)

        def tell(outcome: "Future[None]") -> None:
            with contextlib.suppress(RuntimeError):  # the event loop has closed: nobody listens any more
                home.call_soon_threadsafe(settle, outcome.exception())

        begin(name, lambda: loop(stopping)).add_done_callback(tell)
        try:
            await ended
        except asyncio.CancelledError:
            stopping.set()
            raise

    return Child(name, run, stop=stopping.set, permanent=permanent)


def begin(name: str, work: Callable[[], T]) -> "Future[T]":
    """Run a call on a thread of its own; its outcome is the future's, unless somebody settles that first.

    The thread is a daemon: one that hangs never keeps the process from ending, as an executor's would.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            value = work()
        # Whatever ends the work is passed to whoever waits for it.
        except BaseException as error:  # noqa: BLE001
            with contextlib.suppress(InvalidStateError):
                future.set_exception(error)
            return
        with contextlib.suppress(InvalidStateError):  # settled meanwhile: nobody waits any more
            future.set_result(value)

    threading.Thread(target=contextvars.copy_context().run, args=(run,), name=name, daemon=True).start()
    return future


def one_ahead(name: str, calls: Iterable[Callable[[], T]]) -> Iterator[T]:
    """Give what each call gives, in turn; while the caller works on it the next one is made, on a thread of its own.

    What a call raises is raised here, after what the calls before it gave, and none is made after it. Who stops early leaves at
    most one call behind, whose outcome nobody hears of.
    """
    running: list[Future[T]] = []
    for call in calls:
        given = [one.result() for one in running]
        running = [begin(name, call)]
        yield from given
    yield from (one.result() for one in running)
