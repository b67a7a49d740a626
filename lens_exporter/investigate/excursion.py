"""How far a series went, when it began, whether it is back, and whether chance alone goes as far. Pure: values in, numbers out."""

import warnings
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lens_exporter.investigate.measures import COARSE
from lens_exporter.model.window import BoolArray, FloatArray, Scores

LATEST = 3 * COARSE  # fine points whose median stands for where a noisy series is now
_SUSPECT_SCORE = 1.5  # half-widths of the band
_LASTING = 2  # judged points in a row, unless the last one is outside too
_ROOM = 0.25  # of all that it went before
_FOR_GOOD = 3  # judged points
_LONG_KNOWN = 30  # judged points
_BACK = 0.25  # of the way it had moved: what is nearer to where it came from is back
_FEW = 2  # judged points without which nothing is known to be back, for the last scrape may be any
_CHANCE = 2.0  # deviations of a count
_TIMES, _SEEN = 5, 0.8  # such times before, and the part of one that must have been seen
_LINE = 0.75  # of the way of a line that is outside its band
_FAR = 3.0  # of nearly every change from one value to the next


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


def within_all_before(values: FloatArray, scores: Scores, judged: int) -> Scores:
    """Draw the bands in to all that was before, of series that lately are beyond that, and by a quarter, for good.

    A day's course or noise makes a band reach below zero: of a rate that rests at nothing since, it says nothing. values and the
    scores' bands have the shape [series, time]; the last `judged` points are judged.
    """
    if values.shape[1] <= judged:
        return scores
    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a series without a value there is no least one
        earlier = values[:, :-judged]
        low, high = np.nanmin(earlier, axis=1, keepdims=True), np.nanmax(earlier, axis=1, keepdims=True)
    room = _ROOM * (high - low)
    beyond = (values < low - room) | (values > high + room)
    known = np.isfinite(earlier).sum(axis=1) >= _LONG_KNOWN
    lasts = known & beyond[:, -_FOR_GOOD:].all(axis=1)
    lower = np.where(lasts[:, None], np.maximum(scores.lower, low), scores.lower)
    upper = np.where(lasts[:, None], np.minimum(scores.upper, high), scores.upper)
    half = 0.5 * (upper - lower)
    redrawn = np.where(half > 0, (values - 0.5 * (upper + lower)) / np.where(half > 0, half, 1.0), scores.score)
    score = np.where(lasts[:, None] & np.isfinite(scores.score) & (np.abs(redrawn) > np.abs(scores.score)), redrawn, scores.score)
    return replace(scores, lower=lower, upper=upper, score=score)


def _runs(outside: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Iterator[tuple[int, int]]:
    places = np.flatnonzero(outside)
    if not places.size:
        return
    breaks = np.flatnonzero(np.diff(places) > 2)
    for group in np.split(places, breaks + 1):
        yield int(group[0]), int(group[-1])


def stepped(values: FloatArray, outside: BoolArray, onset: int, end: int, middle: float) -> int:
    """Find where a series went for good to the side of `middle` that it is on now: after the last nine values on the other side.

    One of the nine may be anywhere. onset is where it left its band, and until `end` it was outside again and again. Noise leaves a
    wide band late, and before a step it may leave it now and then; a line is outside from its onset on, and that stays. values
    have no gaps, outside is whether each is beyond the band; onset, end and what is given are places.
    """
    there = values > middle if float(np.median(values[onset:])) > middle else values < middle
    calm = np.flatnonzero(np.convolve(~there[: max(1, end)], np.ones(LATEST), mode="valid") >= LATEST - 1)
    if not calm.size:
        return onset
    begun = int(np.flatnonzero(~there[: calm[-1] + LATEST])[-1]) + 1
    return onset if begun > onset and np.mean(outside[onset:begun]) > _LINE else begun


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


def more_than_chance(rates: FloatArray, first: int, end: int, step: float) -> bool:
    """Whether more events, or fewer, were counted from `first` to `end` than in any such time before.

    By two deviations of a count (Anscombe's root): from rest that is three, and as many as come in every ten minutes are none.
    Where there are not five such times before, nobody knows.
    """
    length = end - first + 1
    counts = np.concatenate([[0.0], np.cumsum(np.nan_to_num(rates) * step)])
    seen = np.concatenate([[0.0], np.cumsum(np.isfinite(rates))])
    starts = np.arange(0, first - length + 1)
    known = seen[starts + length] - seen[starts] >= _SEEN * length
    if starts.size < _TIMES * length or not known.any():
        return True
    earlier = np.maximum(0.0, counts[starts + length] - counts[starts])[known]
    now = 2.0 * np.sqrt(max(0.0, counts[end + 1] - counts[first]) + 0.375)
    most, least = 2.0 * np.sqrt(np.array([earlier.max(), earlier.min()]) + 0.375)
    return bool(now >= most + _CHANCE or now <= least - _CHANCE)


def latest(values: FloatArray) -> float:
    """Give where a noisy series is now: the median of nine values, or of three where these are elsewhere by far more than noise."""
    now, lately = float(np.median(values[-COARSE:])), float(np.median(values[-LATEST:]))
    changes = np.abs(np.diff(values[:-LATEST]))  # of what was before these; of a slow scrape most are none
    elsewhere = changes.size >= LATEST and abs(now - lately) > _FAR * float(np.quantile(changes, 0.9))
    return now if elsewhere else lately
