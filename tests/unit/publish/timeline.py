"""A lifecycle on a clock of our own, with fake Alertmanagers, a database of its own, and everything it said."""

from contextlib import ExitStack, contextmanager
from itertools import count
from tempfile import TemporaryDirectory

from lens_exporter.foundation.breaker import CircuitBreaker
from lens_exporter.foundation.database import Database, metadata
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.http import Credentials
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.model.alert import Alert
from lens_exporter.publish.alertmanager import Alertmanager
from lens_exporter.publish.lifecycle import AlertLifecycle
from tests.servers.endpoints import endpoint
from tests.servers.fake_alertmanager import FakeAlertmanager

NOON = 1_795_176_000.0
CORRELATION = "01JD0000000000000000000000"


class Time:
    def __init__(self):
        self.now = NOON

    def __call__(self):
        return self.now


class Timeline:
    """One lens-exporter's publishing side. `restart()` builds it anew over the same database."""

    def __init__(self, database, servers, **options):
        self.time = Time()
        self.database = database
        self.servers = servers
        self.token_fails = None  # what reading the token file raises
        self.telemetry = Telemetry()
        numbers = count()
        self.events = Events(database, self.telemetry, clock=self.time, new_id=lambda: f"{next(numbers):026d}")
        self._options = {"patience": 60, **options}  # a busy machine must not look like an Alertmanager that hangs
        self.restart()

    def restart(self):
        managers = [
            Alertmanager(
                endpoint(
                    server.url,
                    "alertmanager",
                    telemetry=self.telemetry,
                    breaker=CircuitBreaker("alertmanager", clock=self.time),
                    timeout=2,
                    credentials=Credentials(bearer=self.token),
                )
            )
            for server in self.servers
        ]
        self.lifecycle = AlertLifecycle(
            self.database, managers, events=self.events, telemetry=self.telemetry, clock=self.time, **self._options
        )

    def token(self):
        if self.token_fails is not None:
            raise self.token_fails
        return "glsa_secret"  # the one the fake Grafana takes

    def fire(self, alert, origin="watcher", correlation=CORRELATION, **more):
        return self.lifecycle.fire(alert, correlation=correlation, origin=origin, **more)

    def told(self, *kinds):
        return [
            (event.type, event.data.get("alertmanager"), event.data.get("state"))
            for event in self.events.query()
            if event.type in kinds
        ]

    def count(self, kind):
        return len(self.events.query(kind=kind))


@contextmanager
def timeline(servers=1, **options):
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory())
        database = Database(f"sqlite:///{folder}/lens.db")
        stack.callback(database.close)
        metadata.create_all(database.engine)
        yield Timeline(database, [stack.enter_context(FakeAlertmanager()) for _ in range(servers)], **options)


def own(name="LensMemory", starts_at=NOON - 120, **annotations):
    labels = {"alertname": name, "severity": "warning", "watcher": "python", "category": "memory", "instance": "api-7:9000"}
    return Alert(labels, annotations or {"summary": "full"}, starts_at)
