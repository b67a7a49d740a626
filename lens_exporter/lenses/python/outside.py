"""Publishes other Python processes from outside: what the kernel shows of them, and nothing of their interpreter."""

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client.metrics_core import Metric

from lens_exporter.errors import LensUnavailable
from lens_exporter.lenses.emission import Emission
from lens_exporter.lenses.here import Here, here
from lens_exporter.lenses.python.baseline import BASELINE
from lens_exporter.lenses.python.collect import emit_process
from lens_exporter.lenses.python.families import FAMILIES
from lens_exporter.lenses.python.process import Process, ProcessReader
from lens_exporter.lenses.reading import read
from lens_exporter.model.metric import BaselineMetric

if TYPE_CHECKING:
    from lens_exporter.model.tool import Tool

_SEARCH_EVERY = 30.0  # seconds; reading every command line of a busy host at every scrape would cost more than all the rest
_LOST_AFTER = 5.0  # the same while none is known
_INTERPRETERS = re.compile(r"python|pypy|uwsgi", re.IGNORECASE)


class ProcessLens:
    """One named process, by pid or by a regular expression searched in the command line, which may match several.

    Of one match the label pid stays empty, so that a restart goes on with the same series; several are told apart by it.
    """

    def __init__(
        self,
        process: str,
        *,
        pid: int | None = None,
        match: str | None = None,
        reader: ProcessReader | None = None,
        where: Callable[[], Here] = here,
        clock: Callable[[], float] = time.monotonic,
        loopback_is_here: bool = True,
    ) -> None:
        if (pid is None) == (match is None):
            raise ValueError("give either pid or match")
        self.process = process
        self.name = f"python:{process}"
        self._pattern = None if match is None else re.compile(match)
        self._reader = reader or ProcessReader()
        self._where = where
        self._clock = clock
        self._loopback_is_here = loopback_is_here
        self._pids: tuple[int, ...] = () if pid is None else (pid,)
        self._searched: float | None = None
        self._started: dict[int, float | None] = {}

    def collect(self) -> Iterable[Metric]:
        """Give the families of every process that matches.

        Raises:
            LensUnavailable: there is none.
            OSError: /proc cannot be read.

        """
        seen = self._read_all(self.pids())
        if len(seen) < len(self._pids) and self._may_search(_LOST_AFTER):
            seen = self._read_all(self._search())
        if not seen:
            raise LensUnavailable(lens=self.name, reason=f"no process {self._asked()}")
        emission = Emission(FAMILIES)
        where = self._where()
        for pid, found in seen.items():
            emission.add(
                "lens_python_info",
                1.0,
                hostname=where.hostname,
                implementation="",
                pid=str(pid),
                pid_namespace=where.pid_namespace,
                process=self.process,
                version="",
            )
            emit_process(emission, found, process=self.process, pid=str(pid) if len(seen) > 1 else "")
        emission.add("lens_python_processes", len(seen), process=self.process)
        return emission.families()

    def pids(self) -> tuple[int, ...]:
        """Give the pids that match, searched for anew now and then."""
        return self._search() if self._may_search(_SEARCH_EVERY if self._pids else _LOST_AFTER) else self._pids

    def baseline_metrics(self) -> Sequence[BaselineMetric]:
        return BASELINE

    def tools(self) -> "Sequence[Tool]":
        # psutil is not needed by a scrape.
        from lens_exporter.lenses.locality import locality  # noqa: PLC0415
        from lens_exporter.lenses.python.tools import PythonTools  # noqa: PLC0415

        where = partial(locality, loopback_is_here=self._loopback_is_here)
        return PythonTools(None, {self.process: self.pids}, where=where).all()

    def _asked(self) -> str:
        return f"with pid {self._pids[0]}" if self._pattern is None else f"matches {self._pattern.pattern!r}"

    def _may_search(self, every: float) -> bool:
        due = self._searched is None or self._clock() - self._searched >= every
        return self._pattern is not None and due

    def _search(self) -> tuple[int, ...]:
        if self._pattern is None:
            return self._pids
        self._searched = self._clock()
        matching = [pid for pid, command in _commands(self._reader.proc) if self._pattern.search(command)]
        # A shell, an editor or `sudo` around the program has its name in the command line too.
        interpreters = [pid for pid in matching if _INTERPRETERS.search(_program(self._reader.proc, pid))]
        self._pids = tuple(sorted(interpreters or matching))
        return self._pids

    def _read_all(self, pids: Iterable[int]) -> dict[int, Process]:
        found = {}
        for pid in pids:
            try:
                seen = self._reader.read(str(pid))
            except LensUnavailable:
                continue  # it has ended; the others are still worth reading
            if self._pattern is None and self._started.setdefault(pid, seen.started_at) != seen.started_at:
                continue  # the configured process has ended, and its pid went to another one
            found[pid] = seen
        return found


def _commands(proc: Path) -> Iterator[tuple[int, str]]:
    for entry in os.listdir(proc):  # noqa: PTH208 - thousands of names need no Path each
        if entry.isdigit() and int(entry) != os.getpid():
            text = read(proc / entry / "cmdline")
            if text:  # kernel threads and exited processes have none
                yield int(entry), text.replace("\0", " ").strip()


def _program(proc: Path, pid: int) -> str:
    """Name the program file of a process; of another user's process only its first word can be seen."""
    try:
        return os.readlink(proc / str(pid) / "exe").rpartition("/")[2]  # noqa: PTH115 - as above
    except OSError:
        return (read(proc / str(pid) / "cmdline") or "").partition("\0")[0].rpartition("/")[2]
