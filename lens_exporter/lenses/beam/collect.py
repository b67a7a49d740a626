"""Publishes one node."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from prometheus_client.metrics_core import Metric

from lens_exporter.config.beam import MAILBOXES
from lens_exporter.lenses.beam import direct
from lens_exporter.lenses.beam.answers import BROKER, PARTS
from lens_exporter.lenses.beam.asks import Asks
from lens_exporter.lenses.beam.baseline import tracked
from lens_exporter.lenses.beam.families import FAMILIES
from lens_exporter.lenses.beam.memory_limit import NO_LIMIT, Limit, MemoryLimits
from lens_exporter.lenses.beam.queues import QUEUES
from lens_exporter.lenses.beam.snapshot import Snapshot
from lens_exporter.lenses.beam.timed import TimedAsks
from lens_exporter.lenses.emission import Emission, Usage
from lens_exporter.lenses.rate import Rates
from lens_exporter.model.metric import BaselineMetric

if TYPE_CHECKING:
    from lens_exporter.model.tool import Tool

log = logging.getLogger("lens_exporter.lenses")

_WINDOW = 60.0  # seconds, as for CPU time of hosts
_SECONDS = 4.0  # of one reading: a scrape waits for five, and what was read until then is still to be published
_HOST = "host"


class NodeLens:
    """One node, asked at each scrape. Every sample carries its name as `node`."""

    def __init__(
        self,
        asks: Asks,
        *,
        limits: MemoryLimits | None = None,
        queues_up_to: int = MAILBOXES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.asks = asks
        self.node = asks.name
        self.name = f"beam:{asks.name}"
        self._limits = limits or MemoryLimits()
        self._queues_up_to = queues_up_to
        self._clock = clock
        self._rates = Rates(_WINDOW, clock=clock)
        self._missing: set[str] = set()

    def collect(self) -> Iterable[Metric]:
        """Give the families of the node; a part that could not be read costs its own families only, and shows in lens_beam_part_up.

        Raises:
            LensUnavailable: there is no connection to it; any other LensError: nothing could be read.

        """
        told = direct.read(TimedAsks(self.asks, _SECONDS, self._clock), queues_up_to=self._queues_up_to)
        no_broker = told.broker_memory_limit is None and BROKER not in told.failed
        emission = Emission(FAMILIES)
        failed = dict(told.failed)
        try:
            limit = self._limits.of(told)
        except (OSError, ValueError) as error:
            limit, failed[_HOST] = NO_LIMIT, str(error)
        self._memory(emission, told, limit)
        self._counts(emission, told)
        self._schedulers(emission, told)
        for part in (*PARTS, QUEUES, _HOST):
            if part not in told.unread and not (part == BROKER and no_broker):
                emission.add("lens_beam_part_up", 0.0 if part in failed else 1.0, node=self.node, part=part)
        self._say(failed, told.unread)
        return emission.families()

    def baseline_metrics(self) -> Sequence[BaselineMetric]:
        return tracked()

    def tools(self) -> "Sequence[Tool]":
        return ()  # the lens `beam` has them, for all nodes

    def _memory(self, emission: Emission, told: Snapshot, found: Limit) -> None:
        for kind, size in told.memory.items():
            if kind != "total":
                emission.add("lens_beam_memory_bytes", size, kind=kind, node=self.node)
        emission.usage("lens_beam_memory", Usage(told.memory.get("total"), found.limit), "_bytes", node=self.node)
        if found.source:
            emission.add("lens_beam_memory_limit_info", 1.0, node=self.node, source=found.source)

    def _counts(self, emission: Emission, told: Snapshot) -> None:
        own = {"node": self.node}
        if told.otp_release is not None:
            emission.add("lens_beam_info", 1.0, otp_release=told.otp_release, **own)
        emission.usage("lens_beam_process", told.processes, **own)
        emission.usage("lens_beam_port", told.ports, **own)
        emission.usage("lens_beam_atom", told.atoms, **own)
        emission.usage("lens_beam_ets", told.ets_tables, **own)
        emission.add("lens_beam_reductions_total", told.reductions, **own)
        emission.add("lens_beam_gc_collections_total", told.collections, **own)
        emission.add("lens_beam_gc_reclaimed_bytes_total", told.reclaimed_bytes, **own)
        emission.add("lens_beam_uptime_seconds", told.uptime_seconds, **own)
        if told.queues is not None:
            emission.add("lens_beam_message_queue_longest", told.queues.longest, **own)
            emission.add("lens_beam_messages_queued", told.queues.messages, **own)

    def _schedulers(self, emission: Emission, told: Snapshot) -> None:
        for name, by_kind in (
            ("lens_beam_run_queue_length", told.run_queues),
            ("lens_beam_schedulers_online", told.schedulers_online),
        ):
            for kind, value in by_kind.items():
                emission.add(name, value, kind=kind, node=self.node)
        for kind, worked in (told.worked or {}).items():
            active = self._rates.per_second(f"active {kind}", worked.active)
            total = self._rates.per_second(f"total {kind}", worked.total)
            emission.add("lens_beam_scheduler_utilization_ratio", Usage(active, total).ratio, kind=kind, node=self.node)

    def _say(self, failed: Mapping[str, str], unread: Mapping[str, str]) -> None:
        """Log what is missing when it begins to be, and not scrape by scrape."""
        for level, missing in ((logging.WARNING, failed), (logging.INFO, unread)):
            for part in missing.keys() - self._missing:
                log.log(level, "lens %s: %s is not read: %s", self.name, part, missing[part])
        self._missing = {*failed, *unread}
