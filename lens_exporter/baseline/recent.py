"""The newest columns of everything that is watched: what rules about readings in a row look at."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from lens_exporter.baseline.detection.regroup import picked
from lens_exporter.baseline.detection.scored import Scored
from lens_exporter.baseline.detector import TAIL
from lens_exporter.model.window import BoolArray, FloatArray, IntArray

_ROOM = 10  # columns


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Values with their scores. Arrays are [time, series]; group_score, group_threshold and alarmed are [time, groups]."""

    times: FloatArray  # [time]
    values: FloatArray
    expected: FloatArray
    lower: FloatArray
    upper: FloatArray
    distance: FloatArray  # of the value from what is expected, in half-widths of the band; signed
    score: FloatArray  # each series' share in its group's score, or its own surprise
    novel: BoolArray
    unusual: BoolArray
    sustained: NDArray[np.int8]
    group_score: FloatArray
    group_threshold: FloatArray
    alarmed: BoolArray

    def part(self, rows: slice) -> "Columns":
        """Give some of the columns: views."""
        return Columns(*(getattr(self, one.name)[rows] for one in fields(Columns)))

    def take(self, kept: IntArray, groups_kept: IntArray) -> "Columns":
        """Give these series and groups; -1 is a new one."""
        values, expected, lower, upper, distance = (
            picked(one, kept, new=np.nan) for one in (self.values, self.expected, self.lower, self.upper, self.distance)
        )
        score = picked(self.score, kept, new=0.0)
        novel, unusual = (picked(one, kept, new=False) for one in (self.novel, self.unusual))
        sustained = picked(self.sustained, kept, new=0)
        group_score = picked(self.group_score, groups_kept, new=np.nan)
        threshold = picked(self.group_threshold, groups_kept, new=np.inf)
        alarmed = picked(self.alarmed, groups_kept, new=False)
        own = (values, expected, lower, upper, distance, score, novel, unusual, sustained)
        return Columns(self.times, *own, group_score, threshold, alarmed)


class Recent:
    """The last `TAIL` columns, and room for some more: a row at a time, all of them are moved only now and then."""

    def __init__(self, series: int, groups: int) -> None:
        self._hold(_nothing(series, groups))

    def add(self, later: Columns) -> None:
        """Keep columns that follow."""
        self._write(later)
        self._size += later.times.size

    def followed_by(self, later: Columns) -> Columns:
        """Give the last `TAIL` columns with those that follow; what is given is good until the next call, which may write there."""
        self._write(later)
        end = self._size + later.times.size
        return self._kept.part(slice(max(0, end - TAIL), end))

    @property
    def newest(self) -> Columns:
        """The last column."""
        return self._kept.part(slice(self._size - 1, self._size))

    @property
    def series(self) -> int:
        """How many series it holds."""
        return int(self._kept.values.shape[1])

    def take(self, kept: IntArray, groups_kept: IntArray) -> None:
        """Go on with these series and groups; -1 is a new one."""
        self._hold(self._kept.part(slice(0, self._size)).take(kept, groups_kept))

    def _hold(self, columns: Columns, most: int = TAIL) -> None:
        """Keep the last of these, at most so many, and make room behind them."""
        self._size = min(most, columns.times.size)
        last = columns.part(slice(columns.times.size - self._size, None))
        room = TAIL + _ROOM - self._size
        arrays = (getattr(last, one.name) for one in fields(Columns))
        self._kept = Columns(*(np.concatenate([each, np.empty((room, *each.shape[1:]), each.dtype)]) for each in arrays))

    def _write(self, later: Columns) -> None:
        rows = later.times.size  # at most `TAIL`
        if self._size + rows > TAIL + _ROOM:
            self._hold(self._kept.part(slice(0, self._size)), min(TAIL, TAIL + _ROOM - rows))
        for one in fields(Columns):
            getattr(self._kept, one.name)[self._size : self._size + rows] = getattr(later, one.name)


def _nothing(series: int, groups: int) -> Columns:
    """Give no columns at all."""
    own, ours = np.zeros((0, series)), np.zeros((0, groups))
    no, none = own.astype(np.bool_), ours.astype(np.bool_)
    return Columns(np.zeros(0), own, own, own, own, own, own, no, no, own.astype(np.int8), ours, ours, none)


def columns(times: FloatArray, values: FloatArray, scored: Scored) -> Columns:
    """Turn a block's values [series, time] and scores into its last `TAIL` columns."""
    last = slice(-TAIL, None)
    rows, expected = values[:, last].T, scored.expected[:, last].T
    lower, upper = scored.lower[:, last].T, scored.upper[:, last].T
    # Rules look at all columns at each tick: here each is divided once, not thirty times.
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        off = rows - expected
        distance = off / np.where(off < 0.0, expected - lower, upper - expected)
    return Columns(
        times[last],
        rows,
        expected,
        lower,
        upper,
        distance,
        scored.score[:, last].T,
        scored.novel[:, last].T,
        scored.unusual[:, last].T,
        scored.sustained[:, last].T,
        scored.groups.score[:, last].T,
        scored.groups.threshold[:, last].T,
        scored.groups.anomaly[:, last].T,
    )
