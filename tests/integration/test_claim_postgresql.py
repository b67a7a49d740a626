"""The claim on a PostgreSQL whose connections break on one side only, and which stops answering."""

import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sa

from lens_exporter.errors import DatabaseError, DatabaseInUse
from lens_exporter.foundation.claim import SessionClaim
from lens_exporter.foundation.database import Database
from lens_exporter.foundation.threads import begin
from tests.servers.postgres import postgres
from tests.servers.waiting import until

pytestmark = pytest.mark.integration

OURS = "FROM pg_stat_activity WHERE application_name LIKE 'lens-exporter pid %'"


class Wire:
    """A proxy that can break connections where their client hears of it, and the server does not."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._port))
                self._pairs.append((client, server))
                threading.Thread(target=_pump, args=(client, server), daemon=True).start()
                threading.Thread(target=_pump, args=(server, client, True), daemon=True).start()

    @property
    def connections(self) -> int:
        return len(self._pairs)

    def break_clients(self) -> None:
        for client, _ in self._pairs:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()
        for pair in self._pairs:
            for one in pair:
                one.close()


def through(wire: Wire, url: str) -> str:
    return sa.make_url(url).set(port=wire.port).render_as_string(hide_password=False)


def _pump(one: socket.socket, other: socket.socket, tells: bool = False) -> None:
    with suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
        if tells:
            other.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture
def admin(server) -> Iterator[sa.Connection]:
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def claimed(server, admin) -> Iterator[Database]:
    database = Database(server)
    database.claim()
    yield database
    database.close()
    until(lambda: backends(admin) == [], 10, what="the next test finds it free")


@pytest.fixture
def wire(server) -> Iterator[Wire]:
    wire = Wire(sa.make_url(server).port or 0)
    yield wire
    wire.close()


def backends(admin: sa.Connection) -> list[int]:
    """Whose client is gone may be among them for a moment more: a session ends after the connection, and after its locks are free."""
    return list(admin.execute(sa.text(f"SELECT pid {OURS} ORDER BY backend_start")).scalars())


@pytest.fixture
def stopped(claimed, admin) -> Iterator[int]:
    """The server's process of the claim, which is there and does nothing."""
    [backend] = backends(admin)
    os.kill(backend, signal.SIGSTOP)
    yield backend
    with suppress(ProcessLookupError):
        os.kill(backend, signal.SIGCONT)
    until(lambda: backend not in backends(admin), 10, what="the server has ended it")


def test_a_connection_of_which_only_this_side_has_ended_is_no_other_process(server, admin, wire):
    """The server keeps the old session until its keepalives fail: who held it ends that, and has the database again at once."""
    database = Database(through(wire, server))
    database.claim()
    before = backends(admin)
    wire.break_clients()
    database.keep_claim()
    assert len(before) == 1
    until(lambda: len(after := backends(admin)) == 1 and after != before, 10, what="one session, and a new one")
    with pytest.raises(DatabaseInUse, match=f"pid {os.getpid()} on "):
        Database(server).claim()
    database.close()
    until(lambda: backends(admin) == [], 10)


def test_a_session_of_anybody_elses_is_not_ended(claimed, admin, server):
    """Not even of the same name: only the one that this process itself had counts."""
    before = backends(admin)
    with pytest.raises(DatabaseInUse):
        Database(server).claim()
    until(lambda: backends(admin) == before, 10, what="the refused one's session has ended, and no other")
    claimed.keep_claim()
    assert backends(admin) == before


def test_a_server_that_does_not_answer_is_a_named_error_within_seconds(claimed, admin, stopped):
    """And nothing of it is left behind: when it goes on, its old session ends and one new one has the claim."""
    begun = time.monotonic()
    with pytest.raises(DatabaseError, match=r"no answer within 5 s") as caught:
        claimed.keep_claim()
    assert time.monotonic() - begun < 8
    assert not isinstance(caught.value, DatabaseInUse)
    with pytest.raises(DatabaseError) as caught:  # its own session, which cannot end yet, is nobody else's
        claimed.keep_claim()
    assert not isinstance(caught.value, DatabaseInUse)
    os.kill(stopped, signal.SIGCONT)
    until(lambda: backends(admin) == [], 10, what="nothing is left")
    claimed.keep_claim()
    assert len(backends(admin)) == 1


def stop_accepting(admin: sa.Connection) -> int:
    """End the claim's session, and stop the process that would begin another one: its kernel goes on to take connections."""
    [backend] = backends(admin)
    status = Path(f"/proc/{backend}/status").read_text("utf-8")
    admin.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": backend})
    until(lambda: backends(admin) == [], 10)
    postmaster = int(re.search(r"PPid:\s*(\d+)", status)[1])
    os.kill(postmaster, signal.SIGSTOP)
    return postmaster


def test_a_server_that_takes_connections_and_says_nothing_is_a_named_error_within_seconds(claimed, admin):
    """The whole of it is stopped, and the connection has to be made anew."""
    postmaster = stop_accepting(admin)
    begun = time.monotonic()
    try:
        with pytest.raises(DatabaseError, match=r"no answer within 5 s|timeout"):
            claimed.keep_claim()
        assert time.monotonic() - begun < 8
    finally:
        os.kill(postmaster, signal.SIGCONT)
    until(lambda: backends(admin) == [], 10, what="nothing is left")
    claimed.keep_claim()
    assert len(backends(admin)) == 1


def test_a_database_that_is_closed_while_its_claim_is_taken_again_is_free(server, admin, wire):
    """Without waiting for the server's answer: whoever hears that gives it up."""
    database = Database(through(wire, server))
    database.claim()
    postmaster, connections = stop_accepting(admin), wire.connections
    wire.break_clients()
    keeping = begin("keep", database.keep_claim)
    try:
        until(lambda: wire.connections > connections, 10, what="it is about to be taken again")
        begin("close", database.close).result(1)
        assert not keeping.done()
    finally:
        os.kill(postmaster, signal.SIGCONT)
    keeping.result(10)
    until(lambda: backends(admin) == [], 10, what="the database is free")


def test_a_claim_that_was_given_up_is_not_taken_again(server, admin):
    """By a thread that had begun to see after it."""
    claim = SessionClaim(sa.make_url(server), server)
    claim.take()
    claim.release()
    claim.keep()
    until(lambda: backends(admin) == [], 10, what="the database is free")
