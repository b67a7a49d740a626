"""The questions about what goes wrong on a node, and how long each of them looks."""

from collections.abc import Iterator

from pydantic import BaseModel, Field

from lens_exporter.lenses.beam.diagnose_children import restarting_children
from lens_exporter.lenses.beam.diagnose_processes import binary_holders, by_initial_call, growing_processes
from lens_exporter.lenses.beam.diagnose_resources import atom_growth, busy_ports, ets_growth, scheduler_balance
from lens_exporter.lenses.beam.looking import Watch
from lens_exporter.lenses.beam.top import SortBy
from lens_exporter.lenses.beam.which import Answer, OfNode

_LIMIT = Field(10, ge=1, le=25, description="most rows of each kind to give")


class Limited(OfNode, extra="forbid"):
    limit: int = _LIMIT


class Looks(Limited, extra="forbid"):
    seconds: float = Field(2.0, ge=0.5, le=8.0, description="how long to look")


class GrowingProcesses(Looks, extra="forbid"):
    sort_by: SortBy = SortBy.MESSAGE_QUEUE


class Diagnostics:
    """Looks twice where something is to be seen growing."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def rows(self) -> Iterator[tuple[str, str, Answer, type[BaseModel]]]:
        """Give name, description, answer and arguments of each."""
        watch = self._watch
        yield (
            "beam_find_growing_processes",
            "Processes of an Erlang node whose mailbox, memory or reductions grow most between two looks (who spins), or are most.",
            lambda node, asked: growing_processes(node.asks, watch, asked.sort_by, asked.seconds, asked.limit),
            GrowingProcesses,
        )
        yield (
            "beam_find_binary_leaks",
            "Processes of an Erlang node that keep most memory of binaries alive, and whether that grows.",
            lambda node, asked: binary_holders(node.asks, watch, asked.seconds, asked.limit),
            Looks,
        )
        yield (
            "beam_find_atom_growth",
            "Whether the atoms of an Erlang node grow, when none are left, and which processes work meanwhile.",
            lambda node, asked: atom_growth(node.asks, watch, asked.seconds, asked.limit),
            Looks,
        )
        yield (
            "beam_find_ets_growth",
            "ETS tables of an Erlang node that grow between two looks, and the largest, with size and owner.",
            lambda node, asked: ets_growth(node.asks, watch, asked.seconds, asked.limit),
            Looks,
        )
        yield (
            "beam_find_scheduler_imbalance",
            "How busy each scheduler of an Erlang node is, and how much waits for it.",
            lambda node, asked: scheduler_balance(node.asks, watch, asked.seconds),
            Looks,
        )
        yield (
            "beam_find_busy_ports",
            "Ports of an Erlang node (sockets, files, programs): traffic between two looks, output that waits, who owns most.",
            lambda node, asked: busy_ports(node.asks, watch, asked.seconds, asked.limit),
            Looks,
        )
        yield (
            "beam_find_restarting_children",
            "Children of an Erlang node's supervisors that are restarted while one looks.",
            lambda node, asked: restarting_children(node.asks, watch, asked.seconds, asked.limit),
            Looks,
        )
        yield (
            "beam_count_processes",
            "Processes of an Erlang node by what they were started as, with their number and memory.",
            lambda node, asked: by_initial_call(node.asks, asked.limit),
            Limited,
        )
