"""Children that supervisors restart.

Most have an id, under which another process stands after a restart. Those of a DynamicSupervisor (Elixir), and of a supervisor with
simple_one_for_one, have none: what they were started as tells them apart, and one that ended while another of its kind began
counts.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lens_exporter.errors import AnswerTooLarge, BadTerm, CallFailed
from lens_exporter.lenses.beam.asks import Asks
from lens_exporter.lenses.beam.calls import PAGE
from lens_exporter.lenses.beam.looking import Watch, called, processes
from lens_exporter.lenses.beam.shapes import amount, pairs, unlike
from lens_exporter.lenses.beam.show import show
from lens_exporter.lenses.beam.terms import Atom, Pid
from lens_exporter.lenses.beam.top import Process, described
from lens_exporter.model.tool import ToolResult, ToolStatus

MOST_PROCESSES = 50_000  # that are asked whether they are supervisors
MOST = 100  # supervisors that are asked for their children
MOST_CHILDREN = 5000  # of a supervisor that is asked for them: while it makes the list it starts and restarts nobody
_NAMED = 3  # supervisors that are named where they could not be asked
_LOOKS = 4  # a child that is restarted twice between two looks counts once
_SHOWN = 200  # letters of a child's id
_COUNT, _LIST = "supervisor:count_children/1", "supervisor:which_children/1"
_RESTARTING, _UNDEFINED = "restarting", "undefined"

_BY_CALL = "initial_call"
_COME_AND_GO = "children known by their initial_call have no id: temporary ones that come and go look the same as restarted ones"

_Child = tuple[Pid, str]  # its supervisor, and its id or what it was started as


def restarting_children(asks: Asks, watch: Watch, seconds: float, limit: int) -> ToolResult:
    """Look several times at which process each child is."""
    pids = processes(asks)
    calls = dict(zip(pids[:MOST_PROCESSES], called(asks, pids[:MOST_PROCESSES]), strict=True))
    found = [pid for pid, call in calls.items() if call.startswith("supervisor:")]
    supervisors = {process.pid: process for process in described(asks, found[:MOST])}
    asked = [pid for pid in found[:MOST] if str(pid) in supervisors]
    silent = _unasked(asks, asked)
    seen_so_far = _Children(calls)
    for look in range(_LOOKS):
        if look:
            watch.pause(seconds / (_LOOKS - 1))
        seen_so_far.look(asks, [(pid, child) for pid in asked for child in _listed(asks, pid, silent)])
    restarts = seen_so_far.restarts()
    notes = [f"{supervisors[str(pid)].name} ({pid}): {reason}" for pid, reason in list(silent.items())[:_NAMED]]
    notes += [f"and {len(silent) - _NAMED} more supervisors"] * (len(silent) > _NAMED)
    notes += [f"{MOST} of {len(found)} supervisors were asked"] * (len(found) > MOST)
    notes += [f"{MOST_PROCESSES:,} of {len(pids):,} processes were looked at"] * (len(pids) > MOST_PROCESSES)
    most = restarts.most_common(limit)
    rows = [_row(child, count, supervisors[str(child[0])], seen_so_far) for child, count in most]
    counts = {"supervisors": len(asked), "children": seen_so_far.total, "restarting": len(restarts)}
    seen = {name: float(count) for name, count in counts.items()}
    seen |= {f"child:{row['supervisor']}:{row['child']}:restarts": float(row["restarts"]) for row in rows}
    said = [f"no child was restarted within {seconds:g} s"] * (not restarts)
    said += [_COME_AND_GO] * any(row["known_by"] == _BY_CALL for row in rows)
    note = "; ".join(said + notes)
    data = {"seconds": seconds, **seen, "restarted": rows}
    return ToolResult(ToolStatus.TRUNCATED if notes else ToolStatus.DATA, data, note, seen)


def _row(child: _Child, count: int, supervisor: Process, children: "_Children") -> dict[str, Any]:
    known_by = "id" if child in children.by_id else _BY_CALL
    now = children.by_id.get(child, "")
    row = {"child": child[1], "known_by": known_by, "restarts": count, "now": now}
    return {**row, "supervisor": supervisor.name, "supervisor_pid": supervisor.pid}


def _unasked(asks: Asks, supervisors: Sequence[Pid]) -> dict[Pid, str]:
    """Ask each how many children it has; give those that are not asked for them, with the reason."""
    found: dict[Pid, str] = {}
    for supervisor in supervisors:
        try:
            counts = pairs(asks.name, asks.call("supervisor", "count_children", supervisor), _COUNT)
            most = max((amount(asks.name, count, _COUNT) for count in counts.values()), default=0.0)
        except (CallFailed, AnswerTooLarge, BadTerm) as error:
            found[supervisor] = str(error)
            continue
        if most > MOST_CHILDREN:
            found[supervisor] = f"its {most:,.0f} children are not listed, for they are more than {MOST_CHILDREN:,}"
    return found


def _listed(asks: Asks, supervisor: Pid, silent: dict[Pid, str]) -> Iterator[tuple[Any, Any]]:
    """Give id and process of each child; a supervisor that does not tell them is not asked again."""
    if supervisor in silent:
        return
    try:
        answer = asks.call("supervisor", "which_children", supervisor)
        if not isinstance(answer, list):
            raise unlike(asks.name, _LIST)
        for child in answer:
            if not isinstance(child, tuple) or len(child) != 4 or not isinstance(child[1], Pid | Atom):
                raise unlike(asks.name, _LIST)
            yield child[:2]
    except (CallFailed, AnswerTooLarge, BadTerm) as error:
        silent[supervisor] = str(error)


@dataclass(slots=True)
class _Children:
    """What several looks have shown. calls is what processes were started as, as far as it is known."""

    calls: dict[Pid, str]
    by_id: dict[_Child, str] = field(default_factory=dict)  # the process of each that has an id: pid, restarting or undefined
    without: dict[Pid, Pid] = field(default_factory=dict)  # the supervisor of each that has none
    total: int = 0  # at the last look
    _looked: bool = False
    _replaced: Counter[_Child] = field(default_factory=Counter)
    _ended: Counter[_Child] = field(default_factory=Counter)
    _begun: Counter[_Child] = field(default_factory=Counter)

    def look(self, asks: Asks, children: Sequence[tuple[Pid, tuple[Any, Any]]]) -> None:
        """Compare children, each beside its supervisor, with those of the look before."""
        by_id = {(pid, show(name, _SHOWN)): str(process) for pid, (name, process) in children if name != _UNDEFINED}
        without = {process: pid for pid, (name, process) in children if name == _UNDEFINED and isinstance(process, Pid)}
        unknown = [process for process in without if process not in self.calls][:PAGE]
        self.calls |= zip(unknown, called(asks, unknown), strict=True)
        self.total = len(children)
        self._replaced.update(child for child, process in by_id.items() if self._is_new(child, process))
        if self._looked:
            self._ended.update(self._kinds(self.without, without))
            self._begun.update(self._kinds(without, self.without))
        # A child that stands there without a process has had the one it had.
        kept = {child: self.by_id.get(child, _UNDEFINED) for child, process in by_id.items() if process == _UNDEFINED}
        self.by_id = by_id | kept
        self.without, self._looked = without, True

    def restarts(self) -> Counter[_Child]:
        """Count them by child, or by kind of child."""
        return self._replaced + (self._ended & self._begun)

    def _is_new(self, child: _Child, process: str) -> bool:
        before = self.by_id.get(child, _UNDEFINED)
        if process == _RESTARTING:
            return before != _RESTARTING
        return process != _UNDEFINED and before not in {_UNDEFINED, _RESTARTING, process}

    def _kinds(self, these: dict[Pid, Pid], others: dict[Pid, Pid]) -> Iterator[_Child]:
        known = ((supervisor, self.calls.get(pid, "")) for pid, supervisor in these.items() if pid not in others)
        return ((supervisor, call) for supervisor, call in known if call)
