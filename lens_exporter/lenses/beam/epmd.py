"""Asks a host's epmd on which port a node listens (ERTS user's guide, Distribution Protocol, EPMD Protocol)."""

import struct
from dataclasses import dataclass

from lens_exporter.lenses.beam.stream import Stream, Wrong

PORT = 4369
_PLEASE, _ANSWER = 122, 119
_VERSION = 6  # of the handshake; OTP 23 and newer


class NotRegistered(Exception):
    """epmd knows no node of that name."""


@dataclass(frozen=True, slots=True)
class Registered:
    port: int
    highest: int  # of the handshake's versions
    lowest: int


def ask(stream: Stream, alive: str) -> Registered:
    """Ask over an open connection; `alive` is the part of the node's name before the @.

    Raises:
        NotRegistered: it knows no such node.
        Wrong: it answered nonsense.
        OSError: the connection failed.

    """
    name = alive.encode()
    stream.send(struct.pack(">HB", len(name) + 1, _PLEASE) + name)
    tag, result = stream.take(2)
    if tag != _ANSWER:
        raise Wrong(f"its answer begins with {tag} instead of {_ANSWER}")
    if result:
        raise NotRegistered
    port, kind, protocol, highest, lowest, size = struct.unpack(">HBBHHH", stream.take(10))
    if size != len(name) or stream.take(size) != name:
        raise Wrong("it answered for another node")
    if not port or protocol != 0:
        raise Wrong(f"it answered port {port}, protocol {protocol}, kind of node {kind}")
    return Registered(port, highest, lowest)


def too_old(found: Registered) -> bool:
    """Whether the node knows only handshakes older than ours."""
    return found.highest < _VERSION
