"""Live, read-only questions about Python processes of this host. Answers are bounded, and numbers to cite are in `seen`."""

import gc
import os
import sys
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import PurePath
from typing import Any

import psutil
from pydantic import Field

from lens_exporter.errors import LensUnavailable
from lens_exporter.lenses.commandline import redacted, shown
from lens_exporter.lenses.locality import Locality, Where, address, locality
from lens_exporter.lenses.python.collect import PythonProcess
from lens_exporter.lenses.python.open_files import read_open_files
from lens_exporter.lenses.python.process import ProcessReader
from lens_exporter.lenses.python.sockets import read_sockets, summarise
from lens_exporter.lenses.python.stacks import read_stacks
from lens_exporter.lenses.python.traces import top
from lens_exporter.model.tool import Tool, ToolResult, ToolStatus

_OWN_ONLY = "needs lens_exporter.instrument() in that process, which publishes it as lens_python_* metrics: query those instead"


Answer = Callable[[int, Any], ToolResult]  # of a pid and the arguments


class Which(Where, extra="forbid"):
    """Which process. A pid counts only on the host and in the pid namespace it was seen in."""

    pid: int | None = Field(None, gt=0, description="from get_top_processes, or the label pid of lens_python_info")
    process: str | None = Field(None, max_length=200, description="label process, or the name of a program; used without pid")
    pid_namespace: str | None = Field(None, max_length=100, description="label pid_namespace of lens_python_info")


class WhichAndLimit(Which, extra="forbid"):
    limit: int = Field(20, ge=1, le=50, description="most rows to give")


