"""What a scrape asks of a node, in parts, and reading what it answers. Source: the manual of erlang(3), OTP 25 to 27."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lens_exporter.errors import BadTerm, LensError
from lens_exporter.lenses.beam.asks import Call
from lens_exporter.lenses.beam.shapes import amount, printable, unlike
from lens_exporter.lenses.beam.terms import Atom, Term


def system(item: str) -> Call:
    return ("erlang", "system_info", (Atom(item),))


def statistics(item: str) -> Call:
    return ("erlang", "statistics", (Atom(item),))


SYSTEM, MEMORY, STATISTICS, SCHEDULERS, BROKER = "system", "memory", "statistics", "schedulers", "broker"

_COUNTS = ("process_count", "process_limit", "port_count", "port_limit", "atom_count", "atom_limit", "ets_count", "ets_limit")
PID: Call = ("os", "getpid", ())
HOSTNAME: Call = ("inet", "gethostname", ())
RUN_QUEUES = statistics("run_queue_lengths_all")
ALONE = (RUN_QUEUES, system("process_count"))
MEMORY_KINDS = ("total", "processes", "processes_used", "system", "atom", "atom_used", "binary", "code", "ets", "maximum")
BROKER_LIMIT: Call = ("vm_memory_monitor", "get_memory_limit", ())

PARTS: Mapping[str, tuple[Call, ...]] = {
    SYSTEM: (
        *map(system, _COUNTS),
        system("otp_release"),
        statistics("wall_clock"),
        PID,
        HOSTNAME,
    ),
    MEMORY: (("erlang", "memory", ()),),
    STATISTICS: (RUN_QUEUES, *map(statistics, ("reductions", "garbage_collection")), system("wordsize")),
    SCHEDULERS: (
        *map(system, ("schedulers", "schedulers_online", "dirty_cpu_schedulers", "dirty_cpu_schedulers_online")),
        system("dirty_io_schedulers"),
        statistics("scheduler_wall_time_all"),
    ),
    BROKER: (BROKER_LIMIT,),
}


@dataclass(frozen=True, slots=True)
class Answers:
    """What a node answered to the calls of one reading. What is not of its call's shape raises BadTerm, which names the call."""

    node: str
    by_call: Mapping[Call, Term | LensError]

    def of(self, part: str) -> "Answers":
        """Give the answers of a part. Raises the first error among them."""
        for call in PARTS[part]:
            answer = self.by_call[call]
            if isinstance(answer, LensError):
                raise answer
        return self

    def term(self, call: Call) -> Any:
        return self.by_call[call]

    def number(self, call: Call) -> float:
        return self.as_number(self.by_call[call], call)

    def as_number(self, term: Any, call: Call) -> float:
        return amount(self.node, term, _written(call))

    def text(self, call: Call, longest: int) -> str:
        """Give text that can be printed, cut to so many letters. Raises BadTerm."""
        found = printable(self.term(call), longest)
        if not found:
            raise self.unlike(call)
        return found

    def numbers(self, call: Call, least: int) -> list[float]:
        """Give a list or tuple of at least so many numbers. Raises BadTerm."""
        term = self.by_call[call]
        if not isinstance(term, list | tuple) or len(term) < least:
            raise self.unlike(call)
        return [self.as_number(each, call) for each in term]

    def system(self, item: str) -> float:
        return self.number(system(item))

    def unlike(self, call: Call) -> BadTerm:
        return unlike(self.node, _written(call))


def _written(call: Call) -> str:
    module, function, arguments = call
    return f"{module}:{function}({', '.join(map(str, arguments))})"
