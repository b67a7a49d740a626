"""A configured reading from the history of a real Prometheus to the alert, built as the program builds it."""

import math
import time

import pytest

from lens_exporter.config.secrets import Secrets
from lens_exporter.config.settings import Config
from lens_exporter.demo.backfill import Series
from lens_exporter.foundation.database import Database
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.investigate.store import Store
from lens_exporter.wiring.generation import Generation
from lens_exporter.wiring.ground import lay
from tests.servers.model_server import ModelServer, use
from tests.servers.prometheus import PrometheusServer
from tests.unit.watch.site import quiet

pytestmark = pytest.mark.integration

STEP = 60
DEFER = use("continue_observing", notes="the day before had no such burst", confidence="low")
CONFIRM = use("anomaly", anomaly_type="latency_high", severity="warning", summary="It stays at 500 ms", confidence="high")


def settings(prometheus, model, database):
    return {
        "prometheus": {"url": prometheus},
        "database_url": database,
        "llm": {"clients": [{"name": "claude", "provider": "anthropic", "options": {"base_url": model}}]},
        "investigate": {"enabled": False},
        "watchers": [
            {
                "name": "api",
                "lens": "promql",
                "schedule": "* * * * *",
                "window": "4h",
                "metrics": {"latency": {"query": "demo_latency_seconds", "unit": "seconds", "min_change": 0.05}},
                "reading": {"client": "claude", "timeout": "20s"},
            }
        ],
    }


def test_a_configured_reading_asks_what_prometheus_knows_and_is_kept(tmp_path):
    """Held back at once, confirmed five minutes later over two rebuilds; the model saw the same hour of the day before."""
    end = math.floor((time.time() - 4 * 3600) / STEP) * STEP
    times = [end - STEP * i for i in reversed(range(26 * 60))]
    values = [(at, 0.5 if at > end - 20 * STEP else quiet(at / 60)) for at in times]
    history = [Series("demo_latency_seconds", {"instance": "api-7:9000"}, values)]
    database = Database(f"sqlite:///{tmp_path / 'lens.db'}")
    database.migrate()
    ground = lay(database, Telemetry(), Secrets({}))
    with PrometheusServer(tmp_path, history=history) as server, ModelServer([DEFER, CONFIRM]) as model:
        config = Config.model_validate(settings(server.url, model.url, database.url))

        def ticks(first, last):
            built = Generation(config, ground, Store(database))
            try:
                watcher = built.runners["api"].watcher
                failures = [watcher.tick(end + minute * STEP).failures for minute in range(first, last + 1)]
                return failures, [one.alert for one in built.lifecycle.firing("watcher")]
            finally:
                built.close()
                built.close_clients()

        failures, firing = ticks(-22, -17)
        assert not any(failures)
        assert firing == []
        assert [event.data["outcome"] for event in ground.events.query(kind="reading.answered")] == ["deferred"]
        assert ticks(-16, -14)[1] == []
        _, (alert,) = ticks(-13, -11)
        first, second = (asked.text for asked in model.requests)
        assert "same hour the day before: 41" in first
        assert "same hour the week before: not known" in first
        assert "the day before had no such burst." in second
        assert alert.annotations["lens_reading"].endswith("It stays at 500 ms.")
    database.close()
