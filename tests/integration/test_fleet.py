"""A watcher over ten thousand series, on a real Prometheus: in chunks, in bounded memory, and with a page that stays small."""

import gc
import re
import threading
import time
import tracemalloc
from collections.abc import Iterator

import psutil
import pytest
import requests

from lens_exporter.baseline.analyzer import Analyzer
from lens_exporter.baseline.baselines import Baselines, Learning
from lens_exporter.demo.backfill import Series
from lens_exporter.demo.servers import LocalServer
from lens_exporter.foundation.breaker import CircuitBreaker
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.prometheus.client import Prometheus
from lens_exporter.prometheus.cost import QueryLimits
from lens_exporter.prometheus.history import History
from lens_exporter.watch.look import Look, Looker
from lens_exporter.watch.ports import Watched
from tests.servers.endpoints import endpoint
from tests.servers.fake_alertmanager import FakeAlertmanager
from tests.servers.faulty import FaultyServer, Reply, Request
from tests.servers.lens_process import LensProcess
from tests.servers.prometheus import PrometheusServer
from tests.servers.waiting import until

pytestmark = pytest.mark.integration

SERIES, LOUD = 10_000, 60
STEP, ROWS = 300, 50
LOAD = BaselineMetric("load", "fleet_load")
READABLE = 12_000 * 2048  # bytes of an answer


def names(number: int) -> dict[str, str]:
    return {"pod": f"checkout-{number:05}", "node": f"worker-{number // 40:03}"}


def value(number: int, row: int) -> float:
    """Give a level of each pod's own with a little noise that nothing has to store."""
    return 10.0 + number % 7 + (number * 31 + row * 17) % 13 / 100


@pytest.fixture(scope="module")
def end() -> int:
    """The newest moment with values: the last ticks before it lie within one half of the window, after which all is read anew.

    Prometheus keeps the last three hours to itself.
    """
    half = 3 * 3600
    return int(time.time() - 6 * 3600) // half * half + 2 * 3600


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, end: int) -> Iterator[LocalServer]:
    times = [end - STEP * row for row in reversed(range(ROWS))]
    history = [
        Series("fleet_load", names(number), [(at, value(number, row)) for row, at in enumerate(times)]) for number in range(SERIES)
    ]
    with PrometheusServer(tmp_path_factory.mktemp("fleet"), history=history) as running:
        yield running


def range_queries(server: LocalServer) -> int:
    """Count the range queries that Prometheus has answered."""
    page = requests.get(f"{server.url}/metrics", timeout=10).text
    counts = re.findall(r'^prometheus_http_requests_total\{code="200",handler="/api/v1/query_range"\} (\S+)$', page, re.MULTILINE)
    return sum(int(float(count)) for count in counts)


def looker(server: LocalServer, limits: QueryLimits) -> Looker:
    breaker = CircuitBreaker("prometheus", failures_to_open=1000)
    history = History(Prometheus(endpoint(server.url, breaker=breaker, max_bytes=READABLE), limits))
    watched = Watched("fleet", (LOAD,), window=6 * 3600.0, step=STEP)
    learning = Learning(STEP, watched.window, group_labels=("node",))
    return Looker(watched, history, Baselines(watched.asked, learning), Analyzer(observed=50))


def test_a_fleet_is_read_in_chunks_once_and_then_by_its_newest_rows(server: LocalServer, end: int) -> None:
    """The first look asks in as many queries as its limits need, each later one in one; all series are judged, few are listed."""
    one = looker(server, QueryLimits(max_series=SERIES, max_samples=SERIES * 20, timeout=120))
    asked = range_queries(server)
    first = one.look(end - 4 * STEP)
    assert range_queries(server) - asked >= (ROWS - 4) / 20
    for ago in (3, 2, 1, 0):
        asked = range_queries(server)
        seen = one.look(end - ago * STEP)
        assert range_queries(server) - asked == 1
        for look in (first, seen):
            assert (look.series, len(look.observations), look.unlisted) == (SERIES, 50, SERIES - 50)
            assert look.intents == {"healthy": SERIES}
            assert look.warnings == look.failures == ()


