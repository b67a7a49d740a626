"""How fast a counter grew over a fixed window, the same for every scraper."""

import threading
import time
from collections import deque
from collections.abc import Callable

_READINGS = 60  # most kept of one window


class Rates:
    """Keeps the readings of counters over the last `window` seconds.

    The rate is taken over the window and not since the scrape before, so two servers that scrape one exporter see the same
    number. Scraped less often than that, the window reaches back to the reading before. The first reading has no rate.
    """

    def __init__(self, window: float = 60.0, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._window = window
        self._clock = clock
        self._lock = threading.Lock()  # a tool may read while a scrape does
        self._readings: dict[str, deque[tuple[float, float]]] = {}

    def per_second(self, counter: str, value: float | None) -> float | None:
        """Take a reading; give the average increase a second. None at the first reading and after a counter went back."""
        with self._lock:
            readings = self._readings.setdefault(counter, deque())
            now = self._clock()
            if value is None or (readings and value < readings[-1][1]):
                readings.clear()
            if value is None:
                return None
            while len(readings) > 1 and readings[1][0] <= now - self._window:
                readings.popleft()
            rate = None
            if readings and now - readings[0][0] >= self._window / _READINGS:  # counters of ticks say nothing about a few of them
                rate = (value - readings[0][1]) / (now - readings[0][0])
            if not readings or now - readings[-1][0] >= self._window / _READINGS:
                readings.append((now, value))
            return rate
