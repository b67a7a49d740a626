"""Live, read-only questions about this host. Answers are bounded, and numbers to cite are in `seen`."""

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pydantic import Field

from lens_exporter.lenses.commandline import shown
from lens_exporter.lenses.emission import Usage
from lens_exporter.lenses.host import kernel
from lens_exporter.lenses.host.processes import Row, SortBy, read_processes
from lens_exporter.lenses.locality import Locality, Where, locality
from lens_exporter.lenses.reading import keyed, read
from lens_exporter.model.labels import selector
from lens_exporter.model.tool import Tool, ToolResult, ToolStatus

if TYPE_CHECKING:
    from lens_exporter.lenses.host.collect import HostLens

_MEMORY_FIELDS = (
    "MemTotal MemFree MemAvailable Buffers Cached SReclaimable AnonPages Shmem Slab SUnreclaim KernelStack PageTables Dirty"
    " SwapTotal SwapFree Committed_AS CommitLimit"
)
_MOST_DISKS = 50
Answer = Callable[[Any], ToolResult]


class TopProcesses(Where, extra="forbid"):
    sort_by: SortBy = SortBy.MEMORY
    limit: int = Field(10, ge=1, le=50)
    offset: int = Field(0, ge=0, le=100_000)


class DiskUsage(Where, extra="forbid"):
    mountpoint: str | None = Field(None, max_length=4096, description="only the file system mounted here")


