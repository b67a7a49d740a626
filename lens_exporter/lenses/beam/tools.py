"""Live, read-only questions about Erlang nodes. Answers are bounded, and numbers to cite are in `seen`.

Names begin with beam_, since the host has tools of the same names: get_top_processes there lists processes of the system.
"""

from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, Field

from lens_exporter.lenses.beam import direct
from lens_exporter.lenses.beam.diagnostics import Diagnostics
from lens_exporter.lenses.beam.looking import Watch
from lens_exporter.lenses.beam.shapes import amount, unlike
from lens_exporter.lenses.beam.show import show
from lens_exporter.lenses.beam.snapshot import Snapshot
from lens_exporter.lenses.beam.terms import Atom, text
from lens_exporter.lenses.beam.timed import TOOL_TIMEOUT
from lens_exporter.lenses.beam.top import SortBy, top
from lens_exporter.lenses.beam.which import Answer, Members, Node, OfNode, about_a_node
from lens_exporter.lenses.emission import Usage
from lens_exporter.model.labels import selector
from lens_exporter.model.tool import Tool, ToolResult, ToolStatus

_SHARE = 0.8  # of the time a tool is waited for: the rest is for the call that is under way when it is over, and for saying so
_LONGEST = 255  # letters of a name
_PERSISTENT = "persistent_term:info()"


class TopProcesses(OfNode, extra="forbid"):
    sort_by: SortBy = SortBy.MEMORY
    limit: int = Field(10, ge=1, le=50)
    offset: int = Field(0, ge=0, le=100_000)


class BeamTools:
    """The tools for all nodes that members gives."""

    def __init__(self, members: Members, watch: Watch | None = None, *, timeout: float = TOOL_TIMEOUT) -> None:
        """Take timeout to be how many seconds anybody waits for an answer."""
        self._members = members
        self._watch = watch or Watch()
        self._seconds = _SHARE * timeout

    def all(self) -> tuple[Tool, ...]:
        """Give the tools."""
        rows: tuple[tuple[str, str, Answer, type[BaseModel]], ...] = (
            ("beam_get_overview", "All that is published of an Erlang node, read now.", _overview, OfNode),
            (
                "beam_get_system_info",
                "An Erlang node: OTP release, version, uptime, schedulers, host and process id, connected nodes.",
                _system_info,
                OfNode,
            ),
            (
                "beam_get_memory_stats",
                "What an Erlang node's memory is used for, in bytes: processes, system, binary, ets, code, atom.",
                _memory_stats,
                OfNode,
            ),
            (
                "beam_get_process_stats",
                "How many processes and ports an Erlang node has, of how many it may have, and the memory of the processes.",
                _process_stats,
                OfNode,
            ),
            (
                "beam_get_scheduler_stats",
                "Schedulers of an Erlang node and their run queues, normal and dirty; reductions.",
                _scheduler_stats,
                OfNode,
            ),
            ("beam_get_atom_stats", "Atoms of an Erlang node, their limit and their memory.", _atom_stats, OfNode),
            ("beam_get_persistent_terms", "How many persistent terms an Erlang node has, and their memory.", _persistent, OfNode),
            (
                "beam_get_top_processes",
                "Processes of an Erlang node with most memory, messages in the mailbox, or reductions since they started.",
                _top_processes,
                TopProcesses,
            ),
            *Diagnostics(self._watch).rows(),
        )
        clock = self._watch.clock
        return tuple(
            Tool(name, words, about_a_node(self._members, answer, self._seconds, clock), kind) for name, words, answer, kind in rows
        )


def _overview(node: Node, arguments: OfNode) -> ToolResult:  # noqa: ARG001 - one signature for all answers
    numbers = {
        selector(sample.labels, metric=sample.name): float(sample.value)
        for family in node.lens.collect()
        for sample in family.samples
    }
    return ToolResult(ToolStatus.DATA, {"metrics": numbers}, seen=numbers)


def _system_info(node: Node, arguments: OfNode) -> ToolResult:  # noqa: ARG001 - as above
    version = (text(node.asks.call("erlang", "system_info", Atom("system_version"))) or "").strip()[:_LONGEST]
    if not version or not version.isprintable():
        raise unlike(node.asks.name, "erlang:system_info(system_version)")
    nodes = node.asks.call("erlang", "nodes")
    if not isinstance(nodes, list):
        raise unlike(node.asks.name, "erlang:nodes()")
    told = direct.read(node.asks, parts=(direct.SYSTEM, direct.SCHEDULERS))
    data = {
        "otp_release": told.otp_release,
        "version": version,
        "hostname": told.host.name if told.host else None,
        "pid": told.host.pid if told.host else None,
        "connected_nodes": [show(each, _LONGEST) for each in nodes[:50]],
    }
    numbers = {"uptime_seconds": told.uptime_seconds, "connected": float(len(nodes)), **_online(told)}
    return _answer(told, data, numbers)


