"""How long the garbage collector stops this process, through gc.callbacks."""

import gc
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping

from lens_exporter.lenses.python.families import GC_PAUSES

_GENERATIONS = 3


class GcPauses:
    """Counts pauses by generation while installed. Each collection costs two clock readings and three additions.

    The interpreter runs one collection at a time, so one start time is enough, and calls from several threads do not overlap.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._started = 0.0
        self.counts = [[0] * (len(GC_PAUSES) + 1) for _ in range(_GENERATIONS)]  # by generation and bucket
        self.seconds = [0.0] * _GENERATIONS

    @property
    def installed(self) -> bool:
        return self in gc.callbacks

    def install(self) -> None:
        if not self.installed:
            gc.callbacks.append(self)

    def remove(self) -> None:
        if self.installed:
            gc.callbacks.remove(self)

    def __call__(self, phase: str, info: Mapping[str, int]) -> None:
        """Take note of a collection's start or end; called by the interpreter."""
        if phase == "start":
            self._started = self._clock()
        elif self._started:
            seconds = self._clock() - self._started
            self._started = 0.0
            generation = info["generation"]
            self.counts[generation][bisect_left(GC_PAUSES, seconds)] += 1
            self.seconds[generation] += seconds
