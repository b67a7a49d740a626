"""What limits a node's memory. The node itself does not know: the limit is its operator's, its RabbitMQ's, or its machine's."""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from lens_exporter.errors import LensUnavailable
from lens_exporter.lenses.beam.snapshot import Snapshot
from lens_exporter.lenses.python.process import ProcessReader
from lens_exporter.lenses.reading import read

_SAME_START = 5.0  # seconds by which the node's age and that of its process may differ: it is started before it keeps time


@dataclass(frozen=True, slots=True)
class Limit:
    """limit in bytes; source is configured, rabbitmq, cgroup, rlimit or host. (None, "") where nothing is known."""

    limit: float | None
    source: str


NO_LIMIT = Limit(None, "")


class MemoryLimits:
    """Finds the limit of nodes; of those on this machine by their process, which must be seen to be the node's."""

    def __init__(
        self,
        configured: float | None = None,
        *,
        processes: ProcessReader | None = None,
        hostname: Callable[[], str] = socket.gethostname,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._configured = configured
        self._processes = processes or ProcessReader()
        self._hostname = hostname
        self._now = now

    def of(self, told: Snapshot) -> Limit:
        """Give the configured limit, else the lowest that is known.

        Raises:
            OSError: the process is the node's and cannot be read.

        """
        if self._configured is not None:
            return Limit(self._configured, "configured")
        known = [self._of_process(told)]
        if told.broker_memory_limit:
            known.append(Limit(told.broker_memory_limit, "rabbitmq"))
        return min((each for each in known if each.limit is not None), key=lambda each: each.limit or 0.0, default=NO_LIMIT)

    def _of_process(self, told: Snapshot) -> Limit:
        """Read the limit of the node's process, where its host, program and age say that it is one of this machine's.

        A node in a container of its own has a process id that means another process here, or none.
        """
        if told.host is None or told.uptime_seconds is None or told.host.name != self._hostname():
            return NO_LIMIT
        pid = str(told.host.pid)
        if not (read(self._processes.proc / pid / "comm") or "").startswith("beam"):
            return NO_LIMIT
        try:
            seen = self._processes.read(pid)
        except LensUnavailable:
            return NO_LIMIT  # it has ended since it answered
        if seen.started_at is None or abs(self._now() - seen.started_at - told.uptime_seconds) > _SAME_START:
            return NO_LIMIT
        return Limit(seen.memory.limit, seen.memory_limit_source)