class PythonTools:
    """own is the lens of this process, if it is published; named gives pids of processes by their configured names."""

    def __init__(
        self,
        own: PythonProcess | None,
        named: Mapping[str, Callable[[], Sequence[int]]],
        *,
        where: Callable[[], Locality] = locality,
        reader: ProcessReader | None = None,
    ) -> None:
        self._own = own
        self._named = dict(named)
        if own is not None:
            self._named[own.process] = _this
        self._where = where
        self._reader = reader or ProcessReader()

    def all(self) -> tuple[Tool, ...]:
        """Give the tools."""
        rows: tuple[tuple[str, str, Answer, type[Which]], ...] = (
            (
                "get_process",
                "One process: memory, open files, threads, CPU time, start time, command line without secrets.",
                self._process,
                Which,
            ),
            (
                "get_open_files",
                "Open files of a process, grouped into path patterns with counts (/tmp/export-*.csv: 1402); shows leaks.",
                self._open_files,
                WhichAndLimit,
            ),
            (
                "get_sockets",
                "Internet sockets of a process: counts by state, by whom it connects to, and by who connects to it.",
                self._sockets,
                WhichAndLimit,
            ),
            (
                "get_thread_stacks",
                "Where the threads of lens-exporter's own process stand; not available for other processes.",
                self._own_only(_thread_stacks),
                WhichAndLimit,
            ),
            (
                "get_gc_stats",
                "Garbage collector of lens-exporter's own process: collections, pauses, objects by generation.",
                self._own_only(self._gc_stats),
                Which,
            ),
            (
                "get_tracemalloc_top",
                "Lines of code of lens-exporter's own process that hold most memory, while tracemalloc is on.",
                self._own_only(_tracemalloc_top),
                WhichAndLimit,
            ),
        )
        return tuple(Tool(name, description, self._about_a_process(answer), kind) for name, description, answer, kind in rows)

    def _about_a_process(self, answer: Answer) -> Callable[[Which], ToolResult]:
        """Find the process first, and answer for the ways in which it may not be there to be seen."""

        def call(arguments: Which) -> ToolResult:
            where = self._where()
            reason = where.elsewhere(arguments) or _other_namespace(arguments.pid_namespace, where.here.pid_namespace)
            if reason:
                return ToolResult(ToolStatus.UNAVAILABLE, note=reason)
            pid = self._find(arguments)
            if isinstance(pid, ToolResult):
                return pid
            try:
                result = answer(pid, arguments)
            except (psutil.NoSuchProcess, ProcessLookupError, FileNotFoundError, LensUnavailable):
                return ToolResult(ToolStatus.EMPTY, note=f"process {pid} does not run on {where.here.hostname} (any more)")
            except (psutil.AccessDenied, PermissionError):
                note = f"process {pid} belongs to another user; lens-exporter may not look into it"
                return ToolResult(ToolStatus.UNAVAILABLE, note=note)
            data = {"hostname": where.here.hostname, "pid": pid, **(result.data or {})}
            return replace(result, data=data) if result.holds else result

        return call

    def _find(self, arguments: Which) -> int | ToolResult:
        """Find the pid: as given, by a configured name, by the port of the instance, or by the name of a running program."""
        if arguments.pid is not None:
            return arguments.pid
        name = arguments.process
        pids: Sequence[int] = ()
        if name is not None and name in self._named:
            pids = self._named[name]()
        else:
            serving = _listening(address(arguments.instance)[1])
            # lens-exporter publishes others beside itself: then the name tells which, not the port.
            pids = serving if name is None or serving != [os.getpid()] else []
            if not pids and name is not None:
                pids = _running(name)
        if len(pids) == 1:
            return pids[0]
        asked = f"process {shown(name)!r}" if name is not None else f"instance {arguments.instance}"
        if pids:
            listed = ", ".join(map(str, pids[:20]))
            return ToolResult(ToolStatus.ERROR, note=f"{len(pids)} processes are {asked}; ask again with one pid of: {listed}")
        if name is None and arguments.instance is None:
            return ToolResult(ToolStatus.ERROR, note="say which process: pid, process, or the target's instance")
        return ToolResult(
            ToolStatus.EMPTY, note=f"no {asked} is to be seen here; the series lens_python_info tells its pid and hostname"
        )

    def _own_only(self, answer: Answer) -> Answer:
        def guarded(pid: int, arguments: Which) -> ToolResult:
            return answer(pid, arguments) if pid == os.getpid() else ToolResult(ToolStatus.UNAVAILABLE, note=_OWN_ONLY)

        return guarded

    def _process(self, pid: int, arguments: Which) -> ToolResult:  # noqa: ARG002 - one signature for all answers
        told = psutil.Process(pid)
        seen = self._reader.read(str(pid))
        data = {
            "name": shown(told.name()),
            "command": redacted(told.cmdline()),
            "user": _unless_denied(told.username),
            "status": told.status(),
            "parent": told.ppid(),
            "memory_limit_source": seen.memory_limit_source,
        }
        numbers = {
            "memory_bytes": seen.memory.used,
            "memory_limit_bytes": seen.memory.limit,
            "open_files": seen.open_fds.used,
            "open_files_limit": seen.open_fds.limit,
            "threads": seen.threads.used,
            "cpu_seconds": seen.cpu_seconds,
            "started_at": seen.started_at,
        }
        return ToolResult(ToolStatus.DATA, {**data, **numbers}, seen=_known(numbers))

    def _open_files(self, pid: int, arguments: WhichAndLimit) -> ToolResult:
        found = read_open_files(self._reader.proc, pid)
        groups = found.groups[: arguments.limit]
        limit = self._reader.read(str(pid)).open_fds.limit
        data = {
            "open_files": found.total,
            "limit": limit,
            "kinds": found.kinds,
            "deleted": found.deleted,
            "patterns": [asdict(group) for group in groups],
        }
        seen: dict[str, float | None] = {"open_files": float(found.total), "limit": limit, "deleted": float(found.deleted)}
        seen |= {kind: float(count) for kind, count in found.kinds.items()}
        seen |= {f"pattern:{group.pattern}": float(group.count) for group in groups}
        left_out = len(found.groups) - len(groups)
        notes = [f"{left_out} more patterns"] * bool(left_out) + [f"{found.unread} descriptors not read"] * bool(found.unread)
        return ToolResult(ToolStatus.TRUNCATED if notes else ToolStatus.DATA, data, "; ".join(notes), _known(seen))

    def _sockets(self, pid: int, arguments: WhichAndLimit) -> ToolResult:
        found = summarise(read_sockets(pid))
        if not found.total:
            return ToolResult(ToolStatus.EMPTY, note=f"process {pid} has no internet sockets")
        outgoing, more_out = _most(found.outgoing, arguments.limit)
        incoming, more_in = _most(found.incoming, arguments.limit)
        data = {
            "sockets": found.total,
            "states": found.states,
            "listening": found.listening[: arguments.limit],
            "outgoing": outgoing,
            "incoming": incoming,
        }
        seen = {"sockets": float(found.total)}
        for prefix, counts in (("state", found.states), ("outgoing", outgoing), ("incoming", incoming)):
            seen |= {f"{prefix}:{name}": float(count) for name, count in counts.items()}
        note = f"{more_out} more outgoing and {more_in} more incoming addresses" if more_out or more_in else ""
        return ToolResult(ToolStatus.TRUNCATED if note else ToolStatus.DATA, data, note, seen)

    def _gc_stats(self, pid: int, arguments: Which) -> ToolResult:  # noqa: ARG002 - one signature for all answers
        generations: list[dict[str, float]] = [
            {**told, "objects_waiting": waiting, "threshold": threshold}
            for told, waiting, threshold in zip(gc.get_stats(), gc.get_count(), gc.get_threshold(), strict=True)
        ]
        if self._own is not None and self._own.pauses.installed:
            for generation, counts, seconds in zip(generations, self._own.pauses.counts, self._own.pauses.seconds, strict=True):
                generation |= {"pauses": sum(counts), "pause_seconds": seconds}
        blocks = sys.getallocatedblocks()
        data = {"enabled": gc.isenabled(), "allocated_blocks": blocks, "generations": generations}
        seen = {"allocated_blocks": float(blocks)}
        for number, generation in enumerate(generations):
            seen |= {f"generation{number}_{name}": float(value) for name, value in generation.items()}
        return ToolResult(ToolStatus.DATA, data, seen=seen)


