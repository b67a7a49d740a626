"""What DBOS says of its database, once: seven loops of it try again each second, and each says so each time."""

import logging
import threading

from lens_exporter.foundation.clock import Clock, monotonic
from lens_exporter.foundation.stretch import Stretch

_RAISED = "DBOS failed to launch"  # with a traceback at each try; whoever launches it has the same as an exception
_QUIET = 60.0  # seconds without a warning, after which the next one is news: DBOS does not say when something works again


class Repeats(logging.Filter):
    """Passes the first warning of a kind (its text up to a colon), and makes debug records of those after it.

    Errors all pass, but for the one that is raised as well.
    """

    def __init__(self, *, clock: Clock = monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._warnings = Stretch()
        self._last = float("-inf")

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.getMessage().partition(":")[0]
        if kind != _RAISED and (record.levelno != logging.WARNING or self._news(kind)):
            return True
        record.levelno, record.levelname = logging.DEBUG, logging.getLevelName(logging.DEBUG)
        return logging.getLogger().isEnabledFor(logging.DEBUG)

    def _news(self, kind: str) -> bool:
        with self._lock:
            now = self._clock()
            if now - self._last > _QUIET:
                self._warnings.over(now)
            self._last = now
            return self._warnings.failed(now, (kind,))
