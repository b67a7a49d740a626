"""When nothing was sampled: the monitoring was away, and what it would have seen is not known. Pure.

Prometheus goes on giving the last sample for five minutes where no new one and no mark of the series' end follows it. So a gap of
the monitoring looks like a stop: counters stand still, then everything is absent at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lens_exporter.investigate.samples import Samples
from lens_exporter.model.window import FloatArray

Rows = np.ndarray[tuple[int], np.dtype[np.bool_]]
_USUAL = 0.9  # of the distances between samples are no gaps; the longest of a few is left out
_LATE = 1.25  # distances of samples: an age up to this is a sample that comes a little late
_ALIKE = 1.5  # times as long at most: distances of one scrape interval. Two gaps with a sample between are seldom so alike
_FORGOTTEN = 300.0  # seconds after which Prometheus gives a sample no longer: nobody scrapes as seldom as that


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without a sample: from the last one before it to the first after it, None where there is none yet. Unix seconds."""

    begin: float
    end: float | None


def sampled(samples: Sequence[Samples], times: FloatArray, newest: FloatArray) -> Rows:
    """Say of each point in time whether it shows something new. newest: the moment of the newest sample, NaN for none. [time] each.

    It does not where the newest sample is old and every series is as it was, nor where everything is absent after that. Series
    that end with a mark are absent at once: they did end.
    """
    rows = np.ones(len(times), dtype=np.bool_)
    taken = np.unique(newest[np.isfinite(newest)])
    if taken.size < 3:
        return rows
    usual = _usual(np.diff(taken))
    old = times - newest > _LATE * usual[np.searchsorted(taken, newest).clip(max=len(usual) - 1)]
    values = np.array([one.values for one in samples])
    there = np.isfinite(values)
    for place in range(1, len(times)):
        moved = there[:, place] & (values[:, place] != values[:, place - 1])
        absent = not rows[place - 1] and not there[:, place].any()
        rows[place] = moved.any() or not (old[place] or absent)
    return rows


def scrape_of(newest: FloatArray) -> float:
    """Give the seconds that mostly lie between two samples that the points show; 0 where there are too few."""
    taken = np.unique(newest[np.isfinite(newest)])
    return float(np.median(np.diff(taken))) if taken.size > 2 else 0.0


def _usual(distances: FloatArray) -> FloatArray:
    """Say what distance is usual after each sample, the last one included. distances [sample - 1] are those to the next sample.

    It is what is usual in all, or the distance itself where one of those around it is alike: the scrape interval was changed
    there. After the last sample it is the longest of those before.
    """
    overall = float(np.quantile(distances, _USUAL, method="lower"))
    regular = np.zeros(len(distances), dtype=np.bool_)
    for away in (1, 2):  # the next one may be a gap
        here, there = distances[:-away], distances[away:]
        alike = np.maximum(here, there) <= _ALIKE * np.minimum(here, there)
        regular[:-away] |= alike
        regular[away:] |= alike
    usual = np.where(regular & (distances < _FORGOTTEN), np.maximum(distances, overall), overall)
    return np.append(usual, usual[-2:].max())


def masked(samples: Sequence[Samples], rows: Rows) -> list[Samples]:
    """Leave out the points that show nothing new."""
    return [Samples(one.labels, np.where(rows, one.values, np.nan), one.is_counter) for one in samples]


def seen_only(samples: Sequence[Samples], times: FloatArray, rows: Rows) -> tuple[list[Samples], FloatArray]:
    """Cut the other points out of samples and times: who was not looked for is not missed."""
    return [Samples(one.labels, one.values[rows], one.is_counter) for one in samples], times[rows]


def gaps(times: FloatArray, newest: FloatArray, rows: Rows, looked: int) -> tuple[Gap, ...]:
    """Give the gaps that reach behind column `looked`."""
    found: list[Gap] = []
    edges = np.flatnonzero(np.diff(np.concatenate(([True], rows, [True])).astype(np.int8)))
    for first, after in edges.reshape(-1, 2):
        if after > looked:
            found.append(Gap(float(newest[first]), float(times[after]) if after < len(times) else None))
    return tuple(found)
