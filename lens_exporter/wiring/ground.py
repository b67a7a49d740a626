"""What outlives a reload of the configuration."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lens_exporter.config.secrets import Secrets
from lens_exporter.config.settings import Config
from lens_exporter.errors import DatabaseError
from lens_exporter.foundation.breaker import BreakerChange, BreakerState
from lens_exporter.foundation.clock import Clock, wall
from lens_exporter.foundation.database import Database
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.telemetry import Telemetry

_EVENTS = {
    BreakerState.OPEN: "breaker.opened",
    BreakerState.HALF_OPEN: "breaker.half_opened",
    BreakerState.CLOSED: "breaker.closed",
}


@dataclass(frozen=True, slots=True)
class Ground:
    """Database, events, metrics, secrets and the clock: everything else is built on them, and built anew by a reload."""

    database: Database
    events: Events
    telemetry: Telemetry
    secrets: Secrets
    clock: Clock = wall
    snapshots: Path | None = None  # the folder that watchers keep over a restart what they have learnt in

    def breaker_changed(self, change: BreakerChange) -> None:
        """Tell of a breaker that opened, half-opened or closed. That a trial failed once more is no news."""
        self.telemetry.set("lens_breaker_state", change.state, client=change.service)
        facts: dict[str, Any] = {}
        if change.state is BreakerState.OPEN:
            facts = {"failures": change.failures, "error": change.reason, "until": change.until}
        if change.state is BreakerState.CLOSED:
            facts = {"seconds": change.seconds, "trials": change.trials}
        again = change.state is not BreakerState.CLOSED and change.trials > (change.state is BreakerState.HALF_OPEN)
        tell = self.events.again if again else self.events.append
        tell(_EVENTS[change.state], subject=change.service, **facts)


def open_database(config: Config, secrets: Secrets, *, on_error: Callable[[DatabaseError], None] = lambda _error: None) -> Database:
    """Give the configured database; it is not touched yet.

    Raises:
        SecretUnreadable: its password cannot be read.

    """
    password = secrets.reader("database_password_file", file=config.database_password_file, env=config.database_password_env)
    return Database(config.database_url, password=password() if password else None, on_error=on_error)


def lay(
    database: Database, telemetry: Telemetry, secrets: Secrets, *, clock: Clock = wall, snapshots: Path | None = None
) -> Ground:
    """Put events on a database and bind the two with the metrics."""
    return Ground(database, Events(database, telemetry, clock=clock), telemetry, secrets, clock, snapshots)
