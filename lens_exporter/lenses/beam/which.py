"""Which node a question is about, and what is answered where that node cannot be asked."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, Field

from lens_exporter.foundation.clock import Clock
from lens_exporter.lenses.beam.asks import Asks
from lens_exporter.lenses.beam.collect import NodeLens
from lens_exporter.lenses.beam.timed import TimedAsks
from lens_exporter.lenses.commandline import shown
from lens_exporter.model.tool import ToolResult, ToolStatus

Members = Callable[[], Sequence[NodeLens]]  # those that are known now
_MOST_NAMES = 20


@dataclass(frozen=True, slots=True)
class Node:
    """The node that a question is about: what publishes it, and its `asks` as long as the question has time."""

    lens: NodeLens
    asks: Asks


Answer = Callable[[Node, Any], ToolResult]


class OfNode(BaseModel, extra="forbid"):
    """Which Erlang node."""

    node: str | None = Field(
        None, max_length=512, description="label node of lens_beam_info, like rabbit@mq1; may be left out where there is only one"
    )


def about_a_node(members: Members, answer: Answer, seconds: float, clock: Clock) -> Callable[[OfNode], ToolResult]:
    """Find the node first, then ask it for at most so long. One that is known and cannot be reached raises NodeUnavailable."""

    def call(arguments: OfNode) -> ToolResult:
        known = {each.node: each for each in members()}
        lens = known.get(arguments.node) if arguments.node else next(iter(known.values()), None) if len(known) == 1 else None
        if lens is None:
            return _nobody(arguments.node, known)
        result = answer(Node(lens, TimedAsks(lens.asks, seconds, clock)), arguments)
        return replace(result, data={"node": lens.node, **result.data}) if isinstance(result.data, dict) else result

    return call


def _nobody(asked: str | None, known: Iterable[str]) -> ToolResult:
    names = sorted(known)
    listed = ", ".join(names[:_MOST_NAMES]) + (f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else "")
    if names and asked is None:
        return ToolResult(ToolStatus.ERROR, note=f"say which node, one of: {listed}")
    which = f"node {shown(asked)} is" if asked else "no node is"
    note = (
        f"{which} not in lenses.beam, so it cannot be asked: Prometheus knows only what it publishes (lens_beam_*, erlang_vm_*, "
        f"prom_ex_*), which has no processes, tables or ports; query that instead. Nodes that can be asked: {listed or 'none'}"
    )
    return ToolResult(ToolStatus.UNAVAILABLE, note=note)