class HostTools:
    """The tools of a host lens."""

    def __init__(
        self,
        lens: "HostLens",
        *,
        where: Callable[[], Locality] = locality,
        processes: Callable[[SortBy], list[Row]] = read_processes,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._lens = lens
        self._where = where
        self._processes = processes
        self._clock = clock

    def all(self) -> tuple[Tool, ...]:
        """Give the tools."""
        rows = (
            (
                "get_overview",
                "How full this host is now: memory, swap, CPU, open files, threads, disks, load, pressure.",
                self._overview,
                Where,
            ),
            (
                "get_system_info",
                "This host: name, kernel, cores, memory, uptime, and the container or service limits around lens-exporter.",
                self._system_info,
                Where,
            ),
            (
                "get_memory_stats",
                "What this host's memory is used for, in bytes, and how often the kernel killed a process for want of it.",
                self._memory_stats,
                Where,
            ),
            (
                "get_top_processes",
                "Processes of this host that use most memory, CPU or file descriptors.",
                self._top_processes,
                TopProcesses,
            ),
            (
                "get_disk_usage",
                "Space and inodes of each file system of this host, and which of them do not answer.",
                self._disk_usage,
                DiskUsage,
            ),
        )
        return tuple(Tool(name, description, self._about_this_host(answer), kind) for name, description, answer, kind in rows)

    def _about_this_host(self, answer: Answer) -> Callable[[Any], ToolResult]:
        def call(arguments: Any) -> ToolResult:
            reason = self._where().elsewhere(arguments)
            return ToolResult(ToolStatus.UNAVAILABLE, note=reason) if reason else answer(arguments)

        return call

    def _overview(self, arguments: Where) -> ToolResult:  # noqa: ARG002 - one signature for all answers
        numbers = {
            selector(sample.labels, metric=sample.name): float(sample.value)
            for family in self._lens.collect()
            for sample in family.samples
        }
        return ToolResult(ToolStatus.DATA, {"hostname": self._where().here.hostname, "metrics": numbers}, seen=numbers)

    def _system_info(self, arguments: Where) -> ToolResult:  # noqa: ARG002 - as above
        system = platform.uname()
        boot = keyed(self._lens.text("stat")).get("btime")
        quota = self._lens.cgroup().cpu()
        numbers = {
            "cores": float(self._lens.cores()),
            "memory_bytes": kernel.memory(self._lens.text("meminfo")).usage.limit,
            "booted_at": boot,
            "uptime_seconds": None if boot is None else self._clock() - boot,
            "cgroup_cpu_cores": None if quota is None else quota.cores,
        }
        data = {
            "hostname": self._where().here.hostname,
            "system": system.system,
            "kernel": system.release,
            "machine": system.machine,
            **numbers,
        }
        return ToolResult(ToolStatus.DATA, data, seen=_known(numbers))

    def _memory_stats(self, arguments: Where) -> ToolResult:  # noqa: ARG002 - as above
        fields = kernel.memory(self._lens.text("meminfo")).fields
        numbers = {f"{name}_bytes": fields.get(name) for name in _MEMORY_FIELDS.split()}
        numbers["oom_kills"] = keyed(read(self._lens.proc / "vmstat") or "").get("oom_kill")
        levels = [_written(level) for level in self._lens.cgroup().memory() if level.limit is not None]
        for number, level in enumerate(levels):
            numbers |= {f"cgroup{number}_{name}": value for name, value in level.items()}
        seen = _known(numbers)
        return ToolResult(ToolStatus.DATA, {"hostname": self._where().here.hostname, **seen}, seen=seen)

    def _top_processes(self, arguments: TopProcesses) -> ToolResult:
        rows = self._processes(arguments.sort_by)
        page = rows[arguments.offset : arguments.offset + arguments.limit]
        memory = float(sum(row.memory_bytes or 0 for row in rows))
        data = {
            "hostname": self._where().here.hostname,
            "sort_by": arguments.sort_by.value,
            "limit": arguments.limit,
            "offset": arguments.offset,
            "total": len(rows),
            "memory_bytes": memory,
            "processes": [asdict(row) for row in page],
        }
        if not page:
            return ToolResult(ToolStatus.EMPTY, data, f"there are {len(rows)} processes, offset {arguments.offset} is behind them")
        seen = {"total": float(len(rows)), "memory_bytes": memory}
        for row in page:
            numbers = {
                "memory_bytes": row.memory_bytes,
                "cpu_cores": row.cpu_cores,
                "open_files": row.open_files,
                "threads": row.threads,
            }
            seen |= {f"pid:{row.pid}:{name}": float(value) for name, value in numbers.items() if value is not None}
        left_out = len(rows) - arguments.offset - len(page)
        if left_out > 0:
            note = f"{left_out} more processes; ask with offset {arguments.offset + len(page)}"
            return ToolResult(ToolStatus.TRUNCATED, data, note, seen)
        return ToolResult(ToolStatus.DATA, data, seen=seen)

    def _disk_usage(self, arguments: DiskUsage) -> ToolResult:
        disks = [pair for pair in self._lens.disks() if arguments.mountpoint in {None, pair[0].mountpoint}]
        if not disks:
            return ToolResult(ToolStatus.EMPTY, note="no file system that can fill up is mounted there")
        rows: list[dict[str, Any]] = []
        seen: dict[str, float] = {}
        for mount, space in disks[:_MOST_DISKS]:
            row: dict[str, Any] = {"mountpoint": shown(mount.mountpoint), "device": shown(mount.source), "fstype": mount.fstype}
            row["answers"] = space is not None
            if space is not None:
                numbers = _known({**_written(space.space), **{f"inodes_{k}": v for k, v in _written(space.inodes).items()}})
                row |= numbers
                seen |= {f"{row['mountpoint']}:{name}": value for name, value in numbers.items()}
            rows.append(row)
        data = {"hostname": self._where().here.hostname, "file_systems": rows}
        left_out = len(disks) - len(rows)
        if left_out:
            return ToolResult(ToolStatus.TRUNCATED, data, f"{left_out} more file systems; ask for one mountpoint", seen)
        return ToolResult(ToolStatus.DATA, data, seen=seen)


def _written(usage: Usage) -> dict[str, float | None]:
    return {"used": usage.used, "limit": usage.limit, "utilization": usage.ratio}


def _known(numbers: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in numbers.items() if value is not None}
