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

PAGE = 5000  # most processes, ports or tables of one call
_WAIT_ON_NODE = 5000  # ms; within that a supervisor answers, or whoever asked it for us gives up and is gone

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
    if module == "supervisor":
        # The request is the same; sent this way, the process that asks on the node does not wait for ever.
        module, function, arguments = "gen_server", "call", (arguments[0], Atom(function), _WAIT_ON_NODE)
    limit = allowed.limit or _BYTES[weight]
    return Planned(name, Atom(module), Atom(function), list(arguments), weight, limit, seconds[weight])


# --- what arguments may be ---


def _nothing(_arguments: tuple[Term, ...]) -> str:
    return ""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SYSTEM_INFO = _words(
    "atom_count atom_limit creation cpu_topology debug_compiled dirty_cpu_schedulers dirty_cpu_schedulers_online "
    "dirty_io_schedulers dist_buf_busy_limit emu_flavor emu_type ets_count ets_limit fullsweep_after garbage_collection "
    "kernel_poll logical_processors logical_processors_available logical_processors_online machine max_heap_size min_heap_size "
    "min_bin_vheap_size multi_scheduling nif_version os_monotonic_time_source otp_release port_count port_limit port_parallelism "
    "process_count process_limit scheduler_bind_type schedulers schedulers_online smp_support start_time system_architecture "
    "system_version thread_pool_size threads time_correction time_offset time_warp_mode tolerant_timeofday version wordsize"
)
_STATISTICS = _words(
    "active_tasks active_tasks_all context_switches garbage_collection io reductions run_queue run_queue_lengths "
    "run_queue_lengths_all runtime scheduler_wall_time scheduler_wall_time_all total_active_tasks total_active_tasks_all "
    "total_run_queue_lengths total_run_queue_lengths_all wall_clock"
)
_MEMORY = _words("total processes processes_used system atom atom_used binary code ets maximum")
_PROCESS = _words(
    "binary current_function current_location current_stacktrace garbage_collection garbage_collection_info group_leader heap_size "
    "initial_call links memory message_queue_data message_queue_len min_bin_vheap_size min_heap_size monitored_by monitors parent "
    "priority reductions registered_name stack_size status suspending total_heap_size trap_exit"
)
_DICTIONARY = _words("$initial_call $ancestors $process_label")  # the keys OTP itself keeps there
_PORT = _words("connected id input links locking memory monitors name os_pid output parallelism queue_size registered_name")
_TABLE = _words(
    "binary compressed decentralized_counters heir id keypos memory name named_table node owner protection read_concurrency size "
    "type write_concurrency"
)
_NODES = _words("connected hidden this visible")


def _item(words: frozenset[str]) -> Callable[[Any], bool]:
    return lambda item: type(item) is Atom and item in words


def _process_item(item: Any) -> bool:
    if type(item) is tuple:
        return len(item) == 2 and item[0] == "dictionary" and type(item[1]) is Atom and item[1] in _DICTIONARY
    return type(item) is Atom and item in _PROCESS


def _process_items(item: Any) -> bool:
    return all(map(_process_item, item)) and len(item) <= len(_PROCESS) if type(item) is list else _process_item(item)


def _system_item(item: Any) -> bool:
    return item == (Atom("wordsize"), Atom("external")) or _item(_SYSTEM_INFO)(item)


def _memory_kinds(items: Any) -> bool:
    return type(items) is list and all(map(_item(_MEMORY), items)) and len(items) <= len(_MEMORY)


def _is(*kinds: type) -> Callable[[Any], bool]:
    return lambda term: type(term) in kinds


def _each(*checks: Callable[[Any], bool]) -> _Check:
    def check(arguments: tuple[Term, ...]) -> str:
        wrong = next((i for i, (holds, each) in enumerate(zip(checks, arguments, strict=True), 1) if not holds(each)), 0)
        return f"argument {wrong} is not one it may have" if wrong else ""

    return check


_is_table = _is(Atom, Reference)


@dataclass(frozen=True, slots=True)
class _Paged:
    """What a function may be called with, once for each of a page."""

    holders: Callable[[Any], bool]
    items: Callable[[Any], bool] | None = None


_ZIPPED: Mapping[Export, _Paged] = {
    Export(Atom("erlang"), Atom("process_info"), 2): _Paged(_is(Pid), _process_items),
    Export(Atom("erlang"), Atom("port_info"), 2): _Paged(_is(Port), _item(_PORT)),
    Export(Atom("ets"), Atom("info"), 2): _Paged(_is_table, _item(_TABLE)),
}
_MAPPED: Mapping[Export, _Paged] = {
    Export(Atom("erlang"), Atom("port_info"), 1): _Paged(_is(Port)),
    Export(Atom("ets"), Atom("info"), 1): _Paged(_is_table),
    Export(Atom("proc_lib"), Atom("translate_initial_call"), 1): _Paged(_is(Pid)),
}


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
    "application:which_applications/0": Allowed(_HEAVY, _nothing),
    "erlang:memory/0": Allowed(_LIGHT, _nothing),
    "erlang:memory/1": Allowed(_LIGHT, _each(_memory_kinds)),
    "erlang:node/0": Allowed(_LIGHT, _nothing),
    "erlang:nodes/0": Allowed(_LIGHT, _nothing),
    "erlang:nodes/1": Allowed(_LIGHT, _each(_item(_NODES))),
    "erlang:port_info/1": Allowed(_LIGHT, _each(_is(Port))),
    "erlang:port_info/2": Allowed(_LIGHT, _each(_is(Port), _item(_PORT))),
    "erlang:ports/0": Allowed(_HEAVY, _nothing),
    "erlang:process_info/2": Allowed(_LIGHT, _each(_is(Pid), _process_items)),
    "erlang:processes/0": Allowed(
        _HEAVY, _nothing, 64 * _MIB
    ),  # a million of them have 30 to 60 MB, by the length of the node's name
    "erlang:registered/0": Allowed(_LIGHT, _nothing),
    "erlang:statistics/1": Allowed(_LIGHT, _each(_item(_STATISTICS))),
    "erlang:system_info/1": Allowed(_LIGHT, _each(_system_item)),
    "ets:all/0": Allowed(_HEAVY, _nothing),
    "ets:info/1": Allowed(_LIGHT, _each(_is_table)),
    "ets:info/2": Allowed(_LIGHT, _each(_is_table, _item(_TABLE))),
    "inet:gethostname/0": Allowed(_LIGHT, _nothing),
    "init:get_status/0": Allowed(_LIGHT, _nothing),
    "lists:map/2": Allowed(_HEAVY, _page(_MAPPED)),
    "lists:zipwith/3": Allowed(_HEAVY, _page(_ZIPPED)),
    "os:getpid/0": Allowed(_LIGHT, _nothing),
    "os:type/0": Allowed(_LIGHT, _nothing),
    "os:version/0": Allowed(_LIGHT, _nothing),
    "persistent_term:info/0": Allowed(_LIGHT, _nothing),
    "proc_lib:translate_initial_call/1": Allowed(_LIGHT, _each(_is(Pid))),
    "supervisor:count_children/1": Allowed(_HEAVY, _each(_is(Pid, Atom))),
    "supervisor:which_children/1": Allowed(_HEAVY, _each(_is(Pid, Atom))),
    "vm_memory_monitor:get_memory_limit/0": Allowed(_LIGHT, _nothing),  # RabbitMQ's
}
