"""What lens-exporter costs: start, memory, scrapes. `python bench/scrape.py` prints the figures; exit 1 when a limit is missed.

It starts the real program. Machines are noisy: starts are repeated and the median counts, CPU seconds stand beside wall seconds,
and a start and a scrape each have other people's part to compare with, measured in the same run.
"""

import argparse
import os
import platform
import shutil
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from lens_costs import gc_callback, tracemalloc_top
from pages import Latency, bare, latency, size
from program import Lens, Memory, folder
from starts import Start, starts

from lens_exporter.demo.servers import free_port, start_prometheus

START_LIMIT = 3.0  # seconds from exec to the first page on which host and python are up
IDLE_LIMIT = 150e6  # bytes resident
SCRAPE_LIMIT = 0.025  # seconds at the median
_WATCHED = 60.0  # seconds of idling; each watcher ticks once
_INVESTIGATIONS = 30
_VERSIONS = ("prometheus-client", "fastapi", "uvicorn", "SQLAlchemy", "dbos", "alembic", "numpy", "pydantic")


@contextmanager
def running(path: Path) -> Iterator[Lens]:
    """Give an idle lens-exporter, scraped every second by a Prometheus it reads from where there is one: windows are memory too."""
    port = free_port()
    if shutil.which("prometheus") is None:
        print("  (no Prometheus on PATH: watchers and the investigation have nothing to read)")
        with Lens(path, port=port) as lens:
            lens.idle()
            yield lens
        return
    target = {"job_name": "lens", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
    with (
        start_prometheus(path / f"prometheus-{port}", scrape_configs=[target]) as prometheus,
        Lens(path, prometheus=prometheus.url, port=port) as lens,
    ):
        lens.idle()
        yield lens


def first_run(path: Path) -> tuple[float, float]:
    """On an empty database: idle, scraped, after investigations. Give idle bytes and the seconds of a median scrape."""
    with running(path) as lens:
        idle = print_memory("idle, first start", lens.memory())
        cpu = lens.cpu()
        time.sleep(_WATCHED)
        print(f"  {'idle, scraped by Prometheus':<34} {(lens.cpu() - cpu) / _WATCHED:5.1%} of one core")
        page = size(lens.port)
        seen = latency(lens, lens.port, "/metrics")
        floor = bare(path, page.series)
        print_latency(f"page of {page.series} series", seen)
        print_latency(f"bare page of {page.series} series", floor)
        print(f"  {'ratio':<34} {seen.median / floor.median:5.1f}, page of {page.plain} bytes, {page.gzip} with gzip")
        lens.investigate()
        print_memory("after an offline investigation", lens.memory())
        for number in range(2, _INVESTIGATIONS + 1):
            lens.investigate(number)
        print_memory(f"after {_INVESTIGATIONS} of them", lens.memory())
    return idle, seen.median


def second_run(path: Path) -> float:
    """On the same database: idle and after an investigation. Give idle bytes."""
    with running(path) as lens:
        idle = print_memory("idle, later start", lens.memory())
        lens.investigate()
        print_memory("after an offline investigation", lens.memory())
    return idle


def print_starts(name: str, times: Sequence[Start]) -> float:
    wall, cpu = sorted(each[0] for each in times), statistics.median(each[1] for each in times)
    median = statistics.median(wall)
    print(f"  {name:<34} {median:5.2f} s wall ({wall[0]:.2f} to {wall[-1]:.2f})  {cpu:5.2f} s CPU")
    return median


def print_memory(name: str, memory: Memory) -> float:
    print(f"  {name:<34} {memory.rss / 1e6:5.1f} MB RSS  {memory.pss / 1e6:5.1f} MB PSS  {memory.threads} threads")
    return memory.rss


def print_latency(name: str, seen: Latency) -> None:
    median, high, cpu = seen.median * 1e3, seen.high * 1e3, seen.cpu * 1e3
    print(f"  {name:<34} {median:5.2f} ms median  {high:6.2f} ms 99th percentile  {cpu:5.2f} ms CPU each")


def main() -> int:
    parser = argparse.ArgumentParser(description="What lens-exporter costs.")
    parser.add_argument("--rounds", type=int, default=9, help="how often to start")
    rounds = parser.parse_args().rounds
    print(f"Python {platform.python_version()}, {', '.join(f'{name} {version(name)}' for name in _VERSIONS)}")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before")
    seen = starts(rounds)
    print(f"start to the first good page, {rounds} times")
    print_starts("import of its libraries alone", seen.libraries)
    slowest = max(print_starts("first start, empty database", seen.first), print_starts("later start", seen.later))
    print("memory and scrapes")
    with folder() as path:
        first_idle, median = first_run(path)
        idle = max(first_idle, second_run(path))
    print("python lens, in the program it lives in")
    print(f"  {'gc callback':<34} {gc_callback() * 1e6:5.2f} us a collection")
    print(f"  {'tracemalloc top at its bound':<34} {tracemalloc_top() * 1e3:5.0f} ms a minute")
    figures = (("start", slowest, START_LIMIT), ("idle memory", idle, IDLE_LIMIT), ("scrape", median, SCRAPE_LIMIT))
    missed = [name for name, value, limit in figures if value >= limit]
    print(f"missed: {', '.join(missed)}" if missed else "all limits are met")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
