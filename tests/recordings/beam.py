"""What a real node answered to every call the BEAM lens makes, for tests without a node.

beam-25.terms was recorded from `erl` of OTP 25 (Debian 12) and the last line of it from RabbitMQ 3.10, by `python -m tests.recordings.beam`:
each line is a call and, in base64, the term_to_binary of its answer, evaluated on the node through erl_call.
"""

import tempfile
from base64 import b64decode
from collections.abc import Sequence
from pathlib import Path

from lens_exporter.errors import LensError, NotThere
from lens_exporter.lenses.beam.answers import BROKER, PARTS
from lens_exporter.lenses.beam.asks import Call
from lens_exporter.lenses.beam.decode import decode
from lens_exporter.lenses.beam.terms import Term

FILE = Path(__file__).with_name("beam-25.terms")
# Schedulers are timed and have worked; a process has three messages waiting, another one.
_PREPARED = """
    spawn(fun() -> erlang:system_flag(scheduler_wall_time, true), receive stop -> ok end end),
    Box = spawn(fun() -> receive stop -> ok end end), Other = spawn(fun() -> receive stop -> ok end end),
    [Box ! N || N <- [1, 2, 3]], Other ! 1, lists:sum(lists:seq(1, 3000000)), ok
"""
_QUEUES = "[erlang:process_info(Pid, message_queue_len) || Pid <- erlang:processes()]"


class RecordedNode:
    """Answers as recorded. `changed` replaces answers by call, as `written` writes it; an error among them is the answer."""

    def __init__(self, name: str = "shop@mq1", changed: dict[str, Term | LensError] | None = None) -> None:
        self.name = name
        self.asked: list[str] = []
        self.changed = dict(changed or {})
        self._answers = dict(line.split(" ") for line in FILE.read_text(encoding="ascii").splitlines())

    def call(self, module: str, function: str, *arguments: Term) -> Term:
        (answer,) = self.calls([(module, function, arguments)])
        if isinstance(answer, LensError):
            raise answer
        return answer

    def calls(self, several: Sequence[Call]) -> list[Term | LensError]:
        return [self._answer(written(call)) for call in several]

    def close(self) -> None:
        self.asked.append("close")

    def _answer(self, call: str) -> Term | LensError:
        self.asked.append(call)
        if call in self.changed:
            return self.changed[call]
        return decode(b64decode(self._answers[call]), node=self.name)


def written(call: Call) -> str:
    """Write a call as Erlang would, without the long arguments of a page."""
    module, function, arguments = call
    return f"{module}:{function}({','.join(map(str, arguments)) if module != 'lists' else ''})"


NO_BROKER = {
    "vm_memory_monitor:get_memory_limit()": NotThere(node="shop@mq1", call="vm_memory_monitor:get_memory_limit/0", reason="noproc")
}


def _record() -> None:
    from tests.servers.erlang import ErlangNode  # noqa: PLC0415 - tests that replay need no servers
    from tests.servers.rabbitmq import RabbitServer  # noqa: PLC0415

    told = [call for part, calls in PARTS.items() if part != BROKER for call in calls]
    expressions = {written(call): written(call) for call in told}
    expressions |= {"erlang:processes()": "erlang:processes()", "lists:zipwith()": _QUEUES}
    with tempfile.TemporaryDirectory() as folder:
        with ErlangNode(Path(folder) / "erl") as node:
            node.run(_PREPARED)
            lines = [f"{call} {_encoded(node, expression)}" for call, expression in expressions.items()]
        with RabbitServer(Path(folder) / "rabbit") as broker:
            lines += [f"{written(call)} {_encoded(broker, written(call))}" for call in PARTS[BROKER]]
    FILE.write_text("\n".join(lines) + "\n", encoding="ascii")


def _encoded(node, expression: str) -> str:
    return node.run(f"binary_to_list(base64:encode(term_to_binary({expression})))").strip('"')


if __name__ == "__main__":
    _record()