def test_what_is_kept_of_a_fleet_does_not_grow(server: LocalServer, end: int) -> None:
    """An hour later, when what is remembered until a bin or an hour is over has come and gone; labels and answers included."""
    tracemalloc.start()
    try:
        one = looker(server, QueryLimits(max_series=SERIES, timeout=120))
        kept = []
        for ago in range(13, -1, -1):
            one.look(end - ago * STEP)
            gc.collect()
            kept.append(tracemalloc.get_traced_memory()[0] / SERIES)
        peak = tracemalloc.get_traced_memory()[1] / SERIES
    finally:
        tracemalloc.stop()
    assert max(kept) < 20_000
    assert kept[13] < 1.02 * kept[1]
    assert peak < 60_000


def test_a_limit_that_leaves_series_out_says_so(server: LocalServer, end: int) -> None:
    """Of ten thousand series a limit of a thousand lets a thousand be judged, and the look says how many are missing and why."""
    seen: Look = looker(server, QueryLimits(max_series=1000, timeout=120)).look(end)
    assert seen.series == 1000
    assert seen.warnings == ("load: 9,000 of 10,000 series left out, the limit is 1,000 (max_series)",)


class Exporter(FaultyServer):
    """Ten thousand pods on one page; the first sixty of them become loud on demand."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.loud = threading.Event()
        self._scrapes = 0

    def _answer(self, _request: Request) -> Reply:
        self._scrapes += 1
        lines = ["# TYPE fleet_load gauge"]
        for number in range(SERIES):
            now = 95.0 if number < LOUD and self.loud.is_set() else value(number, self._scrapes)
            lines.append(f'fleet_load{{pod="checkout-{number:05}",node="worker-{number // 40:03}"}} {now}')
        return Reply("\n".join([*lines, ""]).encode(), content_type="text/plain; version=0.0.4")


def test_the_program_watches_a_fleet_and_publishes_what_matters(tmp_path) -> None:
    """It judges all of ten thousand series tick after tick; its page has fifty of them, and all sixty that fire when they do."""
    exporter, alertmanager = Exporter(), FakeAlertmanager()
    scrape = {"job_name": "fleet", "scrape_interval": "5s", "scrape_timeout": "5s"}
    with exporter, alertmanager:
        target = {"static_configs": [{"targets": [exporter.url.removeprefix("http://")]}]}
        with PrometheusServer(tmp_path, scrape_configs=[{**scrape, **target}]) as prometheus:
            watcher = {
                "name": "fleet",
                "lens": "promql",
                "schedule": "* * * * * */5",
                "window": "10m",
                "step": "5s",
                "metrics": {"load": {"query": "fleet_load", "ceiling": 90}},
                "published_series": 50,
                "group_labels": ["node"],
            }
            config = {
                "prometheus": {"url": prometheus.url, "max_series": SERIES},
                "alertmanager": {"urls": [alertmanager.url]},
                "watchers": [watcher],
                "investigate": {"enabled": False},
            }
            with LensProcess(tmp_path / "lens", config).start() as lens:
                _watched(lens, exporter)


def _watched(lens: LensProcess, exporter: Exporter) -> None:
    def published() -> list[str]:
        return [sample.labels["pod"] for sample in lens.metrics().all("lens_anomaly_active", watcher="fleet")]

    def ticks() -> float:
        return lens.metrics().value("lens_ticks_total", watcher="fleet")

    until(lambda: lens.metrics().value("lens_watcher_series", watcher="fleet") == SERIES, 60, what=lens.tail())
    known = ticks()
    until(lambda: ticks() >= known + 3, 60, what=lens.tail())
    assert len(published()) == 50
    resident = psutil.Process(lens.pid).memory_info().rss
    exporter.loud.set()
    until(lambda: lens.metrics().value("lens_anomaly_active", watcher="fleet") == LOUD, 90, what=lens.tail())
    assert published() == [f"checkout-{number:05}" for number in range(LOUD)]
    page = lens.get("/metrics").content
    assert len(page) < 200_000
    assert psutil.Process(lens.pid).memory_info().rss < resident + SERIES * 20_000
    assert lens.metrics().value("lens_ticks_failed_total", watcher="fleet") == 0
