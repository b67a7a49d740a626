"""How far a series went, when it began, whether it is back, and whether chance alone goes as far. Pure: values in, numbers out."""

from collections.abc import Iterator

import numpy as np

from lens_exporter.investigate.measures import COARSE
from lens_exporter.model.window import FloatArray

LATEST = 3 * COARSE  # fine points whose median stands for where a noisy series is now
_SUSPECT_SCORE = 1.5  # half-widths of the band
_LASTING = 2  # judged points in a row, unless the last one is outside too
_BACK = 0.25  # of the way it had moved: what is nearer to where it came from is back
_FEW = 2  # judged points without which nothing is known to be back, for the last scrape may be any
_CHANCE = 4.0  # deviations of what was counted from what was to be expected: one event more is none


def stretch(tail: FloatArray) -> tuple[int, int] | None:
    """Find the heaviest run of points outside the band on one side; a single point inside does not end it."""
    best, heaviest = None, 0.0
    for sign in (1.0, -1.0):
        outside = np.nan_to_num(sign * tail) > 1.0
        for first, last in _runs(outside):
            lasting = last - first + 1 >= _LASTING or last == len(tail) - 1
            peak, weight = float(np.nanmax(sign * tail[first : last + 1])), float(np.nansum(np.abs(tail[first : last + 1])))
            if lasting and peak >= _SUSPECT_SCORE and weight > heaviest:
                best, heaviest = (first, last), weight
    return best


def _runs(outside: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Iterator[tuple[int, int]]:
    places = np.flatnonzero(outside)
    if not places.size:
        return
    breaks = np.flatnonzero(np.diff(places) > 2)
    for group in np.split(places, breaks + 1):
        yield int(group[0]), int(group[-1])


def stepped(values: FloatArray, times: FloatArray, onset: float, before: float, after: float) -> float:
    """Find when a series went from one level to another: what splits it into values near the one and values near the other.

    The least sum of distances. Noise alone crosses a band, and two values inside end the way back from there; where both agree to a
    judged point or two, or a minute, the band is the more exact. values and times have no gaps.
    """
    nearer = np.cumsum(np.abs(values - before) - np.abs(values - after))
    at = int(np.argmin(nearer[:-1])) + 1 if nearer.size > 1 else 0
    near = max(2 * COARSE * float(times[1] - times[0]), 60.0) if times.size > 1 else 60.0
    return onset if abs(float(times[at]) - onset) <= near else float(times[at])


def is_back(since: FloatArray, before: float, later: FloatArray) -> bool:
    """Whether a series is where it was: it has not ended, nor has its band got used to it. since: its values from the onset.

    later are the scores since it was last outside for long. One reading more outside is no second time.
    """
    known = later[np.isfinite(later)]
    if known.size < _FEW or not since.size or np.mean(np.abs(known[-3:]) <= 1.0) <= 0.5:
        return False
    away = np.abs(since - before)
    furthest = float(np.median(np.sort(away)[-LATEST:]))
    now = float(np.median(since[-min(LATEST, known.size * COARSE) :]))
    return bool(abs(now - before) <= _BACK * furthest)


def more_than_chance(rates: FloatArray, before: float, step: float) -> bool:
    """Whether so many events are more, or fewer, than chance makes of the rate before (Anscombe's root of a Poisson count)."""
    counted, expected = max(0.0, float(rates.sum()) * step), max(0.0, before * step * rates.size)
    return bool(abs(2.0 * np.sqrt(counted + 0.375) - 2.0 * np.sqrt(expected + 0.375)) >= _CHANCE)
