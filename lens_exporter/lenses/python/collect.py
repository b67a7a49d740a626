"""Publishes the Python process it runs in. Imports nothing heavy: this part runs inside other people's programs."""

from __future__ import annotations

import gc
import os
import platform
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from prometheus_client.metrics_core import Metric

from lens_exporter.errors import LensUnavailable
from lens_exporter.lenses.emission import Emission
from lens_exporter.lenses.here import Here, here
from lens_exporter.lenses.python.families import FAMILIES
from lens_exporter.lenses.python.gc_pauses import GcPauses
from lens_exporter.lenses.python.loop_lag import LoopLag
from lens_exporter.lenses.python.process import Process, ProcessReader
from lens_exporter.lenses.python.traces import Traces

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop


class PythonProcess:
    """This process: garbage collector, memory, threads, descriptors, event loop. Every sample carries the name as `process`.

    several: the program runs as several processes of one name, which then carry their pid too.

    `start` begins to time collections, `close` ends it; in between a scrape only reads.
    """

    name = "python"

    def __init__(
        self,
        process: str,
        *,
        several: bool = False,
        read: Callable[[], Process] | None = None,
        pauses: GcPauses | None = None,
        where: Callable[[], Here] = here,
    ) -> None:
        self.process = process
        self.several = several
        self.pauses = pauses or GcPauses()
        self.traces = Traces()
        self._read = read or ProcessReader().read
        self._where = where
        self._lag: LoopLag | None = None

    def start(self) -> None:
        """Begin to time garbage collections."""
        self.pauses.install()

    def close(self) -> None:
        """Leave no callback and no timer behind."""
        self.pauses.remove()
        if self._lag is not None:
            self._lag.close()
            self._lag = None

    def monitor_event_loop(self, loop: AbstractEventLoop) -> None:
        """Measure the lag of this event loop, instead of any other before; may be called from any thread.

        Raises:
            RuntimeError: the loop is closed.

        """
        if self._lag is not None:
            self._lag.close()
        self._lag = LoopLag(loop)
        self._lag.start()

    def collect(self) -> Iterable[Metric]:
        """Give the families of this process.

        Raises:
            LensUnavailable: the kernel's files about it cannot be read.

        """
        emission = Emission(FAMILIES)
        where = self._where()
        emission.add(
            "lens_python_info",
            1.0,
            hostname=where.hostname,
            implementation=sys.implementation.name,
            pid=str(os.getpid()),  # read at every scrape: it differs after a fork
            pid_namespace=where.pid_namespace,
            process=self.process,
            version=platform.python_version(),
        )
        try:
            emit_process(emission, self._read(), **self._own())
        except (OSError, ValueError) as error:
            raise LensUnavailable(lens=self.name, reason=str(error)) from error
        self._interpreter(emission)
        self._traces(emission)
        return emission.families()

    def _own(self) -> dict[str, str]:
        return {"process": self.process, "pid": str(os.getpid()) if self.several else ""}

    def _interpreter(self, emission: Emission) -> None:
        own = self._own()
        emission.add("lens_python_allocated_blocks", sys.getallocatedblocks(), **own)
        for number, generation in enumerate(gc.get_stats()):
            emission.add("lens_python_gc_collections_total", generation["collections"], generation=str(number), **own)
            emission.add("lens_python_gc_uncollectable_total", generation["uncollectable"], generation=str(number), **own)
            if self.pauses.installed:
                counts, seconds = self.pauses.counts[number], self.pauses.seconds[number]
                emission.histogram("lens_python_gc_pause_seconds", counts, seconds, generation=str(number), **own)
        if self._lag is not None:
            emission.add("lens_python_event_loop_lag_seconds", self._lag.seconds(), **own)

    def _traces(self, emission: Emission) -> None:
        traced = self.traces.read()
        if traced is None:
            return
        own = self._own()
        emission.add("lens_python_tracemalloc_traced_bytes", traced.size, **own)
        emission.add("lens_python_tracemalloc_peak_bytes", traced.peak, **own)
        emission.add("lens_python_tracemalloc_overhead_bytes", traced.overhead, **own)
        for line in traced.top:
            emission.add("lens_python_tracemalloc_top_bytes", line.size, location=line.location, **own)


def emit_process(emission: Emission, seen: Process, *, process: str, pid: str) -> None:
    """Emit what the kernel shows of a process; the same for one's own and for others."""
    own = {"process": process, "pid": pid}
    emission.usage("lens_python_memory", seen.memory, "_bytes", **own)
    if seen.memory_limit_source:
        emission.add("lens_python_memory_limit_info", 1.0, source=seen.memory_limit_source, **own)
    emission.usage("lens_python_open_fds", seen.open_fds, **own)
    emission.usage("lens_python_threads", seen.threads, **own)
    emission.add("lens_python_cpu_seconds_total", seen.cpu_seconds, **own)
    emission.add("lens_python_start_time_seconds", seen.started_at, **own)
