"""Work that is done again and again, and waits for a database that is away instead of dying of it."""

import threading
from collections.abc import Callable

import structlog

from lens_exporter.errors import DatabaseError

_log = structlog.get_logger("lens_exporter.rounds")


def rounds(seconds: float, work: Callable[[], None]) -> Callable[[threading.Event], None]:
    """Make a loop that works once every `seconds` until its event is set."""

    def loop(stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                work()
            except DatabaseError as error:
                _log.error("waiting for the database", error=str(error))
            stop.wait(seconds)

    return loop
