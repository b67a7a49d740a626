"""Incidents that people know of, read from a CSV, YAML or JSON file."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from lens_exporter.config.tree import parse
from lens_exporter.errors import TableInvalid, TableUnreadable
from lens_exporter.model.matcher import Matcher
from lens_exporter.replay.backtest.matchers import EXPECTED, matcher, matchers_of
from lens_exporter.replay.cells import moment, shown

_COLUMNS = ("start", "end", "name", "matchers")
_NEEDED = _COLUMNS[:2]


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that was wrong from start to end (Unix seconds). Without matchers any alert may be about it."""

    start: float
    end: float
    name: str = ""
    matchers: tuple[Matcher, ...] = ()


def read_incidents(path: Path) -> tuple[Incident, ...]:
    """Read incidents, earliest first, from a file whose name ends in .csv, .yaml, .yml or .json.

    CSV has a header; YAML and JSON are a list of mappings, or hold one under "incidents". Their keys are start, end and, if known,
    name and matchers.

    Raises:
        TableUnreadable, TableInvalid: with file and line.

    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise TableUnreadable(where=path, reason=error.strerror or error) from error
    except UnicodeDecodeError as error:
        raise TableInvalid(where=path, problem=f"not UTF-8 text: byte {error.start}") from error
    kinds = {".csv": _csv, ".yaml": _tree, ".yml": _tree, ".json": _tree}
    read = kinds.get(path.suffix.lower())
    if read is None:
        raise TableInvalid(where=path, problem=f"expected a file whose name ends in {', '.join(kinds)}")
    return tuple(sorted((_incident(path, line, given) for line, given in read(path, text)), key=lambda one: (one.start, one.end)))


def _csv(path: Path, text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.reader(io.StringIO(text), strict=True)
    try:
        header = [cell.strip().lower() for cell in next(reader, [])]
        _expect_columns(f"{path}:1", header)
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) > len(header):
                raise TableInvalid(where=f"{path}:{reader.line_num}", problem=f"{len(row)} cells, the header has {len(header)}")
            yield reader.line_num, dict(zip(header, row, strict=False))
    except csv.Error as error:
        raise TableInvalid(where=f"{path}:{reader.line_num}", problem=f"not CSV: {error}") from error


def _expect_columns(where: str, header: list[str]) -> None:
    unknown = [name for name in header if name not in _COLUMNS]
    missing = [name for name in _NEEDED if name not in header]
    if unknown or missing:
        said = f"no column {missing[0]}" if missing else f"an unknown column {shown(unknown[0])}"
        raise TableInvalid(where=where, problem=f"{said}; expected a header of start, end and, if known, name and matchers")


def _tree(path: Path, text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    tree = parse(text.replace("\t", " ") if path.suffix.lower() == ".json" else text)  # YAML takes no tabs, JSON any
    if tree.problems:
        problem = tree.problems[0]
        raise TableInvalid(where=f"{path}:{problem.line or tree.line(problem.key)}", problem=problem.text)
    nested = isinstance(tree.value, dict) and "incidents" in tree.value
    listed, here = (tree.value["incidents"], ("incidents",)) if nested else (tree.value, ())
    if not isinstance(listed, list):
        raise TableInvalid(where=path, problem="expected a list of incidents, each with start and end")
    for index, given in enumerate(listed):
        line = tree.line((*here, index))
        if not isinstance(given, dict):
            raise TableInvalid(where=f"{path}:{line}", problem="expected an incident with start and end")
        _expect_columns(f"{path}:{line}", list(given))
        yield line, given


def _incident(path: Path, line: int, given: Mapping[str, Any]) -> Incident:
    where = f"{path}:{line}"
    try:
        start, end = (_moment(key, given.get(key)) for key in _NEEDED)
        matchers = _matchers(given.get("matchers"))
    except ValueError as error:
        raise TableInvalid(where=where, problem=error) from error
    if end < start:
        raise TableInvalid(where=where, problem="the incident ends before it starts")
    return Incident(start, end, str(given.get("name") or "").strip(), matchers)


def _moment(key: str, given: Any) -> float:
    text = given.isoformat() if isinstance(given, date | datetime) else str("" if given is None else given)
    try:
        return moment(text)
    except ValueError as error:
        raise ValueError(f"{key}: expected {error}, got {shown(text)}") from error


def _matchers(given: Any) -> tuple[Matcher, ...]:
    """Read matchers given as text, as a list of texts, or as labels and their values."""
    if given is None or isinstance(given, str):
        return matchers_of(given or "")
    if isinstance(given, list) and all(isinstance(one, str) for one in given):
        return tuple(found for one in given for found in matchers_of(one))
    if isinstance(given, dict):
        return tuple(matcher(name, str(value)) for name, value in given.items())
    raise ValueError(EXPECTED)
