"""Erlang nodes: which of their live tools show what moved, and what the answers of these name."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lens_exporter.baseline import numbers as words
from lens_exporter.investigate.notebook import Noted
from lens_exporter.investigate.part import Part
from lens_exporter.investigate.wording import word
from lens_exporter.model.conversation import Answered

_OF_NODE = re.compile(r"(?<![\w:])(lens_beam_|erlang_|\w+_prom_ex_beam_)")
_MOST = 3  # tools asked
_MAILBOX, _WORK, _MEMORY = "message_queue", "reductions", "memory"
_GROWING = "beam_find_growing_processes"


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked where a query, or a series with its labels, reads so."""

    pattern: re.Pattern[str]
    tool: str
    sort_by: str = ""


_KINDS_OF_MEMORY = (
    _Question(re.compile(r'"binary"|_binary'), "beam_find_binary_leaks"),
    _Question(re.compile(r'"ets"|_ets_'), "beam_find_ets_growth"),
    _Question(re.compile(r'"processes(_used)?"|memory_processes'), _GROWING, _MEMORY),
)
# The first that fits is asked; the memory of no kind is asked for all kinds.
_QUESTIONS = (
    _Question(re.compile(r"message|mailbox"), _GROWING, _MAILBOX),
    *_KINDS_OF_MEMORY,
    _Question(re.compile(r"(?<!memory)_atoms?_"), "beam_find_atom_growth"),
    _Question(re.compile(r"_ports?_"), "beam_find_busy_ports"),
    _Question(re.compile(r"reductions|run_queue|scheduler"), _GROWING, _WORK),
    _Question(re.compile(r"(?<!memory)_process(es)?_"), "beam_count_processes"),
)
_BRACES, _KIND = re.compile(r'\{(?:[^{}"]|"(?:[^"\\]|\\.)*")*\}'), re.compile(r'(?:kind|usage)="[^"]*"')
_ANY_MEMORY = re.compile(r"_memory_")


def of_node(text: str) -> bool:
    """Say whether a metric, or a query, is about an Erlang node."""
    return _OF_NODE.search(text) is not None


