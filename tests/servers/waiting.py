"""Waiting for something to become true, the only way a test waits."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(probe: Callable[[], T], seconds: float = 30.0, every: float = 0.05, *, what: str = "") -> T:
    """Call `probe` until it returns something true, and return that; fail the test after `seconds`, showing the last answer."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what or probe}; last answer {answer!r}")
        pause.wait(every)
