"""Scores of a table's rows, each from the rows before it: the engine of the watchers, fed from a CSV file or a pipe."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np

from lens_exporter.baseline.detection.engine import Engine
from lens_exporter.baseline.detection.tuning import Tuning
from lens_exporter.model.budget import USUAL_PER_WEEK
from lens_exporter.replay.lasting import Lasting
from lens_exporter.replay.scores import ScoresCsv
from lens_exporter.replay.table import Table
from lens_exporter.replay.timeline import Timeline, expect_ascending, is_index, opening

_UNSETTLED = "no row can be one, the table is too short for a threshold"
_NO_ROWS = "; there is nothing below the header"
_NO_VALUES = "; all cells are empty, so there is nothing to judge"
_FEW = 50  # rows: with fewer nearly nothing is news of a series by itself
_UNKNOWN_STEP = 60.0  # of a table whose rows do not tell one: nothing is learnt from so few
_EVERY_TWO_HOURS = 84.0  # a week
_CLOSE, _AS_IF = 4.5, 60.0  # seconds: rows closer than the first are judged as if the second lay between them
"""The first lies where nobody scrapes: the step of jittering rows falls on one side of it."""

Say = Callable[[str], object]
Seen = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Request:
    """What to judge and how often it may be wrong. group: the name of all series together; None: each by itself."""

    false_alarms_per_week: float = USUAL_PER_WEEK
    group: str | None = None
    missing: bool = False  # whether a missing value is an anomaly of a series that normally has one


def detect(table: Table, request: Request, say: Say, seen: Seen = lambda _rows: None) -> Iterator[bytes]:
    """Give the scores of a table as CSV: its header, then a piece for each block of rows as soon as it is read.

    say is told the step and how it ended, seen how many rows are done.

    Raises:
        TableInvalid: a row cannot be read, times do not ascend, or the group has the name of a series.

    """
    series = len(table.series)
    if request.group in table.series:
        raise table.wrong_cell(
            table.header_line, table.series.index(request.group) + 2, "the group needs a name that no series has"
        )
    csv = ScoresCsv(table.series, request.group)
    yield csv.header()
    blocks = table.blocks()
    begun, step = opening(blocks)
    expect_ascending(table, begun)
    say(f"{table.name}: {series} series, {'step unknown' if step is None else f'a row every {step:g} s'}")
    step = step or _UNKNOWN_STEP
    pace = _AS_IF / step if step < _CLOSE else 1.0  # a table of seconds ends before a detector for hours and days has begun
    if pace != 1.0 and is_index(begun):
        say(
            f"{table.name}: the column timestamp looks like an index of rows (0, 1, 2, ...): they are judged as if a minute lay"
            " between them; give times where it is not a minute"
        )
    elif pace != 1.0:
        say(
            f"{table.name}: rows less than {_CLOSE:g} s apart are judged as if a minute lay between them, which is meant for tables"
            " of hours; give means of a minute where it is days"
        )
    if pace != 1.0 and request.false_alarms_per_week < _EVERY_TWO_HOURS / 2:
        say(
            f"{table.name}: {request.false_alarms_per_week:g} false alarms a week leave hours room for hardly any anomaly;"
            f" --false-alarms-per-week {_EVERY_TWO_HOURS:g} allows one every two hours"
        )
    budget = request.false_alarms_per_week / pace
    engine = Engine(
        series,
        [] if request.group is None else [range(series)],
        Tuning(step=step * pace, false_alarms_per_week=budget, missing=request.missing),
    )
    timeline, lasting = Timeline(table, step, say), Lasting(series, step * pace)
    first = float(begun[0].times[0]) if begun and pace != 1.0 else 0.0  # of such rows hours are counted from the first
    count = readings = alarms = 0
    settled = filled = False  # whether the group has had a threshold, whether any cell holds a value
    for rows in chain(begun, blocks):
        scored = engine.advance(pace * (timeline.place(rows) - first), rows.values)
        if request.group is None:
            scored = lasting.added(scored, rows.values)
        yield csv.lines(rows, scored)
        count += len(rows.lines)
        readings += int(scored.anomaly.sum())
        alarms += int(scored.groups.anomaly.sum())
        settled = settled or bool(np.isfinite(scored.groups.threshold[:, -1:]).any())
        filled = filled or bool(np.isfinite(rows.values).any())
        seen(count)
    if not count:
        note = _NO_ROWS
    elif not filled:
        note = _NO_VALUES
    elif request.group is not None:
        note = f"; {request.group}: {told(alarms, 'row') if settled else _UNSETTLED}"
    else:
        note = ", fewer rows than a series needs to be judged by itself" if count < _FEW else ""
    say(f"{table.name}: {ended(count, readings)}{note}")


def ended(rows: int, readings: int) -> str:
    """Say how many rows there were, and how many values of them are anomalies."""
    anomalies = "an anomaly" if readings == 1 else "anomalies"
    return f"{rows} row{'' if rows == 1 else 's'}, {told(readings, 'value')} {anomalies}"


def told(count: int, noun: str) -> str:
    """Give "1 row is" or "2 rows are"."""
    return f"{count} {noun} is" if count == 1 else f"{count} {noun}s are"
