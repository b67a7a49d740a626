"""Which series of a target left their normal, in what order, and which did not. Pure: series in, a ranking out."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lens_exporter.investigate.shape import steady_slope
from lens_exporter.model.labels import Labels, without
from lens_exporter.model.window import FloatArray, Scores, Window

COARSE = 3  # fine points per judged point: the detector judges the coarse grid, the onset is then found on the fine one
JUDGED = 26  # judged points that the time from before the alert until now is laid over; a detector scores at least 30
HISTORY = 240  # judged points in all
_CHUNK = 500  # series scored at once, so that memory stays bounded
_STRONGEST = 1e6
_STRONG, _ENOUGH = 0.3, 30.0  # strong: this part of the strongest score, where 30 half-widths are as strong as any
_SUSPECT_SCORE = 1.5  # half-widths of the band
_LASTING = 2  # judged points in a row, unless the last one is outside too
_GONE = 2  # judged points without a value that make a steady series "gone"
_COVERED = 0.8
_COUNTER_NAME = re.compile(r"_(total|count|sum|bucket)$")
_START_TIME = re.compile(r"(start|boot)_time_seconds$")
# Counters become rates over whole minutes, on grids that divide a minute or are made of minutes: each such stretch holds the same
# number of scrapes, whatever their interval (5, 10, 15, 30, 60 s). Otherwise rates would jump by one scrape's worth.
_RATE_SECONDS = 60.0
_STEPS = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60)


class Scorer(Protocol):
    """The part of a baseline.Detector that is needed here."""

    def score(self, window: Window) -> Scores: ...


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """One series on the fine grid, NaN where there is no value. is_counter: its type where the server knows it."""

    labels: Labels
    values: FloatArray
    is_counter: bool | None = None


@dataclass(frozen=True, slots=True)
class Suspect:
    """One series that left its band. before is its median until then. until is None while it is outside. Times: Unix seconds."""

    metric: str
    labels: Labels
    before: float
    after: float
    onset: float
    until: float | None
    score: float  # signed, in half-widths of the band
    rate: bool  # values are per second
    per_minute: float | None = None  # slope since the onset, where it goes along a line


@dataclass(frozen=True, slots=True)
class Moved:
    """A series that ended, or a process that started, at a moment inside the looked-at time."""

    metric: str
    labels: Labels
    at: float


@dataclass(frozen=True, slots=True)
class Ranking:
    looked_at: int
    judged: int  # had enough history
    suspects: tuple[Suspect, ...]  # the strong ones by onset, then strength
    steady: tuple[Suspect, ...]  # stayed inside their band: score is their furthest, onset is not meant
    gone: tuple[Moved, ...]
    restarts: tuple[Moved, ...]


def fine_step(start: float, at: float, history: float | None = None) -> float:
    """Choose the fine grid's step in seconds, for an alert that began at `start` and is looked at at `at`.

    The time looked at begins before the alert by half of its age, a minute at least: causes come first. `history` (seconds)
    makes it reach further back.
    """
    lead = max(60.0, 0.5 * (at - start))
    step = (at - start + lead) / (JUDGED * COARSE)
    if history is not None:
        step = max(step, history / (HISTORY * COARSE))
    return float(next((nice for nice in _STEPS if nice >= step), 60 * int(np.ceil(step / 60))))


def rank(samples: Sequence[Samples], times: FloatArray, detector: Scorer) -> Ranking:
    """Judge every series against its own past.

    A suspect lies outside its band for a stretch among the last judged points. The strong ones, not far below the strongest,
    come first, in order of their onset; the weaker ones follow by strength.
    """
    step = float(times[1] - times[0])
    suspects: list[Suspect] = []
    steady: list[Suspect] = []
    judged = 0
    for begin in range(0, len(samples), _CHUNK):
        chunk = samples[begin : begin + _CHUNK]
        rates = [_is_counter(one) for one in chunk]
        values = np.array([_rate(one.values, step) if rate else one.values for one, rate in zip(chunk, rates, strict=True)])
        coarse = values[:, ::-1][:, ::COARSE][:, ::-1]
        window = Window("suspects", tuple(one.labels for one in chunk), times[::-1][::COARSE][::-1], coarse, step * COARSE)
        scores = detector.score(window)
        for row, one in enumerate(chunk):
            reading = _reading(one, values[row], times, _Row(window.times, scores, row), rate=rates[row])
            if reading is None:
                continue
            judged += 1
            (suspects if np.isfinite(reading.onset) else steady).append(reading)
    return Ranking(
        looked_at=len(samples),
        judged=judged,
        suspects=tuple(_ordered(suspects)),
        steady=tuple(steady),
        gone=tuple(_gone(samples, times)),
        restarts=tuple(_restarts(samples, times)),
    )


@dataclass(frozen=True, slots=True)
class _Row:
    times: FloatArray
    scores: Scores
    row: int

    @property
    def score(self) -> FloatArray:
        row: FloatArray = self.scores.score[self.row]
        return row


def _reading(one: Samples, values: FloatArray, times: FloatArray, row: _Row, *, rate: bool) -> Suspect | None:
    """Judge one series; its onset is infinite when it stayed normal. None without a baseline or a value."""
    tail = np.clip(row.score[-JUDGED:], -_STRONGEST, _STRONGEST)
    finite = np.isfinite(values)
    if not np.isfinite(tail).any() or not finite.any():
        return None
    labels = without(one.labels, ("__name__",))
    metric, last = one.labels.get("__name__", ""), float(values[finite][-1])
    stretch = _stretch(tail)
    if stretch is None or _START_TIME.search(metric):
        furthest = float(tail[np.nanargmax(np.abs(tail))])
        earlier = values[: -JUDGED * COARSE]
        before = float(np.nanmedian(earlier)) if np.isfinite(earlier).any() else float(np.nanmedian(values))
        return Suspect(metric, labels, before, last, np.inf, None, furthest, rate)
    first, end = (index + len(row.times) - len(tail) for index in stretch)
    onset = _onset(values, times, row, first)
    until = None if end == len(row.times) - 1 else float(row.times[end])
    inside = row.score[first : end + 1]
    score = float(np.clip(inside[np.nanargmax(np.abs(inside))], -_STRONGEST, _STRONGEST))
    known = values[(times < onset) & finite]
    since = (times >= onset) & finite
    slope = steady_slope(times[since], values[since]) if until is None else None
    per_minute = None if slope is None else slope * 60.0
    before = float(np.median(known)) if known.size else last
    if until is None:
        after = last
    else:  # it is over: show how far it went
        fine = values[(times >= onset) & (times <= until) & finite]
        after = float(fine.max() if score > 0 else fine.min()) if fine.size else last
    return Suspect(metric, labels, before, after, onset, until, score, rate, per_minute)


def _stretch(tail: FloatArray) -> tuple[int, int] | None:
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


def _onset(values: FloatArray, times: FloatArray, row: _Row, first: int) -> float:
    """Find when the series left the band that the run's first judged point is outside of, on the fine grid.

    The run may have begun before the judged points; two neighbouring values inside the band end the walk back.
    """
    lower, upper = row.scores.lower[row.row, first], row.scores.upper[row.row, first]
    known = np.flatnonzero(np.isfinite(values) & (times <= row.times[first]))
    outside = values[known] > upper if row.score[first] > 0 else values[known] < lower
    inside_twice = np.flatnonzero(~outside[1:] & ~outside[:-1])
    begin = int(inside_twice[-1]) + 2 if inside_twice.size else 0
    left = begin + np.flatnonzero(outside[begin:])
    return float(times[known[left[0]]]) if left.size else float(row.times[first])


def _ordered(suspects: list[Suspect]) -> list[Suspect]:
    strongest = max((abs(one.score) for one in suspects), default=0.0)
    strong = [one for one in suspects if abs(one.score) >= _STRONG * min(strongest, _ENOUGH)]
    weak = [one for one in suspects if abs(one.score) < _STRONG * min(strongest, _ENOUGH)]
    strong.sort(key=lambda one: (one.until is not None, one.onset, -abs(one.score), one.metric))
    weak.sort(key=lambda one: (one.until is not None, -abs(one.score), one.onset, one.metric))
    return strong + weak


def _is_counter(one: Samples) -> bool:
    if one.is_counter is not None:
        return one.is_counter
    finite = one.values[np.isfinite(one.values)]
    rises = np.diff(finite)
    # A counter only rises, and where it does not it starts again near zero.
    monotone = bool(np.all((rises >= 0) | (finite[1:] <= 0.5 * finite[:-1]))) if finite.size > 1 else False
    return bool(_COUNTER_NAME.search(one.labels.get("__name__", ""))) and monotone


def _rate(values: FloatArray, step: float) -> FloatArray:
    """Turn a counter into its rate a second over the last minute (or judged point, where that is longer), resets taken out."""
    width = round(_RATE_SECONDS / step) if step < _RATE_SECONDS else COARSE
    rises = np.diff(values, prepend=np.nan)
    total = np.nancumsum(np.where(rises < 0, values, rises))  # after a reset the value itself is the rise
    rate: FloatArray = np.full_like(values, np.nan)
    rate[width:] = (total[width:] - total[:-width]) / (width * step)
    rate[width:][~(np.isfinite(values[width:]) & np.isfinite(values[:-width]))] = np.nan
    return rate


def _gone(samples: Sequence[Samples], times: FloatArray) -> Iterator[Moved]:
    """Find series that were there nearly always and have had no value for a while, but were there when the looked-at time began."""
    looked = len(times) - JUDGED * COARSE
    for one in samples:
        places = np.flatnonzero(np.isfinite(one.values))
        if not places.size or not looked <= places[-1] < len(times) - _GONE * COARSE:
            continue
        if len(places) >= _COVERED * (places[-1] - places[0] + 1) and places[-1] - places[0] > JUDGED:
            yield Moved(one.labels.get("__name__", ""), without(one.labels, ("__name__",)), float(times[places[-1]]))


def _restarts(samples: Sequence[Samples], times: FloatArray) -> Iterator[Moved]:
    looked = times[-JUDGED * COARSE] if len(times) >= JUDGED * COARSE else times[0]
    for one in samples:
        finite = one.values[np.isfinite(one.values)]
        name = one.labels.get("__name__", "")
        if finite.size > 1 and _START_TIME.search(name) and finite[-1] > finite[0] and finite[-1] >= looked:
            yield Moved(name, without(one.labels, ("__name__",)), float(finite[-1]))
