"""What the ticks of a replay saw of each series and group, thinned as they come to what a picture can show."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lens_exporter.model.decision import GroupStanding, Observation
from lens_exporter.model.labels import Labels
from lens_exporter.model.window import FloatArray
from lens_exporter.replay.span import Span
from lens_exporter.watch.watcher import Tick

COLUMNS = 1200  # of a picture: more cannot be told apart
_MOST = 1000  # series and groups that are kept, 29 kB each

Floats = NDArray[np.float32]
Identity = tuple[str, frozenset[tuple[str, str]]]  # metric, labels


def _nothing() -> Floats:
    return np.full(COLUMNS, np.nan, dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One series. Arrays are [columns], NaN where no tick saw it. Of a column's ticks the last or the extreme counts."""

    metric: str
    unit: str
    labels: Labels
    lowest: Floats = field(default_factory=_nothing)
    highest: Floats = field(default_factory=_nothing)
    expected: Floats = field(default_factory=_nothing)
    lower: Floats = field(default_factory=_nothing)
    upper: Floats = field(default_factory=_nothing)
    score: Floats = field(default_factory=_nothing)  # furthest from 0, without sign; 1 is the edge of the band

    @property
    def peak(self) -> float:
        """The highest score of all; 0 where there is none."""
        return float(np.nanmax(self.score)) if np.isfinite(self.score).any() else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class GroupTrack:
    """Series that are judged together, over the span. score is the highest of a column's ticks."""

    labels: Labels
    score: Floats = field(default_factory=_nothing)
    threshold: Floats = field(default_factory=_nothing)


class Recording:
    """Takes ticks in order of time. Of more than a thousand series (or groups) those that come later are left out."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self._width = max(span.end - span.begin, 1.0) / COLUMNS
        self.tracks: dict[Identity, Track] = {}
        self.groups: dict[frozenset[tuple[str, str]], GroupTrack] = {}
        self.ticked = np.zeros(COLUMNS, dtype=np.bool_)  # columns that a tick fell into: elsewhere nothing is missing

    @property
    def times(self) -> FloatArray:
        """Unix seconds of the columns' middles."""
        return self.span.begin + (np.arange(COLUMNS, dtype=np.float64) + 0.5) * self._width

    def take(self, tick: Tick) -> None:
        """Take what one tick saw."""
        column = min(COLUMNS - 1, max(0, math.floor((tick.at - self.span.begin) / self._width)))
        self.ticked[column] = True
        if tick.seen is None:
            return
        for one in tick.seen.observations:
            self._observe(one, column)
        for standing in tick.seen.groups:
            self._stand(standing, column)

    def _observe(self, one: Observation, column: int) -> None:
        identity = (one.metric, frozenset(one.target.items()))
        track = self.tracks.get(identity)
        if track is None:
            if len(self.tracks) >= _MOST:
                return
            track = self.tracks[identity] = Track(one.metric, one.unit, one.target)
        _keep(track.lowest, column, one.value, min)
        _keep(track.highest, column, one.value, max)
        _keep(track.score, column, None if one.score is None else abs(one.score), max)
        for array, value in ((track.expected, one.expected), (track.lower, one.lower), (track.upper, one.upper)):
            _keep(array, column, value, _last)

    def _stand(self, one: GroupStanding, column: int) -> None:
        identity = frozenset(one.labels.items())
        track = self.groups.get(identity)
        if track is None:
            if len(self.groups) >= _MOST:
                return
            track = self.groups[identity] = GroupTrack(one.labels)
        _keep(track.score, column, one.score, max)
        _keep(track.threshold, column, one.threshold, _last)


def _last(_known: float, new: float) -> float:
    return new


def _keep(array: Floats, column: int, value: float | None, of_both: Callable[[float, float], float]) -> None:
    if value is None:
        return
    known = float(array[column])
    array[column] = value if math.isnan(known) else of_both(known, value)
