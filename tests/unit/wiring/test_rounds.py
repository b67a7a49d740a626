"""Work done in rounds survives every named failure, and readiness tells which round fails."""

import threading

from structlog.testing import capture_logs

from lens_exporter.errors import DatabaseError, LensError, SecretUnreadable
from lens_exporter.foundation.health import Readiness
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.wiring.rounds import rounds


class Work:
    """Fails as it is told, one failure a round, None for a good one; then ends the loop."""

    def __init__(self, *outcomes: LensError | None) -> None:
        self.readiness = Readiness(Telemetry())
        self.seen: list[tuple[str, ...]] = []  # reasons before each round
        self._outcomes = list(outcomes)
        self._stop = threading.Event()
        rounds("alerts", 0.0, self._work, self.readiness)(self._stop)

    def _work(self) -> None:
        self.seen.append(self.readiness.ready().reasons)
        outcome = self._outcomes.pop(0)
        if not self._outcomes:
            self._stop.set()
        if outcome is not None:
            raise outcome


def test_a_named_failure_is_not_ready_and_the_next_good_round_is():
    """A token file that is away for six rounds and more neither ends the rounds nor is kept from anybody."""
    away = SecretUnreadable(key="alertmanager.token_file", path="/t", reason="gone")
    work = Work(*[away] * 8, None, None)
    assert work.seen == [(), *[(f"alerts: {away}",)] * 8, ()]
    assert work.readiness.ready().ok


def test_the_database_has_its_own_condition():
    """A failed database is told by whoever looks after it, and a round that only met that says nothing of its own."""
    work = Work(DatabaseError(url="sqlite://", reason="full"), None)
    assert work.seen == [(), ()]


def test_the_log_tells_when_a_failure_begins_and_when_it_is_over():
    """Eight rounds that fail are one line and one at the end; another failure in between is another."""
    away, full = (
        SecretUnreadable(key="alertmanager.token_file", path="/t", reason="gone"),
        DatabaseError(url="sqlite://", reason="full"),
    )
    with capture_logs() as lines:
        Work(*[away] * 4, full, *[away] * 3, None, None)
    told = [(line["log_level"], line["event"]) for line in lines if line["log_level"] != "debug"]
    assert told == [
        ("error", "a round failed and is tried again"),
        ("error", "waiting for the database"),
        ("info", "the rounds work again"),
    ]
    assert next(line["failures"] for line in lines if "failures" in line) == 8
