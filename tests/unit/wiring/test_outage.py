"""An outage of the database: when it begins, when it is over, and what is said of it."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from lens_exporter.errors import DatabaseError
from lens_exporter.foundation.database import Database
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.health import Readiness
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.wiring.outage import Outage


class Site:
    """A database that can be made to fail, and what stands around it."""

    def __init__(self) -> None:
        self.telemetry, self.now = Telemetry(), 100.0
        self.readiness = Readiness(self.telemetry)
        self.outage = Outage(self.telemetry, self.readiness, clock=lambda: self.now)
        self.database = Database("sqlite://", on_error=self.outage.failed)
        self.database.migrate()
        self.events = Events(self.database, self.telemetry)
        self.broken = False
        self.meanwhile: list[DatabaseError] = []  # fail elsewhere while the next write is under way
        sa.event.listen(self.database.engine, "before_cursor_execute", self._break)

    def _break(self, _connection, _cursor, statement, *_rest) -> None:
        if not statement.startswith(("INSERT", "UPDATE")):
            return
        while self.meanwhile:
            self.outage.failed(self.meanwhile.pop())
        if self.broken:
            raise sa.exc.OperationalError(statement, {}, Exception("disk I/O error"))

    def look(self) -> None:
        self.outage.look(self.database, self.events)


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.database.close()


def test_a_database_that_works_is_left_alone(site):
    """Looking writes nothing while nothing has failed."""
    site.broken = True
    site.look()
    assert site.readiness.ready().ok
    assert site.telemetry.value("lens_database_errors_total", error="DatabaseError") == 0


def test_any_failed_write_means_not_ready_until_one_works(site):
    """The reason is the database's own; looking while it fails changes nothing; then one event tells how long it was."""
    site.broken = True
    site.events.append("service.started")
    assert site.readiness.ready().reasons == ("database: database sqlite://: disk I/O error",)
    site.now += 7
    site.look()
    assert not site.readiness.ready().ok
    site.broken = False
    site.now += 3
    site.look()
    site.look()
    assert site.readiness.ready().ok
    (event,) = site.events.query(kind="database.recovered")
    assert event.data == {"error": "database sqlite://: disk I/O error", "seconds": 10.0, "failures": 2}
    assert site.telemetry.value("lens_database_errors_total", error="DatabaseError") == 2


def test_what_fails_during_the_look_keeps_the_outage_open(site):
    """A small write that fits does not make up for a larger one that did not, at the same moment."""
    site.outage.failed(DatabaseError(url="sqlite://", reason="first"))
    site.meanwhile.append(DatabaseError(url="sqlite://", reason="second"))
    site.look()
    assert site.readiness.ready().reasons == ("database: database sqlite://: second",)
    site.look()
    assert site.readiness.ready().ok
