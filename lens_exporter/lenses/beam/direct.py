"""A snapshot asked from the node itself.

The calls of one reading are sent together, so that its numbers are of one moment; but for the run queues and the processes, which
are asked for first and alone: the node makes a process for each call, and would count those of the others. Calls belong to parts: a
part that fails costs what it would have told and nothing else. Source of the calls' meaning: the manual of erlang(3), OTP 25 to 27.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lens_exporter.errors import BadTerm, CallFailed, LensError, NodeUnavailable
from lens_exporter.lenses.beam.asks import Asks, Call
from lens_exporter.lenses.beam.queues import QUEUES, read_queues
from lens_exporter.lenses.beam.snapshot import DIRTY_CPU, DIRTY_IO, NORMAL, Host, Snapshot, Worked
from lens_exporter.lenses.beam.terms import Atom, Term, text
from lens_exporter.lenses.emission import Usage


def _system(item: str) -> Call:
    return ("erlang", "system_info", (Atom(item),))


def _statistics(item: str) -> Call:
    return ("erlang", "statistics", (Atom(item),))


SYSTEM, MEMORY, STATISTICS, SCHEDULERS, BROKER = "system", "memory", "statistics", "schedulers", "broker"

_COUNTS = ("process_count", "process_limit", "port_count", "port_limit", "atom_count", "atom_limit", "ets_count", "ets_limit")
_PID: Call = ("os", "getpid", ())
_HOSTNAME: Call = ("inet", "gethostname", ())
_RUN_QUEUES = _statistics("run_queue_lengths_all")
_ALONE = (_RUN_QUEUES, _system("process_count"))
_UNTIMED = "the node does not time its schedulers: nothing on it has set erlang:system_flag(scheduler_wall_time, true)"
_BROKER_LIMIT: Call = ("vm_memory_monitor", "get_memory_limit", ())

PARTS: Mapping[str, tuple[Call, ...]] = {
    SYSTEM: (
        *map(_system, _COUNTS),
        _system("otp_release"),
        _statistics("wall_clock"),
        _PID,
        _HOSTNAME,
    ),
    MEMORY: (("erlang", "memory", ()),),
    STATISTICS: (_RUN_QUEUES, *map(_statistics, ("reductions", "garbage_collection")), _system("wordsize")),
    SCHEDULERS: (
        *map(_system, ("schedulers", "schedulers_online", "dirty_cpu_schedulers", "dirty_cpu_schedulers_online")),
        _system("dirty_io_schedulers"),
        _statistics("scheduler_wall_time_all"),
    ),
    BROKER: (_BROKER_LIMIT,),
}


@dataclass(frozen=True, slots=True)
class _Answers:
    """What a node answered to the calls of one reading."""

    node: str
    by_call: Mapping[Call, Term | LensError]

    def of(self, part: str) -> "_Answers":
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
        if isinstance(term, bool) or not isinstance(term, int | float):
            raise self.unlike(call)
        return float(term)

    def system(self, item: str) -> float:
        return self.number(_system(item))

    def unlike(self, call: Call) -> BadTerm:
        module, function, arguments = call
        named = f"{module}:{function}({', '.join(map(str, arguments))})"
        return BadTerm(node=self.node, reason=f"{named} answered something else than it does in OTP 25 to 27")


def read(asks: Asks, *, queues_up_to: int = 0, broker: bool = True) -> Snapshot:
    """Read one node.

    Mailboxes are looked into while there are at most queues_up_to processes. broker: ask for what RabbitMQ limits itself to; on a
    node without it the answer is that there is no such function.

    Raises:
        NodeUnavailable: there is no connection; any other LensError: nothing could be read, with the first reason.

    """
    asked = [call for part, calls in PARTS.items() if broker or part != BROKER for call in calls if call not in _ALONE]
    by_call = {call: answer for call in _ALONE for answer in asks.calls([call])} | dict(zip(asked, asks.calls(asked), strict=True))
    answers = _Answers(asks.name, by_call)
    snapshot, failed = Snapshot(), dict[str, LensError]()
    for part, reader in _READERS.items():
        if part == BROKER and not broker:
            continue
        try:
            snapshot = reader(answers.of(part), snapshot)
        except NodeUnavailable:
            raise
        except LensError as error:
            failed[part] = error
    if isinstance(failed.get(BROKER), CallFailed):
        del failed[BROKER]  # no RabbitMQ: nothing to know, nothing wrong
    if failed.keys() >= _READERS.keys() - {BROKER}:
        raise next(iter(failed.values()))
    told = replace(snapshot, failed={part: str(error) for part, error in failed.items()})
    return _with_queues(asks, told, queues_up_to)


def _with_queues(asks: Asks, told: Snapshot, most: int) -> Snapshot:
    count = told.processes.used
    if most == 0 or count is None:
        return told
    if count > most:
        return replace(
            told, unread={**told.unread, QUEUES: f"it has {count:,.0f} processes, mailboxes are looked into up to {most:,}"}
        )
    try:
        return replace(told, queues=read_queues(asks))
    except NodeUnavailable:
        raise
    except LensError as error:
        return replace(told, failed={**told.failed, QUEUES: str(error)})


def _read_system(answers: _Answers, told: Snapshot) -> Snapshot:
    hostname, pid = answers.term(_HOSTNAME), text(answers.term(_PID)) or ""
    name = text(hostname[1]) if isinstance(hostname, tuple) and len(hostname) == 2 else None
    return replace(
        told,
        otp_release=text(answers.term(_system("otp_release"))),
        processes=_usage(answers, "process"),
        ports=_usage(answers, "port"),
        atoms=_usage(answers, "atom"),
        ets_tables=_usage(answers, "ets"),
        uptime_seconds=_numbers(answers, _statistics("wall_clock"), 2)[0] / 1000.0,
        host=Host(name, int(pid)) if name and pid.isascii() and pid.isdigit() else None,
    )


def _usage(answers: _Answers, what: str) -> Usage:
    return Usage(answers.system(f"{what}_count"), answers.system(f"{what}_limit"))


def _read_memory(answers: _Answers, told: Snapshot) -> Snapshot:
    (call,) = PARTS[MEMORY]
    kinds = answers.term(call)
    if not isinstance(kinds, list) or not kinds or not all(isinstance(pair, tuple) and len(pair) == 2 for pair in kinds):
        raise answers.unlike(call)
    return replace(told, memory={str(kind): answers.as_number(size, call) for kind, size in kinds})


def _read_statistics(answers: _Answers, told: Snapshot) -> Snapshot:
    lengths = _numbers(answers, _RUN_QUEUES, 3)
    reductions = _numbers(answers, _statistics("reductions"), 2)
    garbage = _numbers(answers, _statistics("garbage_collection"), 2)
    *normal, dirty_cpu, dirty_io = lengths  # all dirty schedulers of one kind share one queue
    return replace(
        told,
        run_queues={NORMAL: sum(normal), DIRTY_CPU: dirty_cpu, DIRTY_IO: dirty_io},
        reductions=reductions[0],
        collections=garbage[0],
        reclaimed_bytes=garbage[1] * answers.system("wordsize"),
    )


def _numbers(answers: _Answers, call: Call, least: int) -> list[float]:
    term = answers.term(call)
    if not isinstance(term, list | tuple) or len(term) < least:
        raise answers.unlike(call)
    return [answers.as_number(each, call) for each in term]


def _read_schedulers(answers: _Answers, told: Snapshot) -> Snapshot:
    online = {
        NORMAL: answers.system("schedulers_online"),
        DIRTY_CPU: answers.system("dirty_cpu_schedulers_online"),
        DIRTY_IO: answers.system("dirty_io_schedulers"),
    }
    worked = _worked(answers)
    unread = {} if worked is not None else {"scheduler utilization": _UNTIMED}
    return replace(told, schedulers_online=online, worked=worked, unread={**told.unread, **unread})


def _worked(answers: _Answers) -> dict[str, Worked] | None:
    """Sum up time by kind. Identifiers count normal schedulers first, then dirty CPU, then dirty IO; those offline never work."""
    call = _statistics("scheduler_wall_time_all")
    times = answers.term(call)
    if times == "undefined":
        return None
    if not isinstance(times, list) or not all(isinstance(each, tuple) and len(each) == 3 for each in times):
        raise answers.unlike(call)
    normal = answers.system("schedulers")
    dirty = normal + answers.system("dirty_cpu_schedulers")
    online = {
        *range(1, int(answers.system("schedulers_online")) + 1),
        *range(int(normal) + 1, int(normal + answers.system("dirty_cpu_schedulers_online")) + 1),
    }
    sums: dict[str, tuple[float, float]] = {}
    for identifier, active, total in _rows(answers, call, times):
        kind = NORMAL if identifier <= normal else DIRTY_CPU if identifier <= dirty else DIRTY_IO
        if kind == DIRTY_IO or identifier in online:
            before = sums.get(kind, (0.0, 0.0))
            sums[kind] = (before[0] + active, before[1] + total)
    return {kind: Worked(*both) for kind, both in sums.items()}


def _rows(answers: _Answers, call: Call, times: Sequence[Sequence[Any]]) -> list[list[float]]:
    return [[answers.as_number(each, call) for each in row] for row in times]


def _read_broker(answers: _Answers, told: Snapshot) -> Snapshot:
    return replace(told, broker_memory_limit=answers.number(_BROKER_LIMIT))


_READERS = {
    SYSTEM: _read_system,
    MEMORY: _read_memory,
    STATISTICS: _read_statistics,
    SCHEDULERS: _read_schedulers,
    BROKER: _read_broker,
}
