"""What a scrape costs. `python bench/scrape.py` prints the figures; the limit is 25 ms at the median."""

import gc
import statistics
import sys
import time
import tracemalloc

from prometheus_client import CollectorRegistry, generate_latest

from lens_exporter.config.settings import Lenses
from lens_exporter.lenses.catalog import build, close
from lens_exporter.lenses.python.gc_pauses import GcPauses
from lens_exporter.lenses.python.traces import MOST_OVERHEAD, top
from lens_exporter.lenses.runner import LensCollector

MEDIAN_LIMIT = 0.025


def scrapes(count: int = 200) -> list[float]:
    """Scrape the host and python lenses so often and give the seconds of each, the page's writing included."""
    lenses = build(Lenses())
    registry = CollectorRegistry()
    registry.register(LensCollector(lenses))
    seconds = []
    try:
        for _ in range(count):
            begun = time.perf_counter()
            generate_latest(registry)
            seconds.append(time.perf_counter() - begun)
    finally:
        close(lenses)
    return seconds


def gc_callback(count: int = 100_000) -> float:
    """Seconds that the lens adds to one garbage collection."""
    pauses = GcPauses()
    begun = time.perf_counter()
    for _ in range(count):
        pauses("start", {"generation": 0})
        pauses("stop", {"generation": 0})
    return (time.perf_counter() - begun) / count


def tracemalloc_top(overhead: float = MOST_OVERHEAD) -> float:
    """Seconds to sort as many traces as the lens sorts at most, which it does once a minute while tracemalloc is on."""
    tracemalloc.start()
    kept: list[object] = []
    while tracemalloc.get_tracemalloc_memory() < overhead:
        kept.extend(object() for _ in range(1000))
    begun = time.perf_counter()
    top()
    took = time.perf_counter() - begun
    tracemalloc.stop()
    return took


def main() -> int:
    gc.collect()
    seconds = sorted(scrapes())
    median, high = statistics.median(seconds), seconds[int(len(seconds) * 0.99)]
    print(f"scrape of host and python lenses: median {median * 1e3:.2f} ms, 99th percentile {high * 1e3:.2f} ms, of {len(seconds)}")
    print(f"gc callback: {gc_callback() * 1e6:.2f} us a collection")
    print(f"tracemalloc top, at its bound: {tracemalloc_top() * 1e3:.0f} ms")
    return int(median > MEDIAN_LIMIT)


if __name__ == "__main__":
    sys.exit(main())
