"""What the python lens costs the program it lives in, apart from its scrapes."""

import time
import tracemalloc

from lens_exporter.lenses.python.gc_pauses import GcPauses
from lens_exporter.lenses.python.traces import MOST_OVERHEAD, top


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
