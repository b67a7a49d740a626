"""A real node as one looks inside it: what it answered about each of its processes, ports, tables and supervisors.

beam-25-inside.terms was recorded from `erl` of OTP 25 (Debian 12) by `python -m tests.recordings.beam_inside`: each line is a call and,
in base64, the term_to_binary of its answer. Answers for a page stand there for all that the node had, and are dealt out by holder.
What ends with " later" was answered after one of the three children of carts_sup, which have no ids, was killed and restarted.
"""

import re
import tempfile
from base64 import b64decode
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from lens_exporter.errors import LensError
from lens_exporter.lenses.beam.asks import Call
from lens_exporter.lenses.beam.calls import plan
from lens_exporter.lenses.beam.decode import decode
from lens_exporter.lenses.beam.terms import Atom, Export, Pid, Term

FILE = Path(__file__).with_name("beam-25-inside.terms")
LATER = " later"
GONE = Atom("undefined")

MODULE = """
-module(carts).
-export([start/0, start_cart/0, init/1, handle_call/3, handle_cast/2]).
start() -> {ok, S} = supervisor:start_link({local, carts_sup}, carts, sup), unlink(S), [{ok, _} = supervisor:start_child(S, []) || _ <- [1, 2, 3]].
start_cart() -> gen_server:start_link(carts, cart, []).
init(sup) -> {ok, {#{strategy => simple_one_for_one, intensity => 10}, [#{id => cart, start => {carts, start_cart, []}}]}};
init(cart) -> {ok, cart}.
handle_call(_, _, S) -> {reply, ok, S}.
handle_cast(_, S) -> {noreply, S}.
"""
_PREPARED = """
    {ok, carts, Code} = compile:file("%s", [binary]), {module, carts} = code:load_binary(carts, "carts", Code),
    carts:start(),
    spawn(fun() -> erlang:system_flag(scheduler_wall_time, true), receive stop -> ok end end),
    Box = spawn(fun() -> receive stop -> ok end end), [Box ! N || N <- [1, 2, 3]],
    P = self(),
    spawn(fun() -> B = binary:copy(<<0>>, 100000), {ok, _} = gen_udp:open(0, [{ip, {127, 0, 0, 1}}]), ets:new(carts, [named_table]),
        P ! ready, receive stop -> B end end),
    receive ready -> ok end, timer:sleep(100), ok
"""
_PROCESS = "memory message_queue_len reductions registered_name current_function status initial_call garbage_collection_info binary"
_PAGES = {
    "lists:zipwith(erlang:process_info/2,{})": ("[erlang:process_info(X, {}) || X <- Ps]", _PROCESS),
    "lists:zipwith(erlang:port_info/2,{})": ("[erlang:port_info(X, {}) || X <- Os]", "input output queue_size connected name"),
    "lists:zipwith(ets:info/2,{})": ("[ets:info(X, {}) || X <- Ts]", "memory name size owner"),
    "erlang:system_info({})": (
        "erlang:system_info({})",
        (
            "atom_count atom_limit dirty_cpu_schedulers dirty_cpu_schedulers_online dirty_io_schedulers ets_count ets_limit "
            "otp_release port_count port_limit process_count process_limit schedulers schedulers_online system_version wordsize"
        ),
    ),
    "erlang:statistics({})": (
        "erlang:statistics({})",
        "garbage_collection reductions run_queue_lengths_all scheduler_wall_time scheduler_wall_time_all wall_clock",
    ),
}
_ALONE = {
    "lists:map(proc_lib:translate_initial_call/1)": "[proc_lib:translate_initial_call(X) || X <- Ps]",
    "erlang:processes()": "Ps",
    "erlang:ports()": "Os",
    "ets:all()": "Ts",
    "erlang:nodes()": "[]",
    "erlang:memory()": "erlang:memory()",
    "erlang:memory([binary])": "erlang:memory([binary])",
    "persistent_term:info()": "persistent_term:info()",
    "inet:gethostname()": "inet:gethostname()",
    "os:getpid()": "os:getpid()",
    "vm_memory_monitor:get_memory_limit()": "10110600806",  # no RabbitMQ runs there
}


