"""Blocking work of the HTTP server, on threads."""

import functools
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter

T = TypeVar("T")
Offload = Callable[..., Coroutine[Any, Any, Any]]  # runs a blocking call in a thread


def offload(threads: int) -> Offload:
    """Give a function that runs blocking calls, at most so many at once."""
    limiter = CapacityLimiter(threads)

    async def run(work: Callable[..., T], *arguments: Any) -> T:
        return await anyio.to_thread.run_sync(functools.partial(work, *arguments), limiter=limiter)

    return run
