"""History for a replay: asked for once in blocks of days, and served tick by tick."""

import math
from dataclasses import dataclass, replace

import numpy as np

from lens_exporter.baseline.outages import SCRAPED
from lens_exporter.errors import QueryError
from lens_exporter.foundation.retry import retrying
from lens_exporter.model.labels import Labels
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import Window
from lens_exporter.watch.ports import RowSource

_KEPT_BLOCKS = 2  # of each metric: a cold start in the middle goes back, and the ticks go on where they were
_GRID_TOLERANCE = 1e-6  # of a step: what rounding may have taken from a multiple


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Rows first to last of the grid, with the label tuples of the slices that were taken of them."""

    first: int
    last: int
    window: Window
    tuples: dict[bytes, tuple[Labels, ...]]

    def cut(self, first: int, last: int) -> Window:
        """Give rows first to last. As from the server, a series without any value in them has no row."""
        columns = slice(first - self.first, last - self.first + 1)
        values = self.window.values[:, columns]
        present = np.isfinite(values).any(axis=1)
        labels = self.window.labels
        if not present.all():
            key = present.tobytes()
            if key not in self.tuples:
                # One object as long as the series stay the same: whoever keeps them in order need not look at each again.
                self.tuples[key] = tuple(labels[row] for row in np.flatnonzero(present))
            labels, values = self.tuples[key], values[present]
        return replace(self.window, labels=labels, times=self.window.times[columns], values=values)


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Rows that no query answers, however few of them it asks for beside: the past does not change, nor does this."""

    first: int
    last: int
    error: QueryError

    def concerns(self, first: int, last: int) -> bool:
        """Say whether rows hold these. Later ones do too: nobody can judge them who has not read these."""
        return first >= self.first or last >= self.last


class RecordedRows:
    """A source of rows for ticks that follow each other: it fetches ahead what they are about to ask for, to `until` at most.

    What a tick is given is what the server would have answered it then, as far as the server knows today: a sample that arrived
    late is there from its own time on. A series whose every sample in a slice is NaN counts as absent from it. In memory are two
    blocks of each metric, each as large as one bearable answer.
    """

    def __init__(self, source: RowSource, *, since: float, until: float, max_series: int) -> None:
        """Serve moments from since to until (Unix seconds). An answer of `max_series` series may have been cut."""
        self._source = source
        self._since = since
        self._until = until
        self._max_series = max_series
        self._blocks: dict[BaselineMetric, list[_Block]] = {}
        self._longest: dict[BaselineMetric, int] = {}  # points of a block that may be tried, where one was not let through whole
        self._refused: dict[BaselineMetric, _Refusal] = {}
        self._asked: dict[BaselineMetric, int] = {}  # the first row that was asked for last
        self._noted: dict[BaselineMetric, tuple[Labels, ...]] = {}
        self.series: dict[tuple[str, frozenset[tuple[str, str]]], Labels] = {}  # that had a value while they were judged
        self.oldest = math.inf  # Unix seconds of the first value of all

    def points_per_block(self, metric: BaselineMetric, at: float, *, step: float) -> int:
        """Count the points of a block. Raises as the source does."""
        return retrying(lambda: self._source.points_per_block(metric, at, step=step))

    def rows(self, metric: BaselineMetric, start: float, end: float, *, step: float) -> Window:
        """Give every multiple of step from start to end. Raises as the source does; what a query was refused for stays refused."""
        step = round(step, 3)
        first, last = math.ceil(start / step - _GRID_TOLERANCE), math.floor(end / step + _GRID_TOLERANCE)
        if last < first:
            return self._fetch(metric, first, last, step)
        self._expect_no_refusal(metric, first, last)
        blocks = self._blocks.setdefault(metric, [])
        block = next((one for one in blocks if one.first <= first and last <= one.last), None)
        if block is None:
            block = self._ahead(metric, first, last, step)
            if metric != SCRAPED:  # which is not judged
                self._note(metric, block.window)
            blocks.append(block)
            del blocks[:-_KEPT_BLOCKS]
        return block.cut(first, last)

    def _ahead(self, metric: BaselineMetric, first: int, last: int, step: float) -> _Block:
        """Fetch rows from first to as far as a block goes, at least to last."""
        points = min(self.points_per_block(metric, last * step, step=step), self._longest.get(metric, math.inf))
        end = int(max(last, min(first + points - 1, math.floor(self._until / step + _GRID_TOLERANCE))))
        while True:
            try:
                window = self._fetch(metric, first, end, step)
            except QueryError as error:
                if end == last:
                    self._refused[metric] = _Refusal(first, last, error)
                    raise
            else:
                # Series come and go: together they may be more than are let through, where those of one tick are not.
                if end == last or len(window.labels) < self._max_series:
                    if metric in self._longest:
                        self._longest[metric] *= 2  # what was in the way may lie behind
                    return _Block(first, end, window, {})
            end = max(last, first + (end - first) // 2)
            self._longest[metric] = end - first + 1

    def _expect_no_refusal(self, metric: BaselineMetric, first: int, last: int) -> None:
        begins_anew = first < self._asked.get(metric, first)
        self._asked[metric] = first
        if begins_anew:
            self._refused.pop(metric, None)  # what could not be read may be older than all that is learnt from now on
        refusal = self._refused.get(metric)
        if refusal is not None and refusal.concerns(first, last):
            raise refusal.error

    def _note(self, metric: BaselineMetric, window: Window) -> None:
        """Remember which series there are to judge, and how far back they go."""
        present = np.isfinite(window.values)
        if present.any():
            self.oldest = min(self.oldest, float(window.times[np.argmax(present.any(axis=0))]))
        judged = present[:, window.times >= self._since].any(axis=1)
        if judged.all() and self._noted.get(metric) is window.labels:
            return
        for row in np.flatnonzero(judged):
            labels = window.labels[row]
            self.series[metric.name, frozenset(labels.items())] = labels
        if judged.all():
            self._noted[metric] = window.labels

    def _fetch(self, metric: BaselineMetric, first: int, last: int, step: float) -> Window:
        return retrying(lambda: self._source.rows(metric, first * step, last * step, step=step))
