"""When the database does not work, lens-exporter is not ready, until something can be stored again."""

import threading
from contextlib import suppress

from lens_exporter.errors import DatabaseError
from lens_exporter.foundation.clock import Clock, wall
from lens_exporter.foundation.database import Database
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.health import Readiness
from lens_exporter.foundation.telemetry import Telemetry

_CONDITION = "database"


class Outage:
    """Begins with any failed operation of the database and ends with a successful look. Thread-safe."""

    def __init__(self, telemetry: Telemetry, readiness: Readiness, *, clock: Clock = wall) -> None:
        self._telemetry = telemetry
        self._readiness = readiness
        self._clock = clock
        self._lock = threading.Lock()
        self._since = 0.0
        self._failures = 0
        self._reason = ""
        kinds: list[type[DatabaseError]] = [DatabaseError, *DatabaseError.__subclasses__()]
        for kind in kinds:  # from zero on, so that increase() sees the first one
            telemetry.inc("lens_database_errors_total", 0, error=kind.__name__)

    def failed(self, error: DatabaseError) -> None:
        """Take note of a failed operation."""
        self._telemetry.inc("lens_database_errors_total", error=type(error).__name__)
        with self._lock:
            if not self._failures:
                self._since = self._clock()
            self._failures += 1
            self._reason = str(error)
            self._readiness.fail(_CONDITION, self._reason)

    def look(self, database: Database, events: Events) -> None:
        """See whether an outage is over. Without one, nothing is asked of the database."""
        with self._lock:
            failures = self._failures
        if not failures:
            return
        with suppress(DatabaseError):  # failed() hears of it
            database.check()
            self._end(failures, events)

    def _end(self, failures: int, events: Events) -> None:
        with self._lock:
            if self._failures != failures:
                return  # something failed beside a write that worked: the next look decides
            self._failures = 0
            self._readiness.clear(_CONDITION)
            lasted = self._clock() - self._since
        events.append("database.recovered", error=self._reason, seconds=lasted, failures=failures)
