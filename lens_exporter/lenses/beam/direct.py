"""A snapshot asked from the node itself.

The calls of one reading are sent together, so that its numbers are of one moment; but for the run queues and the processes, which
are asked for first and alone: the node makes a process for each call, and would count those of the others. Calls belong to parts: a
part that fails costs what it would have told and nothing else.
"""

from collections.abc import Collection
from dataclasses import replace
from math import inf
from typing import Any

from lens_exporter.errors import CallTimeout, LensError, NodeUnavailable, NotThere
from lens_exporter.lenses.beam.answers import (
    ALONE,
    BROKER,
    BROKER_LIMIT,
    HOSTNAME,
    MEMORY,
    MEMORY_KINDS,
    PARTS,
    PID,
    RUN_QUEUES,
    SCHEDULERS,
    STATISTICS,
    SYSTEM,
    Answers,
    statistics,
    system,
)
from lens_exporter.lenses.beam.asks import Asks, Call
from lens_exporter.lenses.beam.queues import QUEUES, read_queues
from lens_exporter.lenses.beam.shapes import printable
from lens_exporter.lenses.beam.snapshot import DIRTY_CPU, DIRTY_IO, NORMAL, Host, Snapshot, Worked
from lens_exporter.lenses.beam.terms import Term
from lens_exporter.lenses.emission import Usage

__all__ = ["BROKER", "MEMORY", "PARTS", "SCHEDULERS", "STATISTICS", "SYSTEM", "read"]

_UNTIMED = "the node does not time its schedulers: nothing on it has set erlang:system_flag(scheduler_wall_time, true)"
_LONGEST_RELEASE, _LONGEST_HOST = 32, 255  # letters
_LONGEST_PID = 10  # digits


def read(asks: Asks, *, parts: Collection[str] = PARTS.keys(), queues_up_to: int = 0) -> Snapshot:
    """Read these parts of one node.

    Mailboxes are looked into while the part SYSTEM says that there are at most queues_up_to processes. BROKER is what RabbitMQ
    limits itself to; on a node without it the answer is that there is no such process.

    Raises:
        NodeUnavailable: there is no connection; any other LensError: nothing could be read, with the first reason.

    """
    answers = Answers(asks.name, _asked(asks, [call for part in parts for call in PARTS[part]]))
    snapshot, failed = Snapshot(), dict[str, LensError]()
    for part in parts:
        try:
            snapshot = _READERS[part](answers.of(part), snapshot)
        except NodeUnavailable:
            raise
        except LensError as error:
            failed[part] = error
    if isinstance(failed.get(BROKER), NotThere):
        del failed[BROKER]  # no RabbitMQ: nothing to know, nothing wrong
    if failed and failed.keys() >= set(parts) - {BROKER}:
        raise next(iter(failed.values()))
    told = replace(snapshot, failed={part: str(error) for part, error in failed.items()})
    late = next((str(error) for error in failed.values() if isinstance(error, CallTimeout)), "")
    return _with_queues(asks, told, queues_up_to, late)


def _asked(asks: Asks, calls: Collection[Call]) -> dict[Call, Term | LensError]:
    """Ask; a node that lets the first questions wait is not asked the others. Raises CallTimeout, NodeUnavailable."""
    answers: dict[Call, Term | LensError] = {}
    for call in (call for call in ALONE if call in calls):
        (answer,) = asks.calls([call])
        if isinstance(answer, CallTimeout | NodeUnavailable):
            raise answer
        answers[call] = answer
    together = [call for call in calls if call not in ALONE]
    return answers | dict(zip(together, asks.calls(together), strict=True))


def _with_queues(asks: Asks, told: Snapshot, most: int, late: str) -> Snapshot:
    count = told.processes.used
    if most == 0 or count is None:
        return told
    if late:
        return replace(told, failed={**told.failed, QUEUES: late})
    if count > most:
        return replace(
            told, unread={**told.unread, QUEUES: f"it has {count:,.0f} processes, mailboxes are looked into up to {most:,}"}
        )
    try:
        return replace(told, queues=read_queues(asks, count))
    except NodeUnavailable:
        raise
    except LensError as error:
        return replace(told, failed={**told.failed, QUEUES: str(error)})