def questions(queries: Sequence[str], moved: Sequence[Noted], target: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the live tools to ask about a node, what alerts first. None where it is not known which node it is about."""
    texts = [_spoken(query) for query in queries if of_node(query)]
    texts += [f"{one.metric}{_kinds(one.labels)}" for one in moved if of_node(one.metric)]
    names = {target.get("node", "")} if "@" in target.get("node", "") else {one.labels.get("node", "") for one in moved}
    nodes = {name for name in names if "@" in name}
    if not texts or len(nodes) != 1:
        return
    (node,) = nodes
    found = dict.fromkeys((one.tool, one.sort_by) for text in texts for one in _asked(text))
    for tool, sort_by in list(found)[:_MOST]:
        yield tool, {"node": node} | ({"sort_by": sort_by} if sort_by else {})


def _asked(text: str) -> list[_Question]:
    fitting = [one for one in _QUESTIONS if one.pattern.search(text)][:1]
    return fitting or (list(_KINDS_OF_MEMORY) if _ANY_MEMORY.search(text) else [])


def _spoken(query: str) -> str:
    """Keep the names of a query's metrics and the kinds it selects: how its nodes are called says nothing of what it is about."""
    return _BRACES.sub(lambda found: "".join(f"{{{one}}}" for one in _KIND.findall(found[0])), query)


def _kinds(labels: Mapping[str, str]) -> str:
    return "".join(f'{{{name}="{labels[name]}"}}' for name in ("kind", "usage") if name in labels)


def _growing(answered: Answered) -> Iterator[Part]:
    """Name the process with the longest mailbox, most memory, or most work of the time one looked."""
    by = str(_data(answered).get("sort_by"))
    column = f"{by}_per_second" if by == _WORK else by
    row, number = _largest(answered, "processes", "pid", column)
    if not row:
        return
    process = _process(row)
    match by:
        case "message_queue":
            claim = f"{words.number(number, '')} messages wait in the mailbox of {process}"
            yield _part(answered, "queues", claim, "it takes them out more slowly than they come", number, "count")
        case "reductions":
            claim = f"{process} does {words.number(number, '')} reductions a second"
            yield _part(answered, "CPU", claim, "no other process does more", number, "")
        case "memory":
            claim = f"{process} holds {words.number(number, 'bytes')} of memory"
            for kind in ("processes", "processes_used"):
                yield _part(answered, "memory", claim, "no other process holds more", number, "bytes", kind=kind)


def _binaries(answered: Answered) -> Iterator[Part]:
    row, number = _largest(answered, "processes", "pid", "binary_bytes")
    if row:
        claim = f"{_process(row)} keeps {words.number(number, 'bytes')} of binaries alive"
        step = "see why that process does not let go of them; collecting its garbage (erlang:garbage_collect) shows whether it can"
        yield _part(answered, "memory", claim, "they are not let go", number, "bytes", kind="binary", step=step)


def _tables(answered: Answered) -> Iterator[Part]:
    row, number = _largest(answered, "largest_and_growing", "table", "bytes")
    if row:
        owner = word(str(row.get("owner_name") or row.get("owner") or "?"))
        claim = f"the ETS table {word(str(row['table']))} of {owner} holds {words.number(number, 'bytes')}"
        step = "see who inserts into that table and who should delete from it"
        yield _part(answered, "memory", claim, "nothing is deleted from it", number, "bytes", kind="ets", step=step)


def _ports(answered: Answered) -> Iterator[Part]:
    row, number = _largest(answered, "by_owner", "pid", "ports")
    total = answered.result.seen.get("ports", 0.0)
    if row and number > 1:
        claim = f"{number:,.0f} of {total:,.0f} ports belong to {_process(row)}"
        yield _part(answered, "ports", claim, "they are not closed", number, "count", total=total)


def _calls(answered: Answered) -> Iterator[Part]:
    row, number = _largest(answered, "initial_calls", "initial_call", "processes", prefix="call")
    total = answered.result.seen.get("total", 0.0)
    if row and number > 1:
        claim = f"{number:,.0f} of {total:,.0f} processes were started as {word(str(row['initial_call']))}"
        yield _part(answered, "processes", claim, "they do not end", number, "count", total=total)


READERS = {
    _GROWING: _growing,
    "beam_find_binary_leaks": _binaries,
    "beam_find_ets_growth": _tables,
    "beam_find_busy_ports": _ports,
    "beam_count_processes": _calls,
}


def atoms(answered: Answered) -> Iterator[str]:
    """Tell how fast atoms are made, and who works meanwhile: a lead, since nothing says who makes them."""
    seen = answered.result.seen
    rows = _data(answered).get("working_meanwhile") or []
    if seen.get("atoms_grown", 0.0) > 0:
        grown = f"{words.number(seen['atoms_grown'], '')} atoms were made while one looked"
        yield f"{grown}; of the processes at work then, {_process(rows[0])} worked most" if rows else grown


def _part(
    answered: Answered,
    family: str,
    claim: str,
    meaning: str,
    value: float,
    unit: str,
    *,
    kind: str = "",
    step: str = "",
    total: float | None = None,
) -> Part:
    return Part(family, claim, meaning, value, total, unit, answered.receipt, step, kind)


def _largest(answered: Answered, rows: str, named: str, column: str, *, prefix: str = "") -> tuple[Mapping[str, Any], float]:
    """Find the row that has most in a column, by the numbers that may be cited."""
    seen = answered.result.seen
    found = [
        (row, seen.get(f"{prefix or named}:{row.get(named)}:{column}", 0.0))
        for row in _data(answered).get(rows) or ()
        if isinstance(row, dict)
    ]
    row, number = max(found, key=lambda pair: pair[1], default=({}, 0.0))
    return (row, number) if number > 0 else ({}, 0.0)


def _process(row: Mapping[str, Any]) -> str:
    name, pid = str(row.get("name") or ""), str(row.get("pid"))
    return f"process {word(name)} ({word(pid)})" if name else f"process {word(pid)}"


def _data(answered: Answered) -> Mapping[str, Any]:
    data = answered.result.data
    return data if isinstance(data, dict) else {}
