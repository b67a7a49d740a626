"""The processes of this host, ranked by what they use."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import psutil

from lens_exporter.lenses.commandline import redacted, shown

_SAMPLE = 0.3  # seconds between the two readings that CPU use needs


class SortBy(StrEnum):
    MEMORY = "memory"
    CPU = "cpu"
    DESCRIPTORS = "descriptors"


@dataclass(frozen=True, slots=True)
class Row:
    """One process. None for what belongs to another user and may not be seen."""

    pid: int
    name: str
    command: str  # secrets removed
    memory_bytes: int | None
    cpu_seconds: float | None
    cpu_cores: float | None  # over the last moment; only when sorted by it
    open_files: int | None  # only when sorted by it
    threads: int | None
    started_at: float | None  # Unix seconds


def read_processes(sort_by: SortBy, *, sleep: Callable[[float], None] = time.sleep) -> list[Row]:
    """Read every process, the one that uses most first, those that may not be seen last. Walks all of /proc: not for a scrape."""
    before: dict[int, float] = {}
    if sort_by is SortBy.CPU:
        before = _cpu_seconds()
        sleep(_SAMPLE)
    fields = ["pid", "name", "cmdline", "memory_info", "cpu_times", "num_threads", "create_time"]
    if sort_by is SortBy.DESCRIPTORS:
        fields.append("num_fds")
    rows = [_row(process.info, before.get(process.pid)) for process in psutil.process_iter(fields)]
    return ranked(rows, sort_by)


def ranked(rows: Sequence[Row], sort_by: SortBy) -> list[Row]:
    """Order rows by one column, the most first, unknown values last, equal ones by pid."""

    def key(row: Row) -> tuple[float, int]:
        value = {SortBy.MEMORY: row.memory_bytes, SortBy.CPU: row.cpu_cores, SortBy.DESCRIPTORS: row.open_files}[sort_by]
        return (1.0 if value is None else -value, row.pid)

    return sorted(rows, key=key)


def _cpu_seconds() -> dict[int, float]:
    times = {process.pid: process.info["cpu_times"] for process in psutil.process_iter(["cpu_times"])}
    return {pid: told.user + told.system for pid, told in times.items() if told is not None}


def _row(info: Mapping[str, Any], cpu_before: float | None) -> Row:
    """Make a row of what psutil could read; it gives None for what is denied."""
    times = info["cpu_times"]
    seconds = None if times is None else times.user + times.system
    return Row(
        pid=info["pid"],
        name=shown(info["name"] or ""),
        command=redacted(info["cmdline"] or [], 200),
        memory_bytes=None if info["memory_info"] is None else info["memory_info"].rss,
        cpu_seconds=seconds,
        cpu_cores=None if seconds is None or cpu_before is None else max(seconds - cpu_before, 0.0) / _SAMPLE,
        open_files=info.get("num_fds"),
        threads=info["num_threads"],
        started_at=info["create_time"],
    )
