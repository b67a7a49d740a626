"""The calls that may be sent to a node: all of them read. Whatever is not here is refused before a byte is sent.

Left out on purpose, though a node would answer: the messages and the dictionary of a process and the contents of tables (they hold
users' data), system_info(allocator) (locks every allocator in turn), and everything that traces, sets a flag or waits for an
event.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from lens_exporter.errors import CallRefused
from lens_exporter.lenses.beam.terms import Atom, Export, Pid, Port, Reference, Term

# Most processes, ports or tables of one call: an answer of one number each is some 100 kB, and the node works on in between.
PAGE = 5000
_WAIT_ON_NODE = 5000  # ms; within that a server on the node answers, or whoever asked it for us gives up and is gone

_Check = Callable[[tuple[Term, ...]], str]  # what is wrong with the arguments; "" if nothing


class Weight(Enum):
    """A heavy call visits everything there is, or waits in a process's mailbox: one of them at a time on each node."""

    LIGHT = "light"
    HEAVY = "heavy"


_MIB = 1024 * 1024
SECONDS: Mapping[Weight, float] = {Weight.LIGHT: 5.0, Weight.HEAVY: 10.0}
_BYTES = {Weight.LIGHT: _MIB, Weight.HEAVY: 16 * _MIB}


@dataclass(frozen=True, slots=True)
class Allowed:
    weight: Weight
    check: _Check
    limit: int = 0  # bytes of the answer; 0: what its weight allows
    server: bool = False  # a process answers it: the one that is its argument, else the one named as the module


@dataclass(frozen=True, slots=True)
class Planned:
    """A call as it will be sent."""

    name: str  # erlang:memory/0
    module: Atom
    function: Atom
    arguments: list[Any]
    weight: Weight
    limit: int  # bytes of the answer
    seconds: float  # that are waited for it


def plan(module: str, function: str, arguments: tuple[Term, ...], seconds: Mapping[Weight, float] = SECONDS) -> Planned:
    """Say how a call will be sent.

    Raises:
        CallRefused: it is not among the allowed ones, or not with these arguments.

    """
    name = f"{module}:{function}/{len(arguments)}"
    allowed = ALLOWED.get(name)
    if allowed is None:
        raise CallRefused(call=name, reason="its function is not in the list")
    problem = allowed.check(arguments)
    if problem:
        raise CallRefused(call=name, reason=problem)
    weight = allowed.weight
    if allowed.server:
        # The request is the same; sent this way, the process that asks on the node does not wait for ever.
        server = arguments[0] if arguments else Atom(module)
        module, function, arguments = "gen_server", "call", (server, Atom(function), _WAIT_ON_NODE)
    limit = allowed.limit or _BYTES[weight]
    return Planned(name, Atom(module), Atom(function), list(arguments), weight, limit, seconds[weight])


# --- what arguments may be ---


def _nothing(_arguments: tuple[Term, ...]) -> str:
    return ""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SYSTEM_INFO = _words(
    "atom_count atom_limit dirty_cpu_schedulers dirty_cpu_schedulers_online dirty_io_schedulers ets_count ets_limit otp_release "
    "port_count port_limit process_count process_limit schedulers schedulers_online system_version wordsize"
)
_STATISTICS = _words("garbage_collection reductions run_queue_lengths_all scheduler_wall_time scheduler_wall_time_all wall_clock")
_MEMORY = _words("binary")
_PROCESS = _words(
    "binary current_function garbage_collection_info initial_call memory message_queue_len reductions registered_name status"
)
_PORT = _words("connected input name output queue_size")
_TABLE = _words("memory name owner size")


def _item(words: frozenset[str]) -> Callable[[Any], bool]:
    return lambda item: type(item) is Atom and item in words


def _process_items(item: Any) -> bool:
    holds = _item(_PROCESS)
    return all(map(holds, item)) and len(item) <= len(_PROCESS) if type(item) is list else holds(item)


