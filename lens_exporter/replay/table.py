"""A CSV table of series, read in blocks as it arrives: from a file, or from a pipe that is slower than we are."""

import csv
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lens_exporter.errors import TableInvalid
from lens_exporter.model.window import FloatArray
from lens_exporter.replay.cells import moment, number, shown
from lens_exporter.replay.lines import Lines, Source

TIMESTAMP = "timestamp"
_POINTS = 65_536  # values of a block at most: what is read ahead, whatever the length of the table
_SEPARATORS = {";": "semicolons", "\t": "tabs"}  # as spreadsheets write where numbers have a comma
_PLAIN = re.compile(r"[0-9.eE+-]*").fullmatch  # cells in which float() and a person see the same


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A block of rows as given, and what they mean.

    times are Unix seconds [time]; values is [series, time], NaN for a gap. stamps [time] and cells [time][series] are the
    texts of the table, the cell of a gap empty; lines [time] says where each row begins.
    """

    stamps: Sequence[str]
    times: FloatArray
    cells: Sequence[Sequence[str]]
    values: FloatArray
    lines: Sequence[int]


class Table:
    """The series of one table. `blocks` may be read once.

    A block ends where a reader would have to wait for more, so a slow pipe is answered row by row.

    Raises:
        TableInvalid: the header, or later a row, is wrong; names file, line and column. TableUnreadable: it cannot be read.

    """

    def __init__(self, name: str, source: Source, *, points: int = _POINTS) -> None:
        self.name = name
        self._lines = Lines(name, source)
        self._reader = csv.reader(self._lines, strict=True)
        self.header_line, self.series = self._header()
        self._limit = max(1, points // len(self.series))

    def blocks(self) -> Iterator[Rows]:
        """Give the rows in the order of the table."""
        stamps: list[str] = []
        times: list[float] = []
        cells: list[list[str]] = []
        values: list[list[float]] = []
        lines: list[int] = []
        for line, row in self._rows():
            if row:  # an empty line is no row, but it may be the last that has arrived
                stamp, *texts = self._whole(row, line)
                times.append(self._time(stamp, line))
                values.append(self._values(texts, line))
                stamps.append(stamp)
                cells.append(texts)
                lines.append(line)
            if lines and (len(lines) == self._limit or self._lines.drained):
                yield Rows(stamps, np.array(times), cells, np.array(values).T.copy(), lines)
                stamps, times, cells, values, lines = [], [], [], [], []

    def wrong_cell(self, line: int, column: int, problem: str) -> TableInvalid:
        """Name a cell in what is wrong with it. Columns count from 1, which is `timestamp`."""
        name = TIMESTAMP if column == 1 else self.series[column - 2]
        return TableInvalid(where=f"{self.name}:{line}", problem=f"column {column} ({name}): {problem}")

    def _header(self) -> tuple[int, tuple[str, ...]]:
        line, header = next(((line, row) for line, row in self._rows() if row), (1, []))
        names = [name.strip() for name in header]
        problem = _wrong_header(names)
        if problem:
            raise TableInvalid(where=f"{self.name}:{line}", problem=problem)
        return line, tuple(names[1:])

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        while True:
            line = self._reader.line_num + 1
            try:
                row = next(self._reader, None)
            except csv.Error as error:
                raise TableInvalid(where=f"{self.name}:{line}", problem=f"not CSV: {self._unread(error)}") from error
            if row is None:
                return
            yield line, row

    def _unread(self, error: csv.Error) -> str:
        """Say what is wrong with a line: of lines that end as an old Mac's did the module speaks to programmers."""
        old = "\r" in self._lines.latest.rstrip("\r\n")
        return "lines end in a carriage return alone, expected a line feed" if old else str(error)

    def _whole(self, row: list[str], line: int) -> list[str]:
        if len(row) != len(self.series) + 1:
            problem = f"expected {len(self.series) + 1} cells as in the header, got {len(row)}"
            raise TableInvalid(where=f"{self.name}:{line}", problem=problem)
        return row

    def _time(self, stamp: str, line: int) -> float:
        try:
            return moment(stamp)
        except ValueError as error:
            raise self.wrong_cell(line, 1, f"expected {error}, got {shown(stamp)}") from error

    def _values(self, texts: list[str], line: int) -> list[float]:
        """Read the cells of a row; those of gaps are emptied."""
        if _PLAIN("".join(texts)):
            try:
                found = list(map(float, texts))
                if all(map(math.isfinite, found)):
                    return found
            except ValueError:
                pass  # an empty cell, or one that is no number: which, is found one by one
        found = []
        for index, text in enumerate(texts):
            try:
                value = number(text)
            except ValueError as error:
                raise self.wrong_cell(line, index + 2, f"expected a number, or nothing for a gap, got {shown(text)}") from error
            texts[index] = "" if math.isnan(value) else text.strip()
            found.append(value)
        return found


def _wrong_header(names: list[str]) -> str:
    """Say what is wrong with a header, or nothing."""
    if not names:
        return f"empty; expected a header such as {TIMESTAMP},cpu,memory"
    separator = next((mark for mark in _SEPARATORS if len(names) == 1 and mark in names[0]), "")
    if separator:
        return f"cells are separated by {_SEPARATORS[separator]}: expected commas, and a point in numbers"
    if names[0] != TIMESTAMP:
        return f"column 1: expected {TIMESTAMP}, got {shown(names[0])}"
    if len(names) == 1:
        return f"no series: {TIMESTAMP} is the only column"
    if "" in names:
        return f"column {names.index('') + 1} has no name"
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        again = names.index(name, names.index(name) + 1)
        return f"column {again + 1} ({name}): column {names.index(name) + 1} has the same name"
    return ""
