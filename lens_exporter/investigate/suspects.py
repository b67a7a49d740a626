"""Which series of a target left their normal, in what order, and which did not. Pure: series in, a ranking out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from lens_exporter.investigate.births import from_zero
from lens_exporter.investigate.excursion import is_back, latest, more_than_chance, stepped, stretch, within_all_before
from lens_exporter.investigate.gaps import Gap, gaps, masked, sampled, scrape_of, seen_only
from lens_exporter.investigate.limits import SeriesLimits, is_free
from lens_exporter.investigate.lines import line_since
from lens_exporter.investigate.measures import COARSE, Measure, counts_of, measure
from lens_exporter.investigate.samples import Samples, last, name_of
from lens_exporter.investigate.shape import steady_slope
from lens_exporter.investigate.turnover import Moved, deploys, gone, is_start_time, restarts
from lens_exporter.model.labels import Labels, without
from lens_exporter.model.window import FloatArray, Scores, Window

JUDGED = 26  # judged points that the time from before the alert until now is laid over; a detector scores at least 30
HISTORY = 240  # judged points in all
_CHUNK = 500  # series scored at once, so that memory stays bounded
_STRONGEST = 1e6
_STRONG, _ENOUGH = 0.3, 30.0  # strong: this part of the strongest score, where 30 half-widths are as strong as any
_EVENTS = 600.0  # seconds before what moved first in which a start or another version may have brought it
_GONE = 60.0  # seconds without a value that make a steady series "gone", where that is two to six points of the fine grid
_FORESEEN = 7 * 86_400.0  # seconds; a limit reached later than that is no news
# Grids that divide a minute or are made of minutes, for rates are taken over whole minutes.
_STEPS = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60)


class Scorer(Protocol):
    """The part of a baseline.Detector that is needed here."""

    def score(self, window: Window) -> Scores: ...


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
    mean: bool = False  # values are the mean of what its _sum and _count count
    per_minute: float | None = None  # slope since the onset, where it goes along a line
    limit: float | None = None  # what it may grow to, where a series beside it says
    full_at: float | None = None  # when it is there, going on like this
    within: float = 0.0  # seconds that the onset of a line may be off by
    alike: int = 1  # judged series of this metric on the target, itself included
    alike_moved: int = 1  # how many of them are suspects


@dataclass(frozen=True, slots=True)
class Ranking:
    looked_at: int
    judged: int  # had enough history
    suspects: tuple[Suspect, ...]  # the strong ones by onset, then strength
    steady: tuple[Suspect, ...]  # stayed inside their band: score is their furthest, onset is not meant
    gone: tuple[Moved, ...]
    restarts: tuple[Moved, ...]
    deploys: tuple[Moved, ...]
    starts_known: int  # processes that publish when they started; 0 where a start in the time that matters is not ruled out
    gaps: tuple[Gap, ...]  # when nothing was sampled
    step: float  # seconds between two fine points: onsets are known to about one of them
    scrape: float = 0.0  # seconds between two samples, 0 where they are not known


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


def rank(samples: Sequence[Samples], times: FloatArray, detector: Scorer, newest: FloatArray | None = None) -> Ranking:
    """Judge every series against its own past.

    newest [time] is when the newest sample that each point shows was taken, where that is known: what only repeats is no value. A
    suspect lies outside its band for a stretch among the last judged points. The strong ones, not far below the strongest, come
    first, in order of their onset; the weaker ones follow by strength.
    """
    step = float(times[1] - times[0])
    newest = times if newest is None else newest
    taken = np.where(np.isfinite(newest), newest, times)
    rows = sampled(samples, times, newest)
    samples = masked(samples, rows)
    limits = SeriesLimits(list(samples))
    missing = int(np.clip(np.ceil(_GONE / step), 2, 2 * COARSE))
    suspects: list[Suspect] = []
    steady: list[Suspect] = []
    judged = 0
    looked = max(0, len(times) - JUDGED * COARSE)
    whole = from_zero(samples, looked)
    counts = counts_of(whole)
    for begin in range(0, len(whole), _CHUNK):
        chunk = [measure(one, counts, step, taken) for one in whole[begin : begin + _CHUNK]]
        coarse = np.array([one.values for one in chunk])[:, ::-1][:, ::COARSE][:, ::-1]
        window = Window("suspects", tuple(one.samples.labels for one in chunk), times[::-1][::COARSE][::-1], coarse, step * COARSE)
        scores = within_all_before(coarse, detector.score(window), JUDGED)
        for row, one in enumerate(chunk):
            reading = _reading(one, times, _Row(window.times, scores, row))
            if reading is None:
                continue
            judged += 1
            ended = not np.isfinite(one.samples.values[-missing:]).any()
            if np.isfinite(reading.onset):
                suspects.append(reading if ended else _limited(reading, limits.of(one.samples), float(times[-1])))
            elif not ended:  # what is gone has not stayed as it was
                steady.append(reading)
    first = min((one.onset - one.within for one in suspects if one.until is None), default=np.inf)
    begun = min(first, float(times[looked])) - _EVENTS
    events = max(0, int(np.searchsorted(times, begun, side="right")) - 1)
    return Ranking(
        looked_at=len(samples),
        judged=judged,
        suspects=tuple(_ordered(_compared(suspects, steady))),
        steady=tuple(steady),
        gone=tuple(gone(*seen_only(samples, times, rows), max(0, int(rows[:looked].sum()) - 1), missing)),
        restarts=tuple(restarts(samples, times, events)),
        deploys=tuple(deploys(samples, times, events)),
        starts_known=_starts(samples, begun) if begun >= times[0] else 0,
        gaps=gaps(times, newest, rows, looked),
        step=step,
        scrape=scrape_of(newest),
    )


def _starts(samples: Sequence[Samples], begun: float) -> int:
    """Count the processes that say when they started, 0 where one began later than that: then there was a start."""
    moments = [last(one) for one in samples if is_start_time(name_of(one))]
    return len(moments) if all(moment is not None and moment < begun for moment in moments) else 0


def _limited(one: Suspect, limit: float | None, at: float) -> Suspect:
    if one.rate:
        return one
    if limit is None:
        return _used_up(one, at) if is_free(one.metric) else one
    left = None if not one.per_minute or one.per_minute < 0 else (limit - one.after) / one.per_minute * 60.0
    return replace(one, limit=limit, full_at=at + left if left is not None and 0 < left <= _FORESEEN else None)


def _used_up(one: Suspect, at: float) -> Suspect:
    """Say when nothing of what is free is left, going on like this."""
    if not one.per_minute or one.per_minute > 0 or one.after <= 0:
        return one
    left = one.after / -one.per_minute * 60.0
    return replace(one, full_at=at + left if left <= _FORESEEN else None)


def _compared(suspects: Sequence[Suspect], steady: Sequence[Suspect]) -> list[Suspect]:
    """Say of each suspect among how many series of its metric it is one, and how many of them moved."""
    moved = Counter(one.metric for one in suspects)
    judged = moved + Counter(one.metric for one in steady)
    return [replace(one, alike=judged[one.metric], alike_moved=moved[one.metric]) for one in suspects]


@dataclass(frozen=True, slots=True)
class _Row:
    times: FloatArray
    scores: Scores
    row: int

    @property
    def score(self) -> FloatArray:
        row: FloatArray = self.scores.score[self.row]
        return row


def _reading(one: Measure, times: FloatArray, row: _Row) -> Suspect | None:
    """Judge one series; its onset is infinite when it stayed normal. None without a baseline or a value."""
    values = one.values
    tail = np.clip(row.score[-JUDGED:], -_STRONGEST, _STRONGEST)
    finite = np.isfinite(values)
    if not np.isfinite(tail).any() or not finite.any():
        return None
    labels = without(one.samples.labels, ("__name__",))
    metric, now = name_of(one.samples), float(values[finite][-1])
    left = stretch(tail)
    if left is None or is_start_time(metric):
        furthest = float(tail[np.nanargmax(np.abs(tail))])
        earlier = values[: -JUDGED * COARSE]
        before = float(np.nanmedian(earlier)) if np.isfinite(earlier).any() else float(np.nanmedian(values))
        return Suspect(metric, labels, before, now, np.inf, None, furthest, one.rate, one.mean)
    first, end = (index + len(row.times) - len(tail) for index in left)
    onset = _onset(values, times, row, first)
    inside = row.score[first : end + 1]
    score = float(np.clip(inside[np.nanargmax(np.abs(inside))], -_STRONGEST, _STRONGEST))
    began, ended = (int(np.searchsorted(times, moment)) for moment in (min(onset, row.times[max(0, first - 1)]), row.times[end]))
    if one.counted and not more_than_chance(values, began + 1, ended, float(times[1] - times[0])):
        return Suspect(metric, labels, _before(values[finite & (times < onset)], now), now, np.inf, None, 1.0, one.rate, one.mean)
    before = _before(values[(times < onset) & finite], now)
    since = (times >= onset) & finite
    until = float(row.times[end]) if is_back(values[since], before, row.score[end + 1 :]) else None
    slope = steady_slope(times[since], values[since]) if until is None else None
    line = line_since(times[finite], values[finite], int(np.sum(finite & (times < onset)))) if until is None else None
    if line is not None:
        onset, slope = float(times[finite][line.place]), slope if slope is not None else line.slope
    elif slope is None and until is None:
        onset = _moved_at(values, times, row, (first, end), onset, 0.5 * (before + float(np.median(values[since]))))
    per_minute = None if slope is None else slope * 60.0
    before, since = _before(values[(times < onset) & finite], now), (times >= onset) & finite
    if until is None:
        after = now if per_minute is not None else latest(values[since])
    else:  # it is over: show how far it went
        fine = values[since & (times <= until)]
        after = float(fine.max() if score > 0 else fine.min()) if fine.size else now
    within = 0.0 if line is None else line.within
    return Suspect(metric, labels, before, after, onset, until, score, one.rate, one.mean, per_minute, within=within)


def _moved_at(values: FloatArray, times: FloatArray, row: _Row, run: tuple[int, int], onset: float, middle: float) -> float:
    """Find when a series went to the level it has, where noise makes its way out of the band tell something else."""
    first, end = run
    known = np.flatnonzero(np.isfinite(values))
    lower, upper = row.scores.lower[row.row, first], row.scores.upper[row.row, first]
    outside = values[known] > upper if row.score[first] > 0 else values[known] < lower
    places = (int(np.searchsorted(times[known], moment)) for moment in (onset, row.times[end]))
    begun, left = (min(place, known.size - 1) for place in places)
    return float(times[known[min(stepped(values[known], outside, begun, left, middle), known.size - 1)]])


def _before(earlier: FloatArray, last: float) -> float:
    return float(np.median(earlier)) if earlier.size else last


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
