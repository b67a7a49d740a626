"""Looking whether an outage is over, at a PostgreSQL that takes connections and does not answer."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
import sqlalchemy as sa

from lens_exporter.errors import DatabaseError
from lens_exporter.foundation.database import Database
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.health import Readiness
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.wiring.outage import Outage
from tests.servers.postgres import Postgres, postgres_server

pytestmark = pytest.mark.integration


class Site:
    """A database whose outage has begun, and what stands around it."""

    def __init__(self, url: str) -> None:
        self.telemetry = Telemetry()
        self.readiness = Readiness(self.telemetry)
        self.outage = Outage(self.telemetry, self.readiness)
        self.database = Database(url, on_error=self.outage.failed)
        self.database.migrate()
        self.events = Events(self.database, self.telemetry)
        self.outage.failed(DatabaseError(url=self.database.url, reason="it began"))

    def look(self) -> float:
        """Look, as the round does; give how many seconds that took."""
        begun = time.monotonic()
        self.outage.look(self.database, self.events)
        return time.monotonic() - begun

    def kept(self) -> int:
        """Give the server's process of the connection that is kept for the next statement."""
        with self.database.reading() as connection:
            return int(connection.execute(sa.select(sa.func.pg_backend_pid())).scalar_one())


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres_server() as running:
        yield running


@pytest.fixture
def site(server) -> Iterator[Site]:
    made = Site(server.url)
    yield made
    made.database.close()


def test_a_server_that_says_nothing_is_an_outage_that_goes_on(server, site):
    """The look ends within seconds, by name; the first one that has an answer ends the outage, with one event."""
    server.stop_accepting()
    try:
        assert site.look() < 8
    finally:
        server.accept_again()
    (reason,) = site.readiness.ready().reasons
    assert "no answer within 5 s" in reason or "timeout" in reason
    site.look()
    assert site.readiness.ready().ok
    (event,) = site.events.query(kind="database.recovered")
    assert (event.data["failures"], event.data["error"]) == (2, reason.removeprefix("database: "))


def test_a_kept_connection_that_says_nothing_does_not_hold_up_the_look(site):
    """It is given up with all that were kept: the server answers on new ones, also what is stored next."""
    before = len(site.events.query(kind="database.recovered"))
    stopped = site.kept()
    os.kill(stopped, signal.SIGSTOP)
    try:
        assert site.look() < 5
        assert site.readiness.ready().ok
        assert len(site.events.query(kind="database.recovered")) == before + 1
        assert site.kept() != stopped
    finally:
        with suppress(ProcessLookupError):
            os.kill(stopped, signal.SIGCONT)


def test_a_statement_without_an_answer_is_given_up(server, site):
    """The connection is there and what it asks is not done, as on a disk that hangs."""
    other = sa.create_engine(server.url)
    with other.connect() as holding:
        holding.execute(sa.text("LOCK TABLE alembic_version"))
        assert 4 < site.look() < 8
    other.dispose()
    assert site.readiness.ready().reasons == (f"database: database {site.database.url}: no answer within 5 s",)
    site.look()
    assert site.readiness.ready().ok
