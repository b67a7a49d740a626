"""Work that is done again and again, and waits for what is away instead of dying of it."""

import threading
from collections.abc import Callable

import structlog

from lens_exporter.errors import DatabaseError, LensError
from lens_exporter.foundation.clock import monotonic
from lens_exporter.foundation.health import Readiness
from lens_exporter.foundation.stretch import Stretch

_log = structlog.get_logger("lens_exporter.rounds")


def rounds(name: str, seconds: float, work: Callable[[], None], readiness: Readiness) -> Callable[[threading.Event], None]:
    """Make a loop that works once every `seconds` until its event is set.

    A round that fails by a LensError is tried again like any other, which the log tells once. While it does, readiness has a
    condition of this name; a failing database has its own (wiring.outage).
    """
    failing = Stretch()

    def tell(what: str, error: LensError) -> None:
        log = _log.error if failing.failed(monotonic(), (type(error).__name__,)) else _log.debug
        log(what, round=name, error=str(error))

    def loop(stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                work()
            except DatabaseError as error:
                tell("waiting for the database", error)
            except LensError as error:
                tell("a round failed and is tried again", error)
                readiness.fail(name, str(error))
            else:
                readiness.clear(name)
                if (over := failing.over(monotonic())) is not None:
                    _log.info("the rounds work again", round=name, seconds=round(over.seconds, 3), failures=over.failures)
            stop.wait(seconds)

    return loop
