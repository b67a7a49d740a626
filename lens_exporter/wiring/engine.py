"""The durable engine and its dispatcher. The engine is one for the process; what it runs belongs to the present generation."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from lens_exporter.config.settings import Config
from lens_exporter.investigate.dispatcher import Dispatcher
from lens_exporter.investigate.store import Store
from lens_exporter.investigate.workflow import Workflows, durable_url
from lens_exporter.wiring.ground import Ground

if TYPE_CHECKING:
    from lens_exporter.wiring.generation import Generation


class DurableEngine:
    """Stores, dispatches and durably runs investigations, whichever generation does the work."""

    def __init__(
        self, ground: Ground, config: Config, generation: "Callable[[], Generation]", *, waits: Callable[[str], object]
    ) -> None:
        """Take waits as what is told why no investigation can begin, "" where it can."""
        self.store = Store(ground.database)
        self._ground = ground
        self._generation = generation
        self._waits = waits
        self._wake = threading.Event()
        self._workflows = Workflows(
            durable_url(ground.database),
            lambda investigation, step: generation().inquiry.conduct(investigation, step),
            ground.telemetry,
            concurrency=config.investigate.concurrency,
        )

    def wake(self) -> None:
        """Tell the dispatcher that there is work."""
        self._wake.set()

    def dispatch(self, stop: threading.Event) -> None:
        """Run the dispatcher until `stop` is set."""
        generation = self._generation()
        Dispatcher(
            self.store,
            self._workflows,
            self._ground.telemetry,
            abandon=generation.inquiry.abandon,
            source_resolved=generation.publisher.source_resolved,
            fetch_truncated=generation.intake.fetch_truncated,
            waits=self._waits,
            wake=self._wake,
            clock=self._ground.clock,
        ).run(stop)

    def prune(self, before: float) -> None:
        """Delete investigations and records of workflows that ended before then (Unix seconds). Raises DatabaseError."""
        self.store.prune(before)
        if self._workflows.launched:
            self._workflows.prune(before)

    def close(self, grace: float) -> None:
        """Stop the engine: steps under way get `grace` seconds; the rest goes on at the next start."""
        self._workflows.close(grace)
