"""The times of a table as a detector takes them: one step between rows, strictly ascending."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from lens_exporter.model.window import FloatArray
from lens_exporter.replay.cells import shown
from lens_exporter.replay.table import Rows, Table

_OPENING_ROWS = 1000
_OPENING_SECONDS = 86_400.0
_OPENING_VALUES = 1_000_000  # held at most until the step is known
_NEVER = 3  # rows that do not ascend are more than two that a clock has moved
_FEW = 10  # rows without which a day is no reason to settle on a step
_CLOCK_CHANGE = 3600.0  # seconds by which summer time moves clocks
_SQUEEZE = 64  # rows of an hour that comes twice lie this much closer than the step: together they take less than a minute


def opening(blocks: Iterator[Rows]) -> tuple[list[Rows], float | None]:
    """Take blocks until the step between rows can be told, and tell it: the median seconds between rows that ascend.

    It is told by the first day, but by 10 rows at least and 1,000 rows or a million values at most, or by all rows where
    there are fewer: the same whatever the blocks. None where no row is later than the one before it.
    """
    taken: list[Rows] = []
    times = np.empty(0)
    for rows in blocks:
        taken.append(rows)
        times = np.concatenate((times, rows.times))
        enough = (times - times[0] >= _OPENING_SECONDS) & (np.arange(times.size) >= _FEW - 1)
        enough[max(_FEW, min(_OPENING_ROWS, _OPENING_VALUES // rows.values.shape[0])) - 1 :] = True
        if enough.any():
            times = times[: int(np.argmax(enough)) + 1]
            break
    forward = np.diff(times)
    forward = forward[forward > 0]
    return taken, float(np.median(forward)) if forward.size else None


def expect_ascending(table: Table, begun: Sequence[Rows]) -> None:
    """Raise TableInvalid when the opening rows of a table, three or more, never ascend: no clock that is set does that."""
    times = _times(begun)
    if times.size < _NEVER or (np.diff(times) > 0).any():
        return
    line = [line for rows in begun for line in rows.lines][1]
    descends = times[-1] < times[0]
    problem = "times are in descending order, newest first: turn the table round" if descends else "times never ascend"
    raise table.wrong_cell(line, 1, problem)


def is_index(begun: Sequence[Rows]) -> bool:
    """Tell whether the opening times are 0, 1, 2, ... or 1, 2, 3, ...: rows that somebody has numbered."""
    times = _times(begun)
    return times.size > 1 and times[0] in (0.0, 1.0) and bool((np.diff(times) == 1.0).all())


def _times(begun: Sequence[Rows]) -> FloatArray:
    return np.concatenate([np.empty(0), *(rows.times for rows in begun)])


class Timeline:
    """Places each row after the one before it, also where a clock without a zone was set.

    In autumn an hour comes twice; in spring some tools give an hour of rows one and the same time. Such rows, an hour of
    them at most, follow each other closely until the clock passes its newest reading again.
    """

    def __init__(self, table: Table, step: float, say: Callable[[str], object]) -> None:
        self._table = table
        self._step = step
        self._say = say
        self._newest = -np.inf  # as given
        self._last = -np.inf  # as placed
        self._behind = 0  # rows since the clock read its newest
        self._rows = self._back = 0  # all rows, and those behind the newest
        self._said = False

    def place(self, rows: Rows) -> FloatArray:
        """Give strictly ascending Unix seconds [time] for a block of rows.

        Raises:
            TableInvalid: a row lies further back than a clock is set, or too many do not ascend.

        """
        times = rows.times
        if self._newest == self._last < times[0] and (np.diff(times) > 0).all():
            self._newest = self._last = float(times[-1])
            self._rows += times.size
            return times
        return np.array([self._next(rows, index) for index in range(times.size)])

    def _next(self, rows: Rows, index: int) -> float:
        at = float(rows.times[index])
        self._rows += 1
        if at > self._newest:
            self._newest, self._behind = at, 0
        else:
            self._behind += 1
            self._back += 1
            line, stamp = rows.lines[index], rows.stamps[index]
            if max(self._newest - at, (self._behind - 1) * self._step) > _CLOCK_CHANGE:
                hint = "; is the table newest first?" if 2 * self._back > self._rows else ""
                raise self._table.wrong_cell(line, 1, f"times must ascend, and {shown(stamp)} is not after the row before it{hint}")
            if not self._said:
                self._said = True
                self._say(
                    f"{self._table.name}:{line}: {stamp} is not after the row before it; rows up to an hour behind are taken"
                    " in the order given (not said again)"
                )
        self._last = max(at, self._last + self._step / _SQUEEZE)
        return self._last