def _memory_kinds(items: Any) -> bool:
    return type(items) is list and all(map(_item(_MEMORY), items)) and len(items) <= len(_MEMORY)


def _is(*kinds: type) -> Callable[[Any], bool]:
    return lambda term: type(term) in kinds


def _each(*checks: Callable[[Any], bool]) -> _Check:
    def check(arguments: tuple[Term, ...]) -> str:
        wrong = next((i for i, (holds, each) in enumerate(zip(checks, arguments, strict=True), 1) if not holds(each)), 0)
        return f"argument {wrong} is not one it may have" if wrong else ""

    return check


@dataclass(frozen=True, slots=True)
class _Paged:
    """What a function may be called with, once for each of a page."""

    holders: Callable[[Any], bool]
    items: Callable[[Any], bool] | None = None


_ZIPPED: Mapping[Export, _Paged] = {
    Export(Atom("erlang"), Atom("process_info"), 2): _Paged(_is(Pid), _process_items),
    Export(Atom("erlang"), Atom("port_info"), 2): _Paged(_is(Port), _item(_PORT)),
    Export(Atom("ets"), Atom("info"), 2): _Paged(_is(Atom, Reference), _item(_TABLE)),
}
_MAPPED: Mapping[Export, _Paged] = {Export(Atom("proc_lib"), Atom("translate_initial_call"), 1): _Paged(_is(Pid))}


def _page(functions: Mapping[Export, _Paged]) -> _Check:
    def check(arguments: tuple[Term, ...]) -> str:
        function, *rest = arguments
        paged = functions.get(function) if type(function) is Export else None
        if paged is None:
            return "its first argument is none of the functions that may be mapped"
        lists = [each for each in rest if isinstance(each, list) and len(each) <= PAGE]
        if len(lists) < len(rest):
            return f"a page is a list of at most {PAGE}"
        if not all(map(paged.holders, lists[0])):
            return "argument 2 is not one it may have"
        if paged.items is None:
            return ""
        # Mostly one and the same list stands there for each of the page: it is looked at once.
        different = {id(each): each for each in lists[1]}
        if len(lists[1]) != len(lists[0]) or not all(map(paged.items, different.values())):
            return "argument 3 is not one it may have"
        return ""

    return check


# --- the list ---

_LIGHT, _HEAVY = Weight.LIGHT, Weight.HEAVY

ALLOWED: Mapping[str, Allowed] = {
    "erlang:memory/0": Allowed(_LIGHT, _nothing),
    "erlang:memory/1": Allowed(_LIGHT, _each(_memory_kinds)),
    "erlang:node/0": Allowed(_LIGHT, _nothing),  # asked by whoever only wants to know that it answers
    "erlang:nodes/0": Allowed(_LIGHT, _nothing),
    "erlang:ports/0": Allowed(_HEAVY, _nothing),
    # A million of them have 30 to 60 MB, by the length of the node's name.
    "erlang:processes/0": Allowed(_HEAVY, _nothing, 64 * _MIB),
    "erlang:statistics/1": Allowed(_LIGHT, _each(_item(_STATISTICS))),
    "erlang:system_info/1": Allowed(_LIGHT, _each(_item(_SYSTEM_INFO))),
    "ets:all/0": Allowed(_HEAVY, _nothing),
    "inet:gethostname/0": Allowed(_LIGHT, _nothing),
    "lists:map/2": Allowed(_HEAVY, _page(_MAPPED)),
    "lists:zipwith/3": Allowed(_HEAVY, _page(_ZIPPED)),
    "os:getpid/0": Allowed(_LIGHT, _nothing),
    "persistent_term:info/0": Allowed(_LIGHT, _nothing),
    "supervisor:count_children/1": Allowed(_HEAVY, _each(_is(Pid)), server=True),
    "supervisor:which_children/1": Allowed(_HEAVY, _each(_is(Pid)), server=True),
    "vm_memory_monitor:get_memory_limit/0": Allowed(_LIGHT, _nothing, server=True),  # RabbitMQ's
}
