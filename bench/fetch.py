"""What fetching history costs beside a Prometheus' own time to answer: `python bench/fetch.py`; exit 1 when a limit is missed.

Own time is asking and reading the bytes, nothing parsed. Both ways take turns in one run. Processor time is compared with processor
time, ours with that of Prometheus' process: on a busy machine an answer's wall time grows, which would flatter us. The first run
writes a fleet (some minutes).
"""

import argparse
import gc
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
import psutil
from fleet import DAYS, LARGE, SERIES, STEP, fleet

from lens_exporter.demo.servers import LocalServer, find
from lens_exporter.foundation.breaker import CircuitBreaker
from lens_exporter.foundation.http import Credentials, Endpoint
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.prometheus import table
from lens_exporter.prometheus.client import Prometheus
from lens_exporter.prometheus.cost import QueryLimits
from lens_exporter.prometheus.history import History

WARM_LIMIT = 0.5  # of Prometheus' own processor time, for one new row of 10,000 series
COLD_LIMIT = 10.0  # seconds beside Prometheus' own, for 14 days of 10,000 series
_READ = 1 << 20
_FLEET, _LARGE = BaselineMetric("fleet", "fleet"), BaselineMetric("fleet_large", "fleet_large")
_SMALL = BaselineMetric("fleet_small", 'fleet{pod=~".*00"}')  # what was new to the process is not measured


@dataclass(frozen=True, slots=True)
class Cost:
    wall: float
    cpu: float  # of one process


def measured(work: Callable[..., object], *arguments: Any, **options: Any) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    work(*arguments, **options)
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def _processor_seconds(server: LocalServer) -> float:
    return float(sum(psutil.Process(server.pid).cpu_times()[:2]))


