"""All nodes together: who they are, a lens for each, and the tools for all of them."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from prometheus_client.metrics_core import Metric

from lens_exporter.config.beam import Beam
from lens_exporter.errors import LensUnavailable
from lens_exporter.lenses.beam.asks import Asks
from lens_exporter.lenses.beam.baseline import tracked
from lens_exporter.lenses.beam.collect import NodeLens
from lens_exporter.lenses.beam.discovery import MOST_NODES, Found
from lens_exporter.lenses.beam.families import DISCOVERY
from lens_exporter.lenses.beam.memory_limit import MemoryLimits
from lens_exporter.lenses.beam.timed import TOOL_TIMEOUT
from lens_exporter.lenses.emission import Emission
from lens_exporter.model.metric import BaselineMetric

if TYPE_CHECKING:
    from lens_exporter.model.tool import Tool

log = logging.getLogger("lens_exporter.lenses")

_MOST_MISSING = 500  # nodes: an EPMD may name others each time
_FORGOTTEN_AFTER = 900.0  # seconds: a node that is down is gone from EPMD and DNS too, and must be seen to be down before


class Client(Asks, Protocol):
    """A connection that can be given up."""

    def close(self) -> None: ...


Discover = Callable[[Sequence[Beam]], Sequence[tuple[Beam, Found]]]
Connect = Callable[[str, Beam], Client]  # a node's name and how its section says to reach it; connects when it is first asked


@dataclass(slots=True)
class _Known:
    lens: NodeLens
    client: Client
    source: str  # the setting that named it last
    seen: float  # when it did


class BeamLens:
    """Finds the nodes of all sections. A scrape asks those found by the one before; the first section that names a node has it."""

    name = "beam"

    def __init__(
        self,
        sections: Sequence[Beam],
        connect: Connect,
        discover: Discover,
        *,
        tool_timeout: float = TOOL_TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take tool_timeout to be how many seconds anybody waits for one of its tools."""
        self._sections = tuple(sections)
        self._connect = connect
        self._discover = discover
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._tool_timeout = tool_timeout
        self._closed = False
        self._said: set[str] = set()
        for section in self._sections:
            self._meet(section, Found("nodes", section.nodes), clock())

    def members(self) -> tuple[NodeLens, ...]:
        """Give a lens for each node that is known."""
        with self._lock:
            return tuple(known.lens for known in self._known.values())

    def collect(self) -> Iterable[Metric]:
        """Look for nodes; the next scrape asks those found now.

        A setting that cannot name its nodes now costs its own count only, and shows in lens_beam_source_up; those it has named
        before stay.

        Raises:
            LensUnavailable: no setting could name its nodes.

        """
        found = self._discover(self._sections)
        now = self._clock()
        for section, each in found:
            self._meet(section, each, now)
        failed = [each for _, each in found if each.error]
        self._stay({each.source for each in failed}, now)
        if failed and len(failed) == len(found):
            raise LensUnavailable(lens=self.name, reason="; ".join(f"{each.source}: {each.error}" for each in failed))
        self._forget(now)
        self._say([each for _, each in found])
        emission = Emission(DISCOVERY)
        for source, counts in _by_source(each for _, each in found).items():
            emission.add("lens_beam_nodes", None if None in counts else sum(filter(None, counts)), source=source)
            emission.add("lens_beam_source_up", 0.0 if None in counts else 1.0, source=source)
        return emission.families()

    def baseline_metrics(self) -> Sequence[BaselineMetric]:
        return tracked()

    def tools(self) -> "Sequence[Tool]":
        from lens_exporter.lenses.beam.tools import BeamTools  # noqa: PLC0415 - tools bring what a scrape does not need

        return BeamTools(self.members, timeout=self._tool_timeout).all()

    def close(self) -> None:
        """Close all connections, for good."""
        with self._lock:
            self._closed = True
            gone, self._known = list(self._known.values()), {}
        for known in gone:
            known.client.close()

    def _meet(self, section: Beam, found: Found, now: float) -> None:
        with self._lock:
            for name in found.names if not self._closed else ():
                known = self._known.get(name)
                if known is None:
                    client = self._connect(name, section)
                    lens = NodeLens(client, limits=MemoryLimits(section.memory_limit), queues_up_to=section.mailboxes)
                    self._known[name] = _Known(lens, client, found.source, now)
                else:
                    known.source, known.seen = found.source, now

    def _stay(self, sources: Collection[str], now: float) -> None:
        """Take the nodes of these sources for found: who was not asked has not said that they are gone."""
        with self._lock:
            for known in self._known.values():
                if known.source in sources:
                    known.seen = now

    def _forget(self, now: float) -> None:
        """Forget the nodes that have not been found for long, and of those that are missing all but the last so many."""
        with self._lock:
            missing = sorted((-known.seen, name) for name, known in self._known.items() if known.seen < now)
            gone = [
                self._known.pop(name)
                for at, (seen, name) in enumerate(missing)
                if -seen <= now - _FORGOTTEN_AFTER or at >= _MOST_MISSING
            ]
        for known in gone:
            log.info("lens %s is gone: it has not been found any more", known.lens.name)
            known.client.close()

    def _say(self, found: Iterable[Found]) -> None:
        """Log what could not be named when that begins, and not scrape by scrape."""
        too_many = f"with it there are more than {MOST_NODES} nodes, of which the first {MOST_NODES} are asked"
        problems = {each.source: each.error or too_many for each in found if each.error or each.more}
        for source in problems.keys() - self._said:
            log.warning("lens %s: %s: %s", self.name, source, problems[source])
        self._said = set(problems)


def _by_source(found: Iterable[Found]) -> dict[str, list[float | None]]:
    """Give how many nodes each source has named, in each section that has it; None where it could not."""
    counts: dict[str, list[float | None]] = {}
    for each in found:
        counts.setdefault(each.source, []).append(None if each.error else float(len(each.names)))
    return counts
