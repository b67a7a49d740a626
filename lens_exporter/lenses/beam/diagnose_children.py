"""Children that supervisors restart. A child without an id is one of many that come and go, and is left out."""

from collections import Counter
from collections.abc import Iterator, Sequence

from lens_exporter.errors import AnswerTooLarge, BadTerm, CallFailed
from lens_exporter.lenses.beam.asks import Asks
from lens_exporter.lenses.beam.looking import Watch, called, processes
from lens_exporter.lenses.beam.shapes import amount, pairs
from lens_exporter.lenses.beam.show import show
from lens_exporter.lenses.beam.terms import Atom, Pid
from lens_exporter.lenses.beam.top import Process, described
from lens_exporter.model.tool import ToolResult, ToolStatus

MOST_PROCESSES = 50_000  # that are asked whether they are supervisors
MOST = 100  # supervisors that are asked for their children
# Of a supervisor that is asked for them: while it makes the list it starts and restarts nobody. Those of many have no ids anyway.
MOST_CHILDREN = 5000
_NAMED = 3  # supervisors that are named where they could not be asked
_LOOKS = 4  # a child that is restarted twice between two looks counts once
_SHOWN = 100  # letters of a child's id

_COUNT = "supervisor:count_children/1"

_Child = tuple[str, str]  # the supervisor's pid, and the child's id


def restarting_children(asks: Asks, watch: Watch, seconds: float, limit: int) -> ToolResult:
    """Look several times at which process each child is."""
    pids = processes(asks)
    looked_at = pids[:MOST_PROCESSES]
    found = [pid for pid, call in zip(looked_at, called(asks, looked_at), strict=True) if call.startswith("supervisor:")]
    supervisors = {process.pid: process for process in described(asks, found[:MOST])}
    asked = [pid for pid in found[:MOST] if str(pid) in supervisors]
    restarts: Counter[_Child] = Counter()
    silent = _unasked(asks, asked)
    before: dict[_Child, str] = {}
    for look in range(_LOOKS):
        if look:
            watch.pause(seconds / (_LOOKS - 1))
        now = dict(_children(asks, asked, silent))
        restarts.update(child for child, process in now.items() if before.get(child, process) != process)
        before = now
    notes = [f"{supervisors[pid].name} ({pid}): {reason}" for pid, reason in list(silent.items())[:_NAMED]]
    notes += [f"and {len(silent) - _NAMED} more supervisors"] * (len(silent) > _NAMED)
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


def _unasked(asks: Asks, supervisors: Sequence[Pid]) -> dict[str, str]:
    """Ask each how many children it has; give those that are not asked for them, by pid, with the reason."""
    found: dict[str, str] = {}
    for supervisor in supervisors:
        try:
            counts = pairs(asks.name, asks.call("supervisor", "count_children", supervisor), _COUNT)
            most = max((amount(asks.name, count, _COUNT) for count in counts.values()), default=0.0)
        except (CallFailed, AnswerTooLarge, BadTerm) as error:
            found[str(supervisor)] = str(error)
            continue
        if most > MOST_CHILDREN:
            found[str(supervisor)] = f"its {most:,.0f} children are not listed, for they are more than {MOST_CHILDREN:,}"
    return found


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