def _read_system(answers: Answers, told: Snapshot) -> Snapshot:
    return replace(
        told,
        otp_release=answers.text(system("otp_release"), _LONGEST_RELEASE),
        processes=_usage(answers, "process"),
        ports=_usage(answers, "port"),
        atoms=_usage(answers, "atom"),
        ets_tables=_usage(answers, "ets"),
        uptime_seconds=answers.numbers(statistics("wall_clock"), 2)[0] / 1000.0,
        host=_host(answers),
    )


def _host(answers: Answers) -> Host:
    pid = answers.text(PID, _LONGEST_PID + 1)
    if not (pid.isascii() and pid.isdigit() and len(pid) <= _LONGEST_PID):
        raise answers.unlike(PID)
    match answers.term(HOSTNAME):
        case (str("ok"), name) if hostname := printable(name, _LONGEST_HOST):
            return Host(hostname, int(pid))
        case _:
            raise answers.unlike(HOSTNAME)


def _usage(answers: Answers, what: str) -> Usage:
    return Usage(answers.system(f"{what}_count"), answers.system(f"{what}_limit"))


def _read_memory(answers: Answers, told: Snapshot) -> Snapshot:
    (call,) = PARTS[MEMORY]
    kinds: Any = answers.term(call)
    if not isinstance(kinds, list) or not all(isinstance(pair, tuple) and len(pair) == 2 for pair in kinds):
        raise answers.unlike(call)
    # Kinds become labels: those of the manual only, whatever else a node may answer.
    known = {kind: answers.as_number(size, call) for kind, size in kinds if isinstance(kind, str) and kind in MEMORY_KINDS}
    if not known:
        raise answers.unlike(call)
    return replace(told, memory={str(kind): size for kind, size in known.items()})


def _read_statistics(answers: Answers, told: Snapshot) -> Snapshot:
    lengths = answers.numbers(RUN_QUEUES, 3)
    reductions = answers.numbers(statistics("reductions"), 2)
    garbage = answers.numbers(statistics("garbage_collection"), 2)
    *normal, dirty_cpu, dirty_io = lengths  # all dirty schedulers of one kind share one queue
    return replace(
        told,
        run_queues={NORMAL: sum(normal), DIRTY_CPU: dirty_cpu, DIRTY_IO: dirty_io},
        reductions=reductions[0],
        collections=garbage[0],
        reclaimed_bytes=garbage[1] * answers.system("wordsize"),
    )


def _read_schedulers(answers: Answers, told: Snapshot) -> Snapshot:
    online = {
        NORMAL: answers.system("schedulers_online"),
        DIRTY_CPU: answers.system("dirty_cpu_schedulers_online"),
        DIRTY_IO: answers.system("dirty_io_schedulers"),
    }
    worked = _worked(answers)
    unread = {} if worked is not None else {"scheduler utilization": _UNTIMED}
    return replace(told, schedulers_online=online, worked=worked, unread={**told.unread, **unread})


def _worked(answers: Answers) -> dict[str, Worked] | None:
    """Sum up time by kind. Identifiers count normal schedulers first, then dirty CPU, then dirty IO; those offline never work."""
    call = statistics("scheduler_wall_time_all")
    times = answers.term(call)
    if times == "undefined":
        return None
    if not isinstance(times, list) or not all(isinstance(each, tuple) and len(each) == 3 for each in times):
        raise answers.unlike(call)
    normal = answers.system("schedulers")
    dirty = normal + answers.system("dirty_cpu_schedulers")
    # The last that is online, of each kind: as many as the node says, which may be any number.
    last = {
        NORMAL: answers.system("schedulers_online"),
        DIRTY_CPU: normal + answers.system("dirty_cpu_schedulers_online"),
        DIRTY_IO: inf,
    }
    sums: dict[str, tuple[float, float]] = {}
    for identifier, active, total in ([answers.as_number(each, call) for each in row] for row in times):
        kind = NORMAL if identifier <= normal else DIRTY_CPU if identifier <= dirty else DIRTY_IO
        if 0 < identifier <= last[kind]:
            before = sums.get(kind, (0.0, 0.0))
            sums[kind] = (before[0] + active, before[1] + total)
    return {kind: Worked(*both) for kind, both in sums.items()}


def _read_broker(answers: Answers, told: Snapshot) -> Snapshot:
    return replace(told, broker_memory_limit=answers.number(BROKER_LIMIT))


_READERS = {
    SYSTEM: _read_system,
    MEMORY: _read_memory,
    STATISTICS: _read_statistics,
    SCHEDULERS: _read_schedulers,
    BROKER: _read_broker,
}
