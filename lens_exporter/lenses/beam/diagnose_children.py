"""Children that supervisors restart. A child without an id is one of many that come and go, and is left out."""

from collections import Counter
from collections.abc import Iterator, Sequence

from lens_exporter.errors import AnswerTooLarge, BadTerm, CallFailed
from lens_exporter.lenses.beam.asks import Asks
from lens_exporter.lenses.beam.looking import Watch, called, processes
from lens_exporter.lenses.beam.show import show
from lens_exporter.lenses.beam.terms import Atom, Pid
from lens_exporter.lenses.beam.top import Process, described
from lens_exporter.model.tool import ToolResult, ToolStatus

MOST_PROCESSES = 50_000  # that are asked whether they are supervisors
MOST = 100  # supervisors that are asked for their children
_LOOKS = 4  # a child that is restarted twice between two looks counts once
_SHOWN = 100  # letters of a child's id

_Child = tuple[str, str]  # the supervisor's pid, and the child's id


def restarting_children(asks: Asks, watch: Watch, seconds: float, limit: int) -> ToolResult:
    """Look several times at which process each child is."""
    pids = processes(asks)
    looked_at = pids[:MOST_PROCESSES]
    found = [pid for pid, call in zip(looked_at, called(asks, looked_at), strict=True) if call.startswith("supervisor:")]
    supervisors = {process.pid: process for process in described(asks, found[:MOST])}
    asked = [pid for pid in found[:MOST] if str(pid) in supervisors]
    restarts: Counter[_Child] = Counter()
    silent: dict[str, str] = {}
    before: dict[_Child, str] = {}
    for look in range(_LOOKS):
        if look:
            watch.pause(seconds / (_LOOKS - 1))
        now = dict(_children(asks, asked, silent))
        restarts.update(child for child, process in now.items() if before.get(child, process) != process)
        before = now
    notes = [f"{silent_one}: {reason}" for silent_one, reason in list(silent.items())[:3]]
    notes += [f"{MOST} of {len(found)} supervisors were asked"] * (len(found) > MOST)
    notes += [f"{MOST_PROCESSES:,} of {len(pids):,} processes were looked at"] * (len(pids) > MOST_PROCESSES)
    most = restarts.most_common(limit)
    rows = [_row(child, count, supervisors[child[0]], before.get(child, "")) for child, count in most]
    seen = {"supervisors": float(len(asked)), "children": float(len(before)), "restarting": float(len(restarts))}
    seen |= {f"child:{supervisors[child[0]].name}:{child[1]}:restarts": float(count) for child, count in most}
    data = {"seconds": seconds, **seen, "restarted": rows}
    note = "; ".join([f"no child was restarted within {seconds:g} s"] * (not restarts) + notes)
    return ToolResult(ToolStatus.TRUNCATED if notes else ToolStatus.DATA, data, note, seen)


def _row(child: _Child, count: int, supervisor: Process, process: str) -> dict[str, str | int]:
    return {"child": child[1], "restarts": count, "supervisor": supervisor.name, "supervisor_pid": supervisor.pid, "now": process}


def _children(asks: Asks, supervisors: Sequence[Pid], silent: dict[str, str]) -> Iterator[tuple[_Child, str]]:
    for supervisor in supervisors:
        name = str(supervisor)
        try:
            answer = asks.call("supervisor", "which_children", supervisor) if name not in silent else []
        except (CallFailed, AnswerTooLarge, BadTerm) as error:
            silent[name] = str(error)
            continue
        for child in answer if isinstance(answer, list) else ():
            match child:
                case (identity, process, _, _) if identity != "undefined" and isinstance(process, Pid | Atom):
                    yield (name, show(identity, _SHOWN)), str(process)
