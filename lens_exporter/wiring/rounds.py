"""Work that is done again and again, and waits for what is away instead of dying of it."""

import threading
from collections.abc import Callable

import structlog

from lens_exporter.errors import DatabaseError, LensError
from lens_exporter.foundation.health import Readiness

_log = structlog.get_logger("lens_exporter.rounds")


def rounds(name: str, seconds: float, work: Callable[[], None], readiness: Readiness) -> Callable[[threading.Event], None]:
    """Make a loop that works once every `seconds` until its event is set.

    A round that fails by a LensError is tried again like any other. While it does, readiness has a condition of this name; a
    failing database has its own (wiring.outage).
    """

    def loop(stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                work()
            except DatabaseError as error:
                _log.error("waiting for the database", round=name, error=str(error))
            except LensError as error:
                _log.error("a round failed and is tried again", round=name, error=str(error))
                readiness.fail(name, str(error))
            else:
                readiness.clear(name)
            stop.wait(seconds)

    return loop
