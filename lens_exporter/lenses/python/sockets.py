"""Whom a process talks to: counts of its sockets by state and by the other side."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

Address = tuple[str, int]  # address and port


@dataclass(frozen=True, slots=True)
class Connection:
    """One internet socket. local is None before it is bound, remote where it is not connected."""

    status: str
    local: Address | None
    remote: Address | None


@dataclass(frozen=True, slots=True)
class Sockets:
    total: int
    states: dict[str, int]
    listening: tuple[str, ...]  # address:port
    outgoing: dict[str, int]  # connections by the other side's address:port
    incoming: dict[str, int]  # connections to a port it listens on, by the other side's address


def read_sockets(pid: int) -> list[Connection]:
    """Read the internet sockets of a process.

    Raises:
        psutil.Error: it has ended, or is another user's.

    """
    found = psutil.Process(pid).net_connections(kind="inet")
    return [
        Connection(c.status, (c.laddr.ip, c.laddr.port) if c.laddr else None, (c.raddr.ip, c.raddr.port) if c.raddr else None)
        for c in found
    ]


def summarise(connections: Sequence[Connection]) -> Sockets:
    """Count sockets. The other side's port says something only where we connected to it."""
    listening = {c.local[1]: _written(c.local) for c in connections if c.status == psutil.CONN_LISTEN and c.local}
    outgoing: Counter[str] = Counter()
    incoming: Counter[str] = Counter()
    for connection in connections:
        if connection.remote and connection.local and connection.local[1] in listening:
            incoming[connection.remote[0]] += 1
        elif connection.remote:
            outgoing[_written(connection.remote)] += 1
    states = Counter(connection.status for connection in connections)
    return Sockets(len(connections), dict(states), tuple(sorted(listening.values())), dict(outgoing), dict(incoming))


def _written(address: Address) -> str:
    return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"
