"""A command that is told to end leaves its blocks first, as Ctrl-C makes it: servers are stopped, unfinished files removed."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn


@contextmanager
def ended_by_signals() -> Iterator[Callable[[], None]]:
    """Raise SystemExit with 128 + its number at SIGTERM or SIGHUP, which would otherwise end the process where it stands.

    Gives what a loop calls in each of its rounds: it raises again what a signal has raised, Ctrl-C too. Python drops whatever is
    raised while it finalizes an object or calls back from a weak reference, and goes on as if nobody had asked it to end.
    """
    raised: list[BaseException] = []

    def raise_again() -> None:
        for one in raised:
            raise one

    def end(number: int, _frame: object) -> NoReturn:
        raised.append(KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number))
        raise raised[-1]

    if threading.current_thread() is not threading.main_thread():
        yield raise_again  # only the main thread hears signals
        return
    # One that is ignored stays so: under nohup a command outlives its terminal.
    heard = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    before = {number: signal.signal(number, end) for number in heard if signal.getsignal(number) is not signal.SIG_IGN}
    try:
        yield raise_again
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
