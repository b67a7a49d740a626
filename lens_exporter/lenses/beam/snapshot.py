"""What one node says about itself at one moment, as plain numbers. What is not known is None or not in the mapping, never zero."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lens_exporter.lenses.emission import Usage

UNKNOWN = Usage(None, None)
# Kinds of schedulers and of their run queues.
NORMAL, DIRTY_CPU, DIRTY_IO = "normal", "dirty_cpu", "dirty_io"


@dataclass(frozen=True, slots=True)
class Worked:
    """How long the schedulers of one kind have worked of the time since they are timed, in a unit of the node's own."""

    active: float
    total: float


@dataclass(frozen=True, slots=True)
class Queues:
    """Messages that wait in mailboxes."""

    longest: float
    messages: float


@dataclass(frozen=True, slots=True)
class Host:
    """Where the node says it runs: its host's name and its process id there."""

    name: str
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One node. Memory in bytes; by kind: total, processes, system, and of these atom, binary, code, ets and more."""

    otp_release: str | None = None
    processes: Usage = UNKNOWN
    ports: Usage = UNKNOWN
    atoms: Usage = UNKNOWN
    ets_tables: Usage = UNKNOWN
    memory: Mapping[str, float] = field(default_factory=dict)
    run_queues: Mapping[str, float] = field(default_factory=dict)
    schedulers_online: Mapping[str, float] = field(default_factory=dict)
    worked: Mapping[str, Worked] | None = None  # by kind; None: the node does not time its schedulers
    reductions: float | None = None
    collections: float | None = None  # of garbage, since the node started
    reclaimed_bytes: float | None = None
    uptime_seconds: float | None = None
    queues: Queues | None = None  # None: not read
    broker_memory_limit: float | None = None  # bytes; above it a RabbitMQ stops publishers
    host: Host | None = None
    failed: Mapping[str, str] = field(default_factory=dict)  # parts that could not be read, with the reason
    unread: Mapping[str, str] = field(default_factory=dict)  # parts that were not asked for, with the reason
