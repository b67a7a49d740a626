import asyncio
import concurrent.futures
import contextvars
import threading
from collections.abc import Iterator

import pytest

from lens_exporter.llm.loop import BackgroundLoop

WHO = contextvars.ContextVar("who", default="nobody")


@pytest.fixture
def loop() -> Iterator[BackgroundLoop]:
    loop = BackgroundLoop("test-loop")
    yield loop
    loop.close()


def named_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "test-loop"]


def test_starts_with_the_first_call(loop):
    """No thread exists before something runs, one afterwards, none after close."""
    assert named_threads() == []

    async def answer() -> int:
        return 42

    assert [loop.run(answer, 5), loop.run(answer, 5)] == [42, 42]
    assert named_threads() == ["test-loop"]
    loop.close()
    loop.close()
    assert named_threads() == []
    with pytest.raises(concurrent.futures.CancelledError):
        loop.run(answer, 5)


def test_context_travels(loop):
    """The work sees the context (so, the span) of its caller."""

    async def who() -> str:
        return WHO.get()

    WHO.set("caller")
    assert loop.run(who, 5) == "caller"


def test_errors_travel(loop):
    """What the work raises, its caller gets."""

    async def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        loop.run(fail, 5)


def test_timeout_cancels(loop):
    """Work that takes too long is cancelled, and its clean-up has run when the caller hears of it."""
    ended = threading.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(TimeoutError):
        loop.run(forever, 0.05)
    assert ended.is_set()


def test_close_cancels(loop):
    """Closing ends work under way, and its caller hears of it."""
    begun = threading.Event()
    heard: list[BaseException] = []

    async def forever() -> None:
        begun.set()
        await asyncio.Event().wait()

    def call() -> None:
        try:
            loop.run(forever, 60)
        except concurrent.futures.CancelledError as error:
            heard.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    assert begun.wait(5)
    loop.close()
    thread.join(5)
    assert len(heard) == 1
