"""What tracemalloc knows, when the program has switched it on."""

import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath

_TOP = 10
_EVERY = 60.0
# Sorting the traces that fit into this takes some tenths of a second (bench/scrape.py). Above, only the totals are read.
MOST_OVERHEAD = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    location: str  # the last three parts of the path, and the line
    size: float  # bytes
    count: float  # blocks


@dataclass(frozen=True, slots=True)
class Traced:
    size: float  # bytes
    peak: float
    overhead: float
    top: tuple[Line, ...]
    skipped: str = ""  # why there is no top


def top(limit: int = _TOP) -> tuple[Line, ...]:
    """Take a snapshot and give the lines of code that hold most. The program stands still while it is copied."""
    statistics = tracemalloc.take_snapshot().statistics("lineno")[:limit]
    return tuple(
        Line(f"{'/'.join(PurePath(s.traceback[0].filename).parts[-3:])}:{s.traceback[0].lineno}", float(s.size), float(s.count))
        for s in statistics
    )


class Traces:
    """Reads the totals at every call, and the top lines once a minute at most."""

    def __init__(
        self, *, every: float = _EVERY, most_overhead: float = MOST_OVERHEAD, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._every = every
        self._most_overhead = most_overhead
        self._clock = clock
        self._read_at: float | None = None
        self._top: tuple[Line, ...] = ()

    def read(self) -> Traced | None:
        """Give what is traced, None while tracemalloc is off."""
        if not tracemalloc.is_tracing():
            self._read_at, self._top = None, ()
            return None
        size, peak = tracemalloc.get_traced_memory()
        overhead = tracemalloc.get_tracemalloc_memory()
        skipped = ""
        if overhead > self._most_overhead:
            self._top = ()
            skipped = f"tracemalloc holds {overhead / 1e6:.0f} MB of traces; sorting them would take too long"
        elif self._read_at is None or self._clock() - self._read_at >= self._every:
            self._read_at, self._top = self._clock(), top()
        return Traced(float(size), float(peak), float(overhead), self._top, skipped)
