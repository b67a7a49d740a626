"""When nobody looked: rows in which Prometheus has no new sample of anything. What is missing then says nothing. Pure."""

import math

import numpy as np

from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import BoolArray, Window

# Prometheus, and whatever scrapes as it does, writes one series `up` for each of its targets at each scrape.
# When the newest of those was, for a sample is answered with for five minutes, and a rate of two minutes ends before.
SCRAPED = BaselineMetric("up", "max(timestamp(up))")
_OLD = 100.0  # seconds: whoever scrapes every minute has newer samples, of one target or another
_BACK = 300.0  # seconds: until then whatever is scraped at all has been scraped again


class Outages:
    """Finds the rows of outages, and those just after one, from the answers to SCRAPED.

    Where there was never any `up`, nothing is scraped there, and nobody can tell who looked.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew: nobody has ever looked."""
        self.resume((False, -math.inf))

    def resume(self, kept: tuple[bool, float]) -> None:
        """Go on with what was kept: whether there ever was an `up`, and the newest row of an outage (Unix seconds)."""
        self.kept = kept

    def within(self, scraped: Window | None, *, learn: bool) -> BoolArray | None:
        """Mark the rows [time] that follow what was learnt; None where none is marked. learn: remember them."""
        if scraped is None or not scraped.times.size:
            return None
        known, newest = self.kept
        newest_sample = np.fmax.reduce(scraped.values, axis=0, initial=-np.inf)
        looked = scraped.times - newest_sample < _OLD
        away = ~looked & (known | np.logical_or.accumulate(looked))
        last = np.maximum.accumulate(np.where(away, scraped.times, newest))
        if learn:
            self.kept = (known or bool(looked.any()), float(last[-1]))
        marked: BoolArray = scraped.times - last < _BACK
        return marked if marked.any() else None
