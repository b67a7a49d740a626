"""What is not one process: atoms, ETS tables, ports and schedulers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from heapq import nlargest
from typing import Any

from lens_exporter.lenses.beam.asks import Asks
from lens_exporter.lenses.beam.diagnose_processes import MOST_COMPARED, compared, unlooked
from lens_exporter.lenses.beam.looking import (
    PORT,
    PROCESS,
    TABLE,
    Change,
    Picked,
    Watch,
    numbers,
    ports,
    processes,
    tables,
    told,
)
from lens_exporter.lenses.beam.shapes import amount, printable, unlike
from lens_exporter.lenses.beam.show import show
from lens_exporter.lenses.beam.terms import Atom, Pid, Port, Reference
from lens_exporter.lenses.beam.top import described
from lens_exporter.model.tool import ToolResult, ToolStatus

_ATOMS = "atoms"
_LONGEST_NAME = 255  # letters


def atom_growth(asks: Asks, watch: Watch, seconds: float, limit: int) -> ToolResult:
    """Compare atoms at two looks. Which process makes them is nowhere written; those that work meanwhile are told as a lead."""
    most = _system(asks, "atom_limit")
    pids = processes(asks)

    def look() -> dict[Any, float]:
        return {_ATOMS: _system(asks, "atom_count"), **numbers(asks, PROCESS, pids[:MOST_COMPARED], "reductions")}

    changes = watch.twice(look, seconds)
    atoms = changes.pop(_ATOMS)
    seen = {_ATOMS: atoms.after, "limit": most, "atoms_grown": atoms.grown, "atoms_per_second": atoms.per_second}
    if atoms.per_second <= 0:
        return ToolResult(ToolStatus.DATA, dict(seen), f"no atom was made within {seconds:g} s", seen)
    seen["full_in_seconds"] = (most - atoms.after) / atoms.per_second
    working = {pid: change for pid, change in changes.items() if change.grown > 0}
    rows, more = compared(asks, working, "reductions", limit)
    # A process is as busy as it was while atoms were made, not as it has been since it started.
    rows.sort(key=lambda row: -row["reductions_grown"])
    data = {**seen, "seconds": seconds, "working_meanwhile": rows[:limit]}
    note = "which process makes them is not known; one that works meanwhile may"
    if left_out := unlooked(len(pids), MOST_COMPARED):
        return ToolResult(ToolStatus.TRUNCATED, data, f"{note}; {left_out}", seen | more)
    return ToolResult(ToolStatus.DATA, data, note, seen | more)


def ets_growth(asks: Asks, watch: Watch, seconds: float, limit: int) -> ToolResult:
    """Compare the memory of all tables at two looks."""
    word = _system(asks, "wordsize")

    def look(known: Mapping[Any, float] | None = None) -> dict[Any, float]:
        asked = tables(asks) if known is None else list(known)
        return {table: words * word for table, words in numbers(asks, TABLE, asked, "memory").items()}

    changes = watch.twice(look, seconds, look)
    picked: list[Atom | Reference] = Picked(changes).most(limit)
    items = {item: told(asks, TABLE, picked, Atom(item)) for item in ("name", "size", "owner")}
    owners = _names(asks, list(items["owner"].values()))
    rows: list[dict[str, Any]] = []
    seen = {"tables": float(len(changes)), "ets_bytes": sum(change.after for change in changes.values())}
    for table in (table for table in picked if all(table in item for item in items.values())):
        change, owner = changes[table], items["owner"][table]
        name = show(items["name"][table], _LONGEST_NAME)
        named = name if isinstance(table, Atom) else f"{name} {table}"
        grown = {"bytes": change.after, "bytes_grown": change.grown, "bytes_per_second": change.per_second}
        grown["objects"] = amount(asks.name, items["size"][table], "ets:info(Table, size)")
        rows.append({"table": named, **grown, "owner": show(owner), "owner_name": owners.get(show(owner), "")})
        seen |= {f"table:{named}:{name}": value for name, value in grown.items()}
    if not rows:
        return ToolResult(ToolStatus.EMPTY, note="the node has no ETS tables")
    growing = sum(change.grown > 0 for change in changes.values())
    data = {"seconds": seconds, "tables": len(changes), "growing": growing, "largest_and_growing": rows}
    return ToolResult(ToolStatus.DATA, data, "" if growing else f"none grew within {seconds:g} s", seen)


def busy_ports(asks: Asks, watch: Watch, seconds: float, limit: int) -> ToolResult:
    """Compare the bytes in and out of all ports at two looks, and count ports by owner."""

    def look() -> dict[Any, float]:
        known = ports(asks)
        put = numbers(asks, PORT, known, "output")
        return {port: size + put.get(port, 0.0) for port, size in numbers(asks, PORT, known, "input").items()}

    changes = watch.twice(look, seconds)
    waiting = numbers(asks, PORT, list(changes), "queue_size")
    told_owners = told(asks, PORT, list(changes), Atom("connected"))
    owned = {port: owner for port, owner in told_owners.items() if isinstance(owner, Pid)}
    most_waiting = [port for port in nlargest(limit, waiting, key=waiting.__getitem__) if waiting[port] > 0]
    picked: list[Port] = list(dict.fromkeys([*most_waiting, *Picked(changes).most(limit)]))
    names = told(asks, PORT, picked, Atom("name"))
    counts = Counter(owned.values())
    owners = [pid for pid, _ in counts.most_common(limit)]
    called = _names(asks, [*owners, *(owned[port] for port in picked if port in owned)])
    seen = {"ports": float(len(changes)), "limit": _system(asks, "port_limit")}
    rows = []
    for port in (port for port in picked if port in names and port in owned):
        told_of: dict[str, float] = {"bytes_per_second": changes[port].per_second, "queue_size": waiting.get(port, 0.0)}
        owner = str(owned[port])
        rows.append(
            {
                "port": str(port),
                "name": printable(names[port], _LONGEST_NAME),
                **told_of,
                "owner": owner,
                "owner_name": called.get(owner, ""),
            }
        )
        seen |= {f"port:{port}:{name}": value for name, value in told_of.items()}
    by_owner = [{"pid": str(pid), "name": called.get(str(pid), ""), "ports": counts[pid]} for pid in owners]
    seen |= {f"pid:{pid}:ports": float(counts[pid]) for pid in owners}
    data = {"seconds": seconds, "total": len(changes), "limit": seen["limit"], "by_owner": by_owner, "ports": rows}
    return ToolResult(ToolStatus.DATA if changes else ToolStatus.EMPTY, data, "" if changes else "the node has no ports", seen)


def scheduler_balance(asks: Asks, watch: Watch, seconds: float) -> ToolResult:
    """Compare the working time of each online normal scheduler at two looks, where the node times them."""
    count, online = _system(asks, "schedulers"), int(_system(asks, "schedulers_online"))
    answer = asks.call("erlang", "statistics", Atom("run_queue_lengths_all"))
    if not isinstance(answer, list) or not 0 < online <= count <= len(answer):
        raise unlike(asks.name, "statistics(run_queue_lengths_all)")
    lengths = [amount(asks.name, length, "statistics(run_queue_lengths_all)") for length in answer[:online]]
    seen = {"schedulers_online": float(online)} | {f"scheduler:{n}:run_queue": length for n, length in enumerate(lengths, 1)}
    data: dict[str, Any] = {"seconds": seconds, "run_queues": lengths}
    first = _wall_times(asks, online)
    if first is None:
        note = "the node does not time its schedulers (erlang:system_flag(scheduler_wall_time, true)), so only what waits is known"
        return ToolResult(ToolStatus.TRUNCATED, data, note, seen)
    watch.pause(seconds)
    second = _wall_times(asks, online) or {}
    shares = {n: _share(first[n], second[n]) for n in sorted(first) if n in second}
    seen |= {f"scheduler:{n}:utilization": share for n, share in shares.items()}
    if shares:
        seen |= {
            "spread": max(shares.values()) - min(shares.values()),
            "busiest": max(shares.values()),
            "idlest": min(shares.values()),
        }
    return ToolResult(ToolStatus.DATA, {**data, "utilization": list(shares.values()), "spread": seen.get("spread")}, seen=seen)


def _wall_times(asks: Asks, online: int) -> dict[int, tuple[float, float]] | None:
    """Read working and whole time of the online normal schedulers, by number; None while the node does not time them."""
    call = "statistics(scheduler_wall_time)"
    answer = asks.call("erlang", "statistics", Atom("scheduler_wall_time"))
    if answer == "undefined":
        return None
    if not isinstance(answer, list) or not all(isinstance(row, tuple) and len(row) == 3 for row in answer):
        raise unlike(asks.name, call)
    rows = [[amount(asks.name, each, call) for each in row] for row in answer]
    return {int(number): (active, total) for number, active, total in rows if 0 < number <= online}


def _share(first: Sequence[float], second: Sequence[float]) -> float:
    change = Change(first[0], second[0], second[1] - first[1])
    return change.per_second


def _system(asks: Asks, item: str) -> float:
    return amount(asks.name, asks.call("erlang", "system_info", Atom(item)), f"system_info({item})")


def _names(asks: Asks, owners: Sequence[Any]) -> dict[str, str]:
    pids = [pid for pid in dict.fromkeys(owners) if isinstance(pid, Pid)]
    return {process.pid: process.name for process in described(asks, pids)}