def _thread_stacks(pid: int, arguments: WhichAndLimit) -> ToolResult:  # noqa: ARG001 - one signature for all answers
    stacks = read_stacks()
    threads = sum(len(stack.threads) for stack in stacks)
    data = {"threads": threads, "stacks": [asdict(stack) for stack in stacks[: arguments.limit]]}
    seen = {"threads": float(threads)}
    for stack in stacks[: arguments.limit]:
        place = f"at:{stack.frames[0] if stack.frames else 'unknown'}"
        seen[place] = seen.get(place, 0.0) + len(stack.threads)
    left_out = len(stacks) - arguments.limit
    if left_out > 0:
        return ToolResult(ToolStatus.TRUNCATED, data, f"{left_out} more stacks", seen)
    return ToolResult(ToolStatus.DATA, data, seen=seen)


def _tracemalloc_top(pid: int, arguments: WhichAndLimit) -> ToolResult:  # noqa: ARG001 - one signature for all answers
    if not tracemalloc.is_tracing():
        return ToolResult(ToolStatus.UNAVAILABLE, note="tracemalloc is off; start the process with PYTHONTRACEMALLOC=1")
    size, peak = tracemalloc.get_traced_memory()
    lines = top(arguments.limit)
    seen = {"traced_bytes": float(size), "peak_bytes": float(peak)} | {f"at:{line.location}": line.size for line in lines}
    return ToolResult(ToolStatus.DATA, {"traced_bytes": size, "top": [asdict(line) for line in lines]}, seen=seen)


def _this() -> Sequence[int]:
    return (os.getpid(),)


def _other_namespace(asked: str | None, own: str) -> str:
    if asked and own and asked != own:
        return f"pids of {asked} are not those seen here ({own}): another container on this host"
    return ""


def _listening(port: int | None) -> list[int]:
    """Find the processes that serve a port; those of other users cannot be told."""
    if port is None:
        return []
    found = (c for c in psutil.net_connections(kind="tcp") if c.status == psutil.CONN_LISTEN and c.laddr and c.laddr.port == port)
    return sorted({c.pid for c in found if c.pid is not None})


def _running(name: str) -> list[int]:
    """Find processes by the name of their program, or of the script or module it runs."""
    found = []
    for process in psutil.process_iter(["name", "cmdline"]):
        words = process.info["cmdline"] or []
        programs = [process.info["name"] or "", *(PurePath(word).name for word in words[:1])]
        script = next((word for word in words[1:] if not word.startswith("-")), "")
        if name in {*programs, PurePath(script).name, PurePath(script).stem}:
            found.append(int(process.pid))
    return found


def _most(counts: Mapping[str, int], limit: int) -> tuple[dict[str, int], int]:
    kept = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit]
    return dict(kept), len(counts) - len(kept)


def _known(numbers: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in numbers.items() if value is not None}


def _unless_denied(ask: Callable[[], str]) -> str | None:
    try:
        return ask()
    except (psutil.AccessDenied, KeyError):  # KeyError: a user id without a name
        return None
