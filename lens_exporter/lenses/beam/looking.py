"""Everything of one kind on a node, asked page by page for one thing: what holds how much, and how that changes."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from typing import Any, TypeVar

from lens_exporter.errors import CallFailed
from lens_exporter.lenses.beam.asks import Asks
from lens_exporter.lenses.beam.calls import PAGE
from lens_exporter.lenses.beam.shapes import amount, unlike
from lens_exporter.lenses.beam.terms import Atom, Export, Pid, Port, Reference

PROCESS = Export(Atom("erlang"), Atom("process_info"), 2)
PORT = Export(Atom("erlang"), Atom("port_info"), 2)
TABLE = Export(Atom("ets"), Atom("info"), 2)
_CALLED = Export(Atom("proc_lib"), Atom("translate_initial_call"), 1)
_UNKNOWN = (Atom("proc_lib"), Atom("init_p"), 5)
_INITIAL = Atom("initial_call")
_GONE = "undefined"
_MOST_ARGUMENTS = 255  # of a function
_MOST = 1_500_000  # processes that are listed: the node builds the whole list, 30 bytes each and more, before anybody can refuse it

Holder = TypeVar("Holder", Pid, Port, Atom | Reference)


def processes(asks: Asks, *, count: float | None = None) -> list[Pid]:
    """List the processes. Whoever knows how many there are says so, else the node is asked first.

    Raises:
        CallFailed: there are too many; LensError: as Asks.call.

    """
    if count is None:
        count = amount(asks.name, asks.call("erlang", "system_info", Atom("process_count")), "erlang:system_info(process_count)")
    if count > _MOST:
        reason = f"it has {count:,.0f} processes, and the list of more than {_MOST:,} is a burden on it"
        raise CallFailed(node=asks.name, call="erlang:processes/0", reason=reason)
    return _all(asks, "erlang", "processes", Pid)


def ports(asks: Asks) -> list[Port]:
    return _all(asks, "erlang", "ports", Port)


def tables(asks: Asks) -> list[Atom | Reference]:
    return _all(asks, "ets", "all", Atom, Reference)


def _all(asks: Asks, module: str, function: str, *kinds: type) -> list[Any]:
    answer = asks.call(module, function)
    if not isinstance(answer, list) or not all(isinstance(each, kinds) for each in answer):
        raise unlike(asks.name, f"{module}:{function}()")
    return answer


def told(asks: Asks, function: Export, holders: Sequence[Holder], item: Any, *, page: int = PAGE) -> dict[Holder, Any]:
    """Ask each for an item, or for a list of items, which gives pairs. What is gone meanwhile is left out.

    Raises:
        LensError: as Asks.call.

    """
    answers = zip(holders, _answers(asks, function, holders, item, page), strict=True)
    return {holder: _value(asks.name, function, item, answer) for holder, answer in answers if answer != _GONE}


def _answers(asks: Asks, function: Export, holders: Sequence[Any], item: Any, page: int) -> Iterator[Any]:
    for first in range(0, len(holders), page):
        asked = holders[first : first + page]
        answers = asks.call("lists", "zipwith", function, list(asked), [item] * len(asked))
        if not isinstance(answers, list) or len(answers) != len(asked):
            raise unlike(asks.name, f"{function.module}:{function.function}/{function.arity}")
        yield from answers


def _value(node: str, function: Export, item: Any, answer: Any) -> Any:
    """Take a value out of {item, value}; ets:info gives it bare, and so do lists of items and a process that has no name."""
    if function == TABLE or type(answer) is list:
        return answer
    if type(answer) is not tuple or len(answer) != 2 or answer[0] != item:
        raise unlike(node, f"{function.module}:{function.function}(..., {item})")
    return answer[1]


def numbers(asks: Asks, function: Export, holders: Sequence[Holder], item: str) -> dict[Holder, float]:
    """Ask each for a number."""
    answers = told(asks, function, holders, Atom(item))
    call = f"{function.module}:{function.function}(..., {item})"
    return {holder: amount(asks.name, value, call) for holder, value in answers.items()}


def amounts(asks: Asks, pids: Sequence[Pid], item: str, *, page: int = PAGE) -> list[float]:
    """Ask processes for a number that is never negative: one for each in their order, -1 for what has none, as it is gone.

    Looking up a hundred thousand pids costs more than asking for them.
    """
    try:
        return [_amount(asks, answer, item) for answer in _answers(asks, PROCESS, pids, Atom(item), page)]
    except OverflowError as error:
        raise unlike(asks.name, f"erlang:process_info(Pid, {item})") from error


def _amount(asks: Asks, answer: Any, item: str) -> float:
    if answer == _GONE:
        return -1.0
    if type(answer) is tuple and len(answer) == 2 and answer[0] == item and isinstance(answer[1], int):
        return float(answer[1])
    raise unlike(asks.name, f"erlang:process_info(Pid, {item})")


def called(asks: Asks, pids: Sequence[Pid], *, page: int = PAGE) -> list[str]:
    """Say as what each was started: shop_cart:init/1 of a gen_server, or the function that was spawned; "" if it is gone."""
    found: list[str] = []
    for first in range(0, len(pids), page):
        asked = list(pids[first : first + page])
        answers = asks.call("lists", "map", _CALLED, asked)
        if not isinstance(answers, list) or len(answers) != len(asked):
            raise unlike(asks.name, "proc_lib:translate_initial_call/1")
        # It takes every process for one of proc_lib's: of those it knows nothing of, the node itself knows what was spawned.
        spawned = told(asks, PROCESS, [pid for pid, call in zip(asked, answers, strict=True) if call == _UNKNOWN], _INITIAL)
        found += [function_name(spawned.get(pid) if call == _UNKNOWN else call) for pid, call in zip(asked, answers, strict=True)]
    return found


def function_name(term: Any) -> str:
    """Write {module, function, arity}; what is none becomes ""."""
    match term:
        case (str(module), str(function), int(arity)) if 0 <= arity <= _MOST_ARGUMENTS:
            return f"{module}:{function}/{arity}"
        case _:
            return ""


@dataclass(frozen=True, slots=True)
class Change:
    """A number at two looks."""

    before: float
    after: float
    seconds: float  # between them

    @property
    def grown(self) -> float:
        return self.after - self.before

    @property
    def per_second(self) -> float:
        return self.grown / self.seconds if self.seconds > 0 else 0.0


Look = Callable[[], Mapping[Any, float]]


@dataclass(frozen=True, slots=True)
class Watch:
    """Looks twice. clock gives seconds; pause lets them pass."""

    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep

    def twice(
        self, look: Look, seconds: float, again: Callable[[Mapping[Any, float]], Mapping[Any, float]] | None = None
    ) -> dict[Any, Change]:
        """Give what was there both times; `again` is a second look that asks less than the first."""
        began = self.clock()
        before = look()
        self.pause(max(seconds - (self.clock() - began), 0.0))
        passed = self.clock() - began  # from one beginning to the other: both looks take their pages in one order
        after = again(before) if again else look()
        return {one: Change(before[one], after[one], passed) for one in after if one in before}


@dataclass(frozen=True, slots=True)
class Picked:
    """What to show of everything that was looked at twice."""

    changes: Mapping[Any, Change]

    def most(self, limit: int) -> list[Any]:
        """Give those that grew most, then those that hold most, limit of each: what grows slowly does so between two looks too."""
        grown = [one for one, change in self.changes.items() if change.grown > 0]
        growing = nlargest(limit, grown, key=lambda one: self.changes[one].grown)
        largest = nlargest(limit, self.changes, key=lambda one: self.changes[one].after)
        return list(dict.fromkeys([*growing, *(one for one in largest if self.changes[one].after > 0)]))
