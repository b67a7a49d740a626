"""Which processes of a node use most: all are asked for one number in pages, and only those that are shown for more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from heapq import nlargest
from typing import Any

from lens_exporter.lenses.beam.asks import Asks
from lens_exporter.lenses.beam.looking import PROCESS, amounts, called, function_name, processes, told
from lens_exporter.lenses.beam.shapes import amount, pairs
from lens_exporter.lenses.beam.show import show
from lens_exporter.lenses.beam.terms import Atom, Pid


class SortBy(StrEnum):
    MEMORY = "memory"
    MESSAGE_QUEUE = "message_queue"
    REDUCTIONS = "reductions"


ITEMS: Mapping[SortBy, str] = {
    SortBy.MEMORY: "memory",
    SortBy.MESSAGE_QUEUE: "message_queue_len",
    SortBy.REDUCTIONS: "reductions",
}
_SHOWN = [Atom(item) for item in ("registered_name", "memory", "message_queue_len", "reductions", "current_function", "status")]
_INFO = "erlang:process_info(Pid, [memory, ...])"
_UNSAID, _LONGEST_STATUS = Atom(""), 50


@dataclass(frozen=True, slots=True)
class Process:
    """One process. name is the registered one, else what it was started as. Memory in bytes."""

    pid: str
    name: str
    initial_call: str
    memory: float
    message_queue: float
    reductions: float
    current_function: str
    status: str


@dataclass(frozen=True, slots=True)
class Top:
    total: int
    amount: float  # of the number they are sorted by, of all processes
    rows: tuple[Process, ...]


def top(asks: Asks, sort_by: SortBy, *, limit: int, offset: int = 0) -> Top:
    """Give limit processes behind the first offset ones, those with most first.

    Raises:
        LensError: as Asks.call.

    """
    pids = processes(asks)
    found = amounts(asks, pids, ITEMS[sort_by])
    ranked = [at for at in nlargest(offset + limit, range(len(pids)), key=found.__getitem__)[offset:] if found[at] >= 0]
    by_name: dict[str, dict[str, Any]] = {str(pids[at]): {sort_by.value: found[at]} for at in ranked}
    # Each is shown with the number it was ranked by, though it may have changed since.
    rows = [replace(row, **by_name[row.pid]) for row in described(asks, [pids[at] for at in ranked])]
    alive = [amount for amount in found if amount >= 0]
    return Top(len(alive), sum(alive), tuple(rows))


def described(asks: Asks, pids: Sequence[Pid]) -> list[Process]:
    """Describe processes in their order; those that have ended meanwhile are left out."""
    if not pids:
        return []
    rows = told(asks, PROCESS, pids, _SHOWN)
    alive = [pid for pid in pids if pid in rows]
    return [_process(asks.name, pid, rows[pid], call) for pid, call in zip(alive, called(asks, alive), strict=True)]


def _process(node: str, pid: Pid, answer: Any, call: str) -> Process:
    row = pairs(node, answer, _INFO)
    name = row.get("registered_name")
    return Process(
        str(pid),
        str(name) if isinstance(name, Atom) else call,
        call,
        amount(node, row.get("memory"), _INFO),
        amount(node, row.get("message_queue_len"), _INFO),
        amount(node, row.get("reductions"), _INFO),
        function_name(row.get("current_function")),
        show(row.get("status", _UNSAID), _LONGEST_STATUS),
    )