def own_time(
    server: LocalServer,
    query: str,
    start: int,
    end: int,
    *,
    step: int = STEP,
    encoding: str = "identity",
    path: str = "query_range",
) -> bytes:
    """Ask and read, as cheaply as it can be done."""
    at = {"time": end} if path == "query" else {"start": start, "end": end, "step": step}
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept-Encoding": encoding}
    connection = HTTPConnection("127.0.0.1", server.port, timeout=300)
    connection.request("POST", f"/api/v1/{path}", urlencode({"query": query, **at}), headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return body


def history(server: LocalServer) -> History:
    credentials = Credentials(headers={"Accept-Encoding": "identity"})  # as wiring has it
    breaker = CircuitBreaker("prometheus", server.url)
    endpoint = Endpoint(
        "prometheus", server.url, telemetry=Telemetry(), breaker=breaker, credentials=credentials, max_bytes=LARGE * 2048
    )
    return History(Prometheus(endpoint, QueryLimits(max_series=LARGE, timeout=300)))


def warm(server: LocalServer, metric: BaselineMetric, points: int, end: int, rounds: int) -> float:
    """Print what the newest rows of a known fleet cost; give our processor time as part of Prometheus' own."""
    source, start = history(server), end - (points - 1) * STEP
    source.rows(metric, start, end, step=STEP)
    own, ours = [], []
    theirs = 0.0  # too coarse a clock for one answer
    for _ in range(rounds):
        before = _processor_seconds(server)
        own.append(measured(own_time, server, metric.query, start, end).wall)
        theirs += (_processor_seconds(server) - before) / rounds
        ours.append(measured(source.rows, metric, start, end, step=STEP))
    series = source.rows(metric, start, end, step=STEP).values.shape[0]
    base, wall = (statistics.median(each) for each in (own, [one.wall for one in ours]))
    cpu = statistics.fmean(one.cpu for one in ours)
    print(
        f"  {f'{series:,} series, {points} of the newest rows':<40} Prometheus {base * 1e3:6.1f} ms, {theirs * 1e3:6.1f} ms CPU  "
        f"rows() {wall * 1e3:6.1f} ms, {cpu * 1e3:5.1f} ms CPU of ours: {cpu / theirs:.2f} of theirs, "
        f"{cpu / series * 1e6:.2f} us a series"
    )
    return cpu / theirs


def cold(server: LocalServer, end: int) -> float:
    """Print what 14 days in blocks cost; give our processor seconds."""
    source, start = history(server), end + STEP - DAYS * 86_400
    points = source.points_per_block(_FLEET, end, step=STEP)
    blocks = [(at, min(at + (points - 1) * STEP, end)) for at in range(start, end + 1, points * STEP)]
    own = ours = Cost(0.0, 0.0)
    samples = 0
    for block in blocks:
        before = _processor_seconds(server)
        raw = measured(own_time, server, _FLEET.query, *block)
        own = Cost(own.wall + raw.wall, own.cpu + _processor_seconds(server) - before)
        wall, cpu = time.perf_counter(), time.process_time()
        samples += source.rows(_FLEET, *block, step=STEP).values.size
        ours = Cost(ours.wall + time.perf_counter() - wall, ours.cpu + time.process_time() - cpu)
    print(
        f"  {f'{SERIES:,} series, {DAYS} days: {len(blocks)} blocks of {points}':<40} "
        f"Prometheus {own.wall:6.2f} s, {own.cpu:6.2f} s CPU  rows() {ours.wall:6.2f} s, "
        f"{ours.cpu:5.2f} s CPU of ours: {ours.cpu / own.cpu:.2f} of theirs, {ours.cpu / samples * 1e9:.0f} ns a sample"
    )
    return ours.cpu


def answers(server: LocalServer, end: int) -> None:
    """Print what else the same could be asked for, and what reading it the plain way would cost."""
    for name, points, options in (
        ("one row, range query", 1, {}),
        ("one row, instant query", 1, {"path": "query"}),
        ("one row, compressed", 1, {"encoding": "gzip"}),
        ("41 rows", 41, {}),
        ("41 rows, compressed", 41, {"encoding": "gzip"}),
    ):
        start = end - (points - 1) * STEP
        times = [measured(own_time, server, "fleet", start, end, **options).wall for _ in range(5)]
        print(f"  {f'{SERIES:,} series, {name}':<40} Prometheus {statistics.median(times) * 1e3:6.1f} ms")
    for name, points in (("one row", 1), ("41 rows", 41)):
        body = own_time(server, "fleet", end - (points - 1) * STEP, end)
        short = statistics.median(measured(table.read, body).cpu for _ in range(5))
        plain = statistics.median(measured(parsed, body).cpu for _ in range(3))
        unit = 1e9 / (SERIES * points)
        print(
            f"  {f'parsing {name}, {len(body) / 1e6:.1f} MB':<40} {short * unit:6.0f} ns a sample, by a JSON parser and float() "
            f"{plain * unit:6.0f}: {plain / short:.1f} times"
        )


def parsed(body: bytes) -> table.Table:
    return table.of(orjson.loads(body)["data"])


def memory(port: int, query: str, points: int, end: int) -> None:
    """In a process of its own: print the peak of fetching, and what is kept afterwards."""
    server = LocalServer("prometheus", [], folder=Path(), port=port)
    source, start = history(server), end - (points - 1) * STEP
    metric = BaselineMetric(query, query)
    source.rows(_SMALL, end, end, step=STEP)
    before = _resident("VmRSS")
    series = source.rows(metric, start, end, step=STEP).values.shape[0]
    source.rows(metric, start, end, step=STEP)
    peak = _resident("VmHWM") - before
    del source
    tracemalloc.start()
    source = history(server)
    source.rows(metric, start, end, step=STEP)
    gc.collect()
    kept = tracemalloc.get_traced_memory()[0] / series
    print(f"  {f'{series:,} series, {points} rows':<40} peak {peak / 1e6:6.1f} MB above idle; {kept:.0f} bytes a series are kept")


def _resident(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024


def main() -> int:
    parser = argparse.ArgumentParser(description="What fetching history costs.")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "lens-fleet", help="keeps the fleet's blocks")
    parser.add_argument("--rounds", type=int, default=15, help="how often to ask for the newest rows")
    parser.add_argument("--memory", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory:
        port, query, points, end = options.memory
        memory(int(port), query, int(points), int(end))
        return 0
    server_version = subprocess.run([find("prometheus"), "--version"], capture_output=True, text=True, check=True).stdout.split()[2]
    libraries = ", ".join(f"{name} {version(name)}" for name in ("numpy", "orjson", "requests"))
    print(f"Python {platform.python_version()}, {libraries}, Prometheus {server_version}")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before")
    with fleet(options.folder) as (server, end):
        print("newest rows")
        ratio = warm(server, _FLEET, 1, end, options.rounds)
        warm(server, _FLEET, 6, end, options.rounds)
        warm(server, _LARGE, 1, end, options.rounds)
        print("cold start")
        seconds = cold(server, end)
        print("answers")
        answers(server, end)
        print("memory", flush=True)
        for query, points in (("fleet", 1), ("fleet", 41), ("fleet_large", 1)):
            child = [sys.executable, __file__, "--memory", str(server.port), query, str(points), str(end)]
            subprocess.run(child, check=True)
    figures = (("warm", ratio, WARM_LIMIT), ("cold", seconds, COLD_LIMIT))
    missed = [name for name, value, limit in figures if value >= limit]
    print(f"missed: {', '.join(missed)}" if missed else "all limits are met")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
