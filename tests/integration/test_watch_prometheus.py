"""A watcher over the history of a real Prometheus."""

import math
import time

import pytest

from lens_exporter.baseline.analyzer import Analyzer
from lens_exporter.baseline.bands import BandCollector
from lens_exporter.baseline.baselines import Baselines, Learning
from lens_exporter.baseline.notes import Notes
from lens_exporter.baseline.outages import SCRAPED, Outages
from lens_exporter.demo.backfill import Series
from lens_exporter.errors import RemoteError
from lens_exporter.foundation.breaker import CircuitBreaker
from lens_exporter.model.metric import BaselineMetric, Direction
from lens_exporter.prometheus.client import Prometheus
from lens_exporter.prometheus.cost import QueryLimits
from lens_exporter.prometheus.history import History
from lens_exporter.watch.cooldown import Cooldown
from lens_exporter.watch.look import Looker
from lens_exporter.watch.ports import Collaborators, Watched
from lens_exporter.watch.watcher import Watcher
from tests.servers.endpoints import endpoint
from tests.servers.prometheus import PrometheusServer
from tests.unit.publish.timeline import timeline
from tests.unit.watch.site import quiet

pytestmark = pytest.mark.integration

STEP = 60
HOSTILE = 'api-8 "quoted" \\ \n:9000'
METRICS = (
    BaselineMetric(
        "memory_utilization",
        "max without (source) (demo_memory_ratio{$selector})",
        "ratio",
        direction=Direction.UP,
        min_change=0.05,
        ceiling=0.9,
        full=1.0,
    ),
    BaselineMetric("open_files", "demo_open_files", category="files", direction=Direction.UP),
)


@pytest.fixture(scope="module")
def end():
    """The newest backfilled moment; Prometheus keeps the last three hours to itself."""
    return math.floor((time.time() - 4 * 3600) / STEP) * STEP


def away(at, end):
    """Half an hour, three hours ago, in which nobody scraped."""
    return end - 180 * STEP <= at < end - 150 * STEP


@pytest.fixture(scope="module")
def server(tmp_path_factory, end):
    times = [end - STEP * i for i in reversed(range(6 * 60))]

    def memory(at):
        minute = (at - end) / 60 + 20  # the leak begins twenty minutes before the end and stops ten minutes later
        return min(0.99, 0.42 + 0.08 * minute) if 0 < minute <= 10 else quiet(at / 60)

    history = [
        Series("demo_memory_ratio", {"instance": HOSTILE, "source": "cgroup", "job": "api"}, [(at, memory(at)) for at in times]),
        Series("demo_memory_ratio", {"instance": HOSTILE, "source": "host", "job": "api"}, [(at, 0.1) for at in times]),
        Series("demo_memory_ratio", {"instance": "api-9:9000", "source": "host", "job": "api"}, [(at, 0.3) for at in times]),
        Series("demo_open_files", {"instance": HOSTILE, "job": "api"}, [(at, 61.0) for at in times]),
        *(
            Series("up", {"instance": f"api-{n}:9000", "job": "api"}, [(at, 1.0) for at in times if not away(at, end)])
            for n in (8, 9)
        ),
    ]
    with PrometheusServer(tmp_path_factory.mktemp("watch"), history=history) as running:
        yield running


@pytest.fixture
def prometheus(server):
    # A breaker of its own that never opens: the test is about the watcher.
    return Prometheus(endpoint(server.url, breaker=CircuitBreaker("prometheus", failures_to_open=1000)), QueryLimits(timeout=10))


def watcher(line, prometheus, announced, metrics=METRICS):
    watched = Watched("api", metrics, selector='job="api"', window=4 * 3600.0, step=STEP)
    baselines = Baselines(watched.asked, Learning(watched.step, watched.window))
    return Watcher(
        watched,
        Looker(watched, History(prometheus), baselines, Analyzer()),
        Collaborators(
            cooldown=Cooldown(line.database, "api"),
            notes=Notes(line.database),
            alerts=line.lifecycle,
            announce=lambda alert, correlation: announced.append((alert, correlation)),
            over=lambda _alert: None,
            events=line.events,
            telemetry=line.telemetry,
            bands=BandCollector(),
        ),
    )


def tick(line, one, at):
    line.time.now = at
    return one.tick(at)


def test_a_leak_in_real_history_is_one_alert_that_ends(prometheus, server, end):
    """Normal before, one alert (warning, then critical) while it leaks, still there while Prometheus is away, over at the end."""
    announced = []
    with timeline() as line:
        one = watcher(line, prometheus, announced)
        for minute in range(-25, -19):
            tick(line, one, end + minute * STEP)
        assert line.lifecycle.firing() == []
        for minute in range(-19, -15):
            tick(line, one, end + minute * STEP)
        (stored,) = line.lifecycle.firing("watcher")
        assert stored.alert.labels["instance"] == HOSTILE
        assert stored.alert.labels["severity"] == "warning"
        assert end - 20 * STEP <= stored.alert.starts_at <= end - 17 * STEP

        # The narrowed query selects just that series, whatever its labels hold.
        (shown,) = prometheus.query_range(stored.alert.annotations["lens_query"], end - 1800, end, STEP).series
        assert shown.labels["instance"] == HOSTILE

        server.stop()
        failed = tick(line, one, end - 15 * STEP)
        assert isinstance(failed.failures[0], RemoteError)
        assert len(line.lifecycle.firing("watcher")) == 1
        server.start_again()

        for minute in range(-14, -9):
            tick(line, one, end + minute * STEP)
        assert [kept.alert.labels["severity"] for kept in line.lifecycle.firing("watcher")] == ["critical"]
        assert len({correlation for _alert, correlation in announced}) == 1
        for minute in range(-9, -5):
            tick(line, one, end + minute * STEP)
        assert line.lifecycle.firing("watcher") == []
        assert line.count("anomaly.detected") == line.count("anomaly.over") == 1


def test_a_wrong_query_costs_its_own_metric_only(prometheus, end):
    """Prometheus refuses one query: the tick has failed and says why; the other metric was judged."""
    with timeline() as line:
        broken = BaselineMetric("broken", "sum(demo_memory_ratio", category="broken")
        one = watcher(line, prometheus, [], (broken, METRICS[1]))
        ticked = tick(line, one, end)
        assert "parse error" in str(ticked.failures[0])
        assert ticked.seen is not None
        assert [seen.metric for seen in ticked.seen.observations] == ["open_files"]


def test_an_outage_is_what_nothing_was_scraped_in(prometheus, end):
    """From two minutes after the last sample, with which Prometheus goes on answering, until five minutes after the next."""
    scraped = History(prometheus).rows(SCRAPED, end - 200 * STEP, end - 100 * STEP, step=STEP)
    marked = Outages().within(scraped, learn=False)
    assert [round((at - end) / STEP) for at in scraped.times[marked]] == list(range(-179, -146))
