"""All nodes together: who they are, a lens for each, and the tools for all of them."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from prometheus_client.metrics_core import Metric

from lens_exporter.config.beam import Beam
from lens_exporter.errors import LensUnavailable
from lens_exporter.lenses.beam.asks import Asks
from lens_exporter.lenses.beam.baseline import tracked
from lens_exporter.lenses.beam.collect import NodeLens
from lens_exporter.lenses.beam.discovery import Found
from lens_exporter.lenses.beam.families import DISCOVERY
from lens_exporter.lenses.beam.memory_limit import MemoryLimits
from lens_exporter.lenses.emission import Emission
from lens_exporter.model.metric import BaselineMetric

if TYPE_CHECKING:
    from lens_exporter.model.tool import Tool

log = logging.getLogger("lens_exporter.lenses")

_FORGOTTEN_AFTER = 900.0  # seconds: a node that is down is gone from EPMD and DNS too, and must be seen to be down before


class Client(Asks, Protocol):
    """A connection that can be given up."""

    def close(self) -> None: ...


Connect = Callable[[str, Beam], Client]  # a node's name and how its section says to reach it; connects when it is first asked


@dataclass(slots=True)
class _Known:
    lens: NodeLens
    client: Client
    seen: float  # when it was last found


class BeamLens:
    """Finds the nodes of all sections. A scrape asks those found by the one before; the first section that names a node has it."""

    name = "beam"

    def __init__(
        self,
        sections: Sequence[Beam],
        connect: Connect,
        discover: Callable[[Beam], Iterable[Found]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sections = tuple(sections)
        self._connect = connect
        self._discover = discover
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._closed = False
        for section in self._sections:
            self._meet(section, section.nodes)

    def members(self) -> tuple[NodeLens, ...]:
        """Give a lens for each node that is known."""
        with self._lock:
            return tuple(known.lens for known in self._known.values())

    def collect(self) -> Iterable[Metric]:
        """Look for nodes; the next scrape asks those found now.

        Raises:
            LensUnavailable: some setting could not name its nodes now; those it has named before stay.

        """
        found = [(section, each) for section in self._sections for each in self._discover(section)]
        counts: dict[str, int] = {}
        for section, each in found:
            self._meet(section, each.names)
            counts[each.source] = counts.get(each.source, 0) + len(each.names)
        failed = [each for _, each in found if each.error]
        if failed:
            self._stay()
            raise LensUnavailable(lens=self.name, reason="; ".join(f"{each.source}: {each.error}" for each in failed))
        self._forget()
        emission = Emission(DISCOVERY)
        for source, count in counts.items():
            emission.add("lens_beam_nodes", count, source=source)
        return emission.families()

    def baseline_metrics(self) -> Sequence[BaselineMetric]:
        return tracked()

    def tools(self) -> "Sequence[Tool]":
        from lens_exporter.lenses.beam.tools import BeamTools  # noqa: PLC0415 - tools bring what a scrape does not need

        return BeamTools(self.members).all()

    def close(self) -> None:
        """Close all connections, for good."""
        with self._lock:
            self._closed = True
            gone, self._known = list(self._known.values()), {}
        for known in gone:
            known.client.close()

    def _meet(self, section: Beam, names: Iterable[str]) -> None:
        with self._lock:
            for name in names if not self._closed else ():
                known = self._known.get(name)
                if known is None:
                    client = self._connect(name, section)
                    lens = NodeLens(client, limits=MemoryLimits(section.memory_limit), queues_up_to=section.mailboxes)
                    self._known[name] = _Known(lens, client, self._clock())
                else:
                    known.seen = self._clock()

    def _stay(self) -> None:
        """Take every node for found: who was not asked has not said that they are gone."""
        with self._lock:
            for known in self._known.values():
                known.seen = self._clock()

    def _forget(self) -> None:
        with self._lock:
            before = self._clock() - _FORGOTTEN_AFTER
            gone = [self._known.pop(name) for name in [name for name, known in self._known.items() if known.seen <= before]]
        for known in gone:
            log.info("lens %s is gone: it has not been found for %.0f s", known.lens.name, _FORGOTTEN_AFTER)
            known.client.close()
