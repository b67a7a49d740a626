"""Processes that grow, that keep binaries alive, or that are too many of a kind."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from heapq import nlargest
from itertools import groupby
from typing import Any

from lens_exporter.errors import AnswerTooLarge, BadTerm
from lens_exporter.lenses.beam.asks import Asks
from lens_exporter.lenses.beam.looking import (
    PROCESS,
    Change,
    Picked,
    Watch,
    called,
    numbers,
    processes,
    told,
)
from lens_exporter.lenses.beam.shapes import amount, pairs, unlike
from lens_exporter.lenses.beam.terms import Atom, Pid
from lens_exporter.lenses.beam.top import ITEMS, SortBy, described
from lens_exporter.model.tool import ToolResult, ToolStatus

MOST = 50_000  # processes whose every heap or dictionary is asked for; more of them are left out, and the answer says so
MOST_COMPARED = 300_000  # processes that are asked twice for a number; some two seconds each time
_PAGE = 1000  # as each of them answers a dozen numbers
_GARBAGE = "erlang:process_info(Pid, garbage_collection_info)"
_EXACTLY = 5  # holders of binaries whose binaries are counted


def growing_processes(asks: Asks, watch: Watch, by: SortBy, seconds: float, limit: int) -> ToolResult:
    """Compare processes at two looks: those that were there at the first."""
    pids = processes(asks)
    changes = watch.twice(
        lambda: numbers(asks, PROCESS, pids[:MOST_COMPARED], ITEMS[by]),
        seconds,
        lambda before: numbers(asks, PROCESS, list(before), ITEMS[by]),
    )
    rows, seen = compared(asks, changes, by.value, limit)
    growing = sum(change.grown > 0 for change in changes.values())
    seen |= {"total": float(len(changes)), "growing": float(growing)}
    data = {"sort_by": by.value, "seconds": seconds, "total": len(changes), "growing": growing, "processes": rows}
    left_out = unlooked(len(pids), MOST_COMPARED)
    if left_out:
        return ToolResult(ToolStatus.TRUNCATED, data, left_out, seen)
    if not rows:
        return ToolResult(ToolStatus.EMPTY, data, f"no process has any {by.value}")
    return ToolResult(ToolStatus.DATA, data, "" if growing else f"none grew within {seconds:g} s", seen)


def unlooked(count: int, most: int) -> str:
    """Say that there are more processes than are looked at; "" if there are not. The node tells the oldest first."""
    return f"{most:,} of {count:,} processes were looked at, those that were started first" if count > most else ""


def compared(asks: Asks, changes: Mapping[Pid, Change], what: str, limit: int) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Describe the processes that grew most and those that have most, as rows and as numbers to cite."""
    picked = Picked(changes).most(limit)
    by_name = {str(pid): changes[pid] for pid in picked}
    rows: list[dict[str, Any]] = []
    seen: dict[str, float] = {}
    for process in described(asks, picked):
        change = by_name[process.pid]
        grown = {what: change.after, f"{what}_grown": change.grown, f"{what}_per_second": change.per_second}
        rows.append({**asdict(process), **grown})
        seen |= {f"pid:{process.pid}:{name}": value for name, value in grown.items()}
    return rows, seen


def binary_holders(asks: Asks, watch: Watch, seconds: float, limit: int) -> ToolResult:
    """Find who refers to most memory of binaries. A binary that several refer to counts for each of them."""
    pids = processes(asks)
    looked_at = pids[:MOST]
    total = _binary_memory(asks)

    def again(before: Mapping[Pid, float]) -> dict[Pid, float]:
        return _held(asks, nlargest(limit, before, key=before.__getitem__))

    changes = watch.twice(lambda: _held(asks, looked_at), seconds, again)
    rows, seen = compared(asks, changes, "binary_bytes", limit)
    by_name = {row["pid"]: row for row in rows}
    for pid in Picked(changes).most(limit)[:_EXACTLY]:
        if str(pid) in by_name and (count := _count(asks, pid)) is not None:
            by_name[str(pid)]["binaries"] = count
            seen[f"pid:{pid}:binaries"] = float(count)
    data = {"binary_bytes": total, "seconds": seconds, "processes": rows}
    seen |= {"binary_bytes": total}
    if not rows:
        return ToolResult(ToolStatus.EMPTY, data, "no process refers to a binary outside of its own heap")
    if left_out := unlooked(len(pids), MOST):
        return ToolResult(ToolStatus.TRUNCATED, data, left_out, seen)
    return ToolResult(ToolStatus.DATA, data, seen=seen)


def _held(asks: Asks, pids: Sequence[Pid]) -> dict[Pid, float]:
    """Read what the garbage collector of each process knows: the binaries its heaps refer to, without a list of them."""
    size = amount(asks.name, asks.call("erlang", "system_info", Atom("wordsize")), "erlang:system_info(wordsize)")
    answers = told(asks, PROCESS, pids, Atom("garbage_collection_info"), page=_PAGE)
    held: dict[Pid, float] = {}
    for pid, answer in answers.items():
        info = pairs(asks.name, answer, _GARBAGE)
        held[pid] = size * sum(amount(asks.name, info.get(item), _GARBAGE) for item in ("bin_vheap_size", "bin_old_vheap_size"))
    return held


def _count(asks: Asks, pid: Pid) -> int | None:
    """Count the binaries a process refers to; None where they are too many to be told."""
    try:
        listed = told(asks, PROCESS, [pid], Atom("binary")).get(pid)
    except (AnswerTooLarge, BadTerm):
        return None
    if not isinstance(listed, list) or not all(isinstance(each, tuple) and each and isinstance(each[0], int) for each in listed):
        return None
    # Sorted and not hashed: their numbers are the node's to choose.
    return sum(1 for _ in groupby(sorted(each[0] for each in listed)))


def _binary_memory(asks: Asks) -> float:
    match asks.call("erlang", "memory", [Atom("binary")]):
        case [("binary", size)]:
            return amount(asks.name, size, "erlang:memory([binary])")
        case _:
            raise unlike(asks.name, "erlang:memory([binary])")


def by_initial_call(asks: Asks, limit: int) -> ToolResult:
    """Count processes by what they were started as."""
    pids = processes(asks)
    looked_at = pids[:MOST]
    memory = numbers(asks, PROCESS, looked_at, ITEMS[SortBy.MEMORY])
    counts: Counter[str] = Counter()
    held: Counter[str] = Counter()
    for pid, call in zip(looked_at, called(asks, looked_at), strict=True):
        if pid in memory and call:
            counts[call] += 1
            held[call] += int(memory[pid])
    rows = [{"initial_call": call, "processes": count, "memory": held[call]} for call, count in counts.most_common(limit)]
    seen = {"total": float(len(pids))}
    for call, count in counts.most_common(limit):
        seen |= {f"call:{call}:processes": float(count), f"call:{call}:memory": float(held[call])}
    data = {"total": len(pids), "kinds": len(counts), "initial_calls": rows}
    notes = [left_out] if (left_out := unlooked(len(pids), MOST)) else []
    notes += [f"{len(counts) - limit} more kinds"] * (len(counts) > limit)
    return ToolResult(ToolStatus.TRUNCATED if notes else ToolStatus.DATA, data, "; ".join(notes), seen)
