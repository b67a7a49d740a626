"""One process as the kernel shows it under /proc, and the limits that hold for it."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lens_exporter.errors import LensUnavailable
from lens_exporter.lenses.cgroup import Cgroup, tightest
from lens_exporter.lenses.emission import Usage
from lens_exporter.lenses.reading import keyed, limit, number, read

_KIB = 1024
_GONE = frozenset("ZXx")  # exited: what is left is an entry for the parent to read


@dataclass(frozen=True, slots=True)
class Stat:
    """The fields of /proc/PID/stat used here (proc(5)); memory in pages, times in clock ticks."""

    state: str
    cpu_ticks: float
    threads: float
    start_ticks: float
    resident_pages: float


@dataclass(frozen=True, slots=True)
class Process:
    """A process now. None for what this reader may not see; never zero instead."""

    memory: Usage  # bytes
    memory_limit_source: str  # cgroup, rlimit or host; "" without a limit
    open_fds: Usage
    threads: Usage
    cpu_seconds: float
    started_at: float | None  # Unix seconds


def stat(text: str) -> Stat:
    """Read /proc/PID/stat.

    Raises:
        ValueError: it is not of that form.

    """
    _, parenthesis, rest = text.rpartition(")")  # the command's own name may hold parentheses and spaces
    words = rest.split()
    if not parenthesis or len(words) < 22:
        raise ValueError("stat of a process has fewer fields than the kernel writes")
    return Stat(words[0], number(words[11]) + number(words[12]), number(words[17]), number(words[19]), number(words[21]))


def limits(text: str) -> dict[str, float | None]:
    """Read /proc/PID/limits: the soft limit by its name, None for unlimited.

    Raises:
        ValueError: a limit is not a number.

    """
    found: dict[str, float | None] = {}
    for line in text.splitlines()[1:]:
        name, values = line[:26].strip(), line[26:].split()
        if name and values:
            found[name] = limit(values[0])
    return found


def count_descriptors(path: Path) -> int:
    """Count /proc/PID/fd. Since Linux 6.2 its size is the count; before that the size is 0 and the names are counted.

    Raises:
        OSError: it cannot be seen (another user's process, or one that has just ended).

    """
    return path.stat().st_size or len(os.listdir(path))  # noqa: PTH208 - thousands of names need no Path each


class ProcessReader:
    """Reads processes under `proc`. The texts decide; nothing is asked of the process itself."""

    def __init__(
        self,
        *,
        proc: Path = Path("/proc"),
        sys: Path = Path("/sys"),
        ticks: int | None = None,
        page: int | None = None,
        count: Callable[[Path], int] = count_descriptors,
    ) -> None:
        self.proc = proc
        self._sys = sys
        self._ticks = ticks or os.sysconf("SC_CLK_TCK")
        self._page = page or os.sysconf("SC_PAGE_SIZE")
        self._count = count

    def read(self, process: str = "self") -> Process:
        """Read one process by pid, or this one.

        Raises:
            LensUnavailable: there is no such process, or it has exited and waits for its parent.
            OSError: its files cannot be read.
            ValueError: a file is not of its form.

        """
        told = self._stat(process)
        own = limits(read(self.proc / process / "limits") or "")
        cgroup = Cgroup.of(process, proc=self.proc, sys=self._sys)
        most, source = self._memory_limit(own, cgroup)
        found = Process(
            memory=Usage(told.resident_pages * self._page, most),
            memory_limit_source=source,
            open_fds=Usage(self._open_fds(process), own.get("Max open files")),
            threads=Usage(told.threads, self._threads_limit(cgroup)),
            cpu_seconds=told.cpu_ticks / self._ticks,
            started_at=self._started(told.start_ticks),
        )
        # A process that ends between two files would else seem to have lost its limits.
        if self._stat(process).start_ticks != told.start_ticks:
            raise LensUnavailable(lens="python", reason=f"process {process} ended while it was read")
        return found

    def _stat(self, process: str) -> Stat:
        text = read(self.proc / process / "stat")
        if text is None:
            raise LensUnavailable(lens="python", reason=f"process {process} does not exist")
        told = stat(text)
        if told.state in _GONE:
            raise LensUnavailable(lens="python", reason=f"process {process} has exited")
        return told

    def _memory_limit(self, own: Mapping[str, float | None], cgroup: Cgroup) -> tuple[float | None, str]:
        """Find the lowest limit. RLIMIT_AS limits address space, which is never less than what is resident."""
        known = {
            "cgroup": tightest(cgroup.memory()),
            "rlimit": own.get("Max address space"),
            "host": keyed(read(self.proc / "meminfo") or "").get("MemTotal", 0.0) * _KIB or None,
        }
        finite = [(value, source) for source, value in known.items() if value is not None]
        return min(finite) if finite else (None, "")

    def _threads_limit(self, cgroup: Cgroup) -> float | None:
        known = [tightest(cgroup.pids())]
        for path in ("sys/kernel/pid_max", "sys/kernel/threads-max"):
            text = read(self.proc / path)
            known.append(None if text is None else number(text))
        return min((value for value in known if value is not None), default=None)

    def _open_fds(self, process: str) -> float | None:
        try:
            return float(self._count(self.proc / process / "fd"))
        except (PermissionError, FileNotFoundError, ProcessLookupError):
            return None

    def _started(self, ticks: float) -> float | None:
        boot = keyed(read(self.proc / "stat") or "").get("btime")
        return None if boot is None else boot + ticks / self._ticks
