"""A command that is told to end leaves its blocks first, as Ctrl-C makes it: servers are stopped, unfinished files removed."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raise SystemExit with 128 + its number at SIGTERM or SIGHUP, which would otherwise end the process where it stands."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread hears signals
        return

    def end(number: int, _frame: object) -> NoReturn:
        raise SystemExit(128 + number)

    # One that is ignored stays so: under nohup a command outlives its terminal.
    ended = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, end) for number in ended}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