def _memory_stats(node: Node, arguments: OfNode) -> ToolResult:  # noqa: ARG001 - as above
    told = direct.read(node.asks, parts=(direct.MEMORY,))
    return _answer(told, {}, {f"{kind}_bytes": size for kind, size in told.memory.items()})


def _process_stats(node: Node, arguments: OfNode) -> ToolResult:  # noqa: ARG001 - as above
    told = direct.read(node.asks, parts=(direct.SYSTEM, direct.MEMORY))
    memory = {f"{kind}_bytes": told.memory.get(kind) for kind in ("processes", "processes_used")}
    numbers = {**_usage("processes", told.processes), **_usage("ports", told.ports), **memory}
    return _answer(told, {}, numbers)


def _scheduler_stats(node: Node, arguments: OfNode) -> ToolResult:  # noqa: ARG001 - as above
    told = direct.read(node.asks, parts=(direct.SCHEDULERS, direct.STATISTICS))
    numbers = {
        **_online(told),
        **{f"run_queue_{kind}": length for kind, length in told.run_queues.items()},
        "reductions": told.reductions,
    }
    return _answer(told, {}, numbers)


def _atom_stats(node: Node, arguments: OfNode) -> ToolResult:  # noqa: ARG001 - as above
    told = direct.read(node.asks, parts=(direct.SYSTEM, direct.MEMORY))
    memory = {f"{kind}_bytes": told.memory.get(kind) for kind in ("atom", "atom_used")}
    return _answer(told, {}, {**_usage("atoms", told.atoms), **memory})


def _persistent(node: Node, arguments: OfNode) -> ToolResult:  # noqa: ARG001 - as above
    match node.asks.call("persistent_term", "info"):
        case {"count": count, "memory": memory}:
            found = {"count": count, "memory_bytes": memory}
            numbers = {name: amount(node.asks.name, value, _PERSISTENT) for name, value in found.items()}
            return ToolResult(ToolStatus.DATA, dict(numbers), seen=numbers)
        case _:
            raise unlike(node.asks.name, _PERSISTENT)


def _top_processes(node: Node, arguments: TopProcesses) -> ToolResult:
    found = top(node.asks, arguments.sort_by, limit=arguments.limit, offset=arguments.offset)
    by = arguments.sort_by.value
    data: dict[str, Any] = {
        "sort_by": by,
        "limit": arguments.limit,
        "offset": arguments.offset,
        "total": found.total,
        f"{by}_of_all": found.amount,
        "processes": [asdict(row) for row in found.rows],
    }
    if arguments.offset >= found.total:
        return ToolResult(ToolStatus.EMPTY, data, f"there are {found.total} processes, offset {arguments.offset} is behind them")
    seen = {"total": float(found.total), f"{by}_of_all": found.amount}
    for row in found.rows:
        for name in ("memory", "message_queue", "reductions"):
            seen[f"pid:{row.pid}:{name}"] = getattr(row, name)
    behind = arguments.offset + arguments.limit
    if found.total > behind:
        return ToolResult(ToolStatus.TRUNCATED, data, f"{found.total - behind} more processes; ask with offset {behind}", seen)
    return ToolResult(ToolStatus.DATA, data, seen=seen)


def _answer(told: Snapshot, data: dict[str, Any], numbers: dict[str, float | None]) -> ToolResult:
    """Give the numbers that are known; a part that failed is said, and is no empty answer."""
    failed = [f"{part}: {reason}" for part, reason in told.failed.items()]
    seen = {name: value for name, value in numbers.items() if value is not None}
    if not failed:
        return ToolResult(ToolStatus.DATA, {**data, **seen}, seen=seen)
    status = ToolStatus.TRUNCATED if seen else ToolStatus.ERROR
    return ToolResult(status, {**data, **seen}, f"not read: {'; '.join(failed)}", seen)


def _usage(what: str, usage: Usage) -> dict[str, float | None]:
    return {what: usage.used, f"{what}_limit": usage.limit, f"{what}_utilization": usage.ratio}


def _online(told: Snapshot) -> dict[str, float]:
    return {f"schedulers_{kind}": count for kind, count in told.schedulers_online.items()}