class InsideNode:
    """Answers as recorded. `changed` replaces whole answers by call, as `key` writes it; later is whether the child was killed."""

    def __init__(self, changed: dict[str, Term | LensError] | None = None) -> None:
        self.name = "shop@mq1"
        self.changed = dict(changed or {})
        self.later = False
        self.planned: set[str] = set()
        self.asked: list[str] = []
        self._answers = _recorded()

    def call(self, module: str, function: str, *arguments: Term) -> Term:
        (answer,) = self.calls([(module, function, arguments)])
        if isinstance(answer, LensError):
            raise answer
        return answer

    def calls(self, several: Sequence[Call]) -> list[Term | LensError]:
        return [self._answer(call) for call in several]

    def close(self) -> None:
        self.asked.append("close")

    def recorded(self, call: str) -> Any:
        """Give what was answered to a call, as it is now."""
        return self._answers.get(call + LATER, self._answers.get(call)) if self.later else self._answers[call]

    def _answer(self, call: Call) -> Term | LensError:
        self.planned.add(plan(*call).name)
        self.asked.append(key(call))
        if key(call) in self.changed:
            return self.changed[key(call)]
        module, function, arguments = call
        if module != "lists":
            return self.recorded(key(call))
        called, holders, *rest = arguments
        assert isinstance(called, Export)
        if function == "map":
            return [self._of(key(call), "erlang:processes()", holder) for holder in _list(holders)]
        source = {"process_info": "erlang:processes()", "port_info": "erlang:ports()"}.get(called.function, "ets:all()")
        return [self._item(called, source, holder, item) for holder, item in zip(_list(holders), _list(rest[0]), strict=True)]

    def _item(self, called: Export, source: str, holder: Any, item: Any) -> Any:
        if isinstance(item, list):
            found = [self._item(called, source, holder, each) for each in item]
            return (
                GONE if GONE in found else [(each, []) if value == [] else value for each, value in zip(item, found, strict=True)]
            )
        return self._of(key(("lists", "zipwith", (called, [], [item]))), source, holder)

    def _of(self, call: str, source: str, holder: Any) -> Any:
        known = self.recorded(source)
        return self.recorded(call)[known.index(holder)] if holder in known else GONE


@cache
def _recorded() -> dict[str, Any]:
    lines = (line.rpartition(" ") for line in FILE.read_text(encoding="ascii").splitlines())
    return {call: decode(b64decode(answer)) for call, _, answer in lines}


def _list(term: Any) -> list[Any]:
    assert isinstance(term, list)
    return term


def key(call: Call) -> str:
    """Write a call as Erlang would, of a page only what is asked of each."""
    module, function, arguments = call
    if module != "lists":
        return f"{module}:{function}({','.join(map(_shown, arguments))})"
    called: Any = arguments[0]
    items: Any = arguments[2:] and arguments[2]
    asked = f",{_shown(items[0])}" if items else ""
    return f"lists:{function}({called.module}:{called.function}/{called.arity}{asked})"


def _shown(term: Any) -> str:
    return f"[{','.join(map(str, term))}]" if isinstance(term, list) else str(term)


def _record() -> None:
    from tests.servers.erlang import ErlangNode  # noqa: PLC0415 - tests that replay need no servers

    wanted = {name.format(item): words.format(item) for name, (words, items) in _PAGES.items() for item in items.split()} | _ALONE
    with tempfile.TemporaryDirectory() as folder, ErlangNode(Path(folder) / "erl") as node:
        source = Path(folder) / "carts.erl"
        source.write_text(MODULE)
        node.run(_PREPARED % source)
        lines = _told(node, wanted)
        node.run("[{_, Cart, _, _} | _] = supervisor:which_children(carts_sup), exit(Cart, kill), timer:sleep(200)")
        lines += [f"{call}{LATER} {answer}" for call, answer in (line.rsplit(" ", 1) for line in _told(node, wanted))]
    FILE.write_text("\n".join(lines) + "\n", encoding="ascii")


def _told(node: Any, wanted: dict[str, str]) -> list[str]:
    """Ask for everything in one go, so that all of it is of the same processes; then every supervisor for its children."""
    encoded = _encoded(node, ", ".join(wanted.values()), "Ps = erlang:processes(), Os = erlang:ports(), Ts = ets:all(),")
    answered = dict(zip(wanted, encoded, strict=True))
    pids, calls = (decode(b64decode(answered[each])) for each in ("erlang:processes()", next(iter(_ALONE))))
    for pid, call in zip(_list(pids), _list(calls), strict=True):
        if isinstance(call, tuple) and call[0] == "supervisor" and isinstance(pid, Pid):
            for function in ("count_children", "which_children"):
                (answer,) = _encoded(node, f'supervisor:{function}(list_to_pid("{pid}"))')
                answered[f"supervisor:{function}({pid})"] = answer
    return [f"{call} {answer}" for call, answer in answered.items()]


def _encoded(node: Any, answers: str, before: str = "") -> list[str]:
    told = node.run(f"{before} [base64:encode(term_to_binary(X)) || X <- [{answers}]]")
    return re.findall(r'<<"([A-Za-z0-9+/=]*)">>', told)


if __name__ == "__main__":
    _record()
