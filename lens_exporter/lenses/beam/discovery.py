"""Which nodes there are: by name, by what an EPMD has registered, by DNS."""

import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lens_exporter.config.beam import Beam
from lens_exporter.errors import LensError

Resolve = Callable[[str], Sequence[str]]  # a host's addresses, empty where there is none; OSError where nobody answers
Registered = Callable[[str, int], Sequence[str]]  # names without host that an EPMD knows (host, port); LensError

_NUMBER = "{n}"
_GAP = 3  # numbers without an address that end the count: one pod that is down does not hide those after it
_MOST = 1000
_UNKNOWN = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


@dataclass(frozen=True, slots=True)
class Found:
    """What one setting named. error is why it could not, "" where it could."""

    source: str  # nodes, epmd mq1, dns shop@shop-headless
    names: tuple[str, ...]
    error: str = ""


def resolve(host: str, lookup: Callable[..., Sequence[Any]] = socket.getaddrinfo) -> Sequence[str]:
    """Ask the system's resolver for a host's addresses; empty where there is none.

    Raises:
        OSError: nobody can be asked now.

    """
    try:
        answers = lookup(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno in _UNKNOWN:
            return ()
        raise
    return tuple(dict.fromkeys(str(address[0]) for *_, address in answers))


def discover(given: Beam, registered: Registered, resolve: Resolve = resolve) -> Iterator[Found]:
    """Find the nodes of a section of settings, those of each setting by themselves."""
    if given.nodes:
        yield Found("nodes", given.nodes)
    for host in given.epmd:
        try:
            yield Found(f"epmd {host}", tuple(f"{name}@{host}" for name in registered(host, given.epmd_port)))
        except LensError as error:
            yield Found(f"epmd {host}", (), str(error))
    for pattern in given.dns:
        try:
            yield Found(f"dns {pattern}", tuple(_resolved(pattern, resolve)))
        except OSError as error:
            yield Found(f"dns {pattern}", (), error.strerror or str(error))


def _resolved(pattern: str, resolve: Resolve) -> Iterator[str]:
    name, _, host = pattern.partition("@")
    if _NUMBER not in host:
        yield from (f"{name}@{address}" for address in resolve(host))
        return
    missing = 0
    for number in range(_MOST):
        numbered = host.replace(_NUMBER, str(number))
        missing = 0 if resolve(numbered) else missing + 1
        if missing == 0:
            yield f"{name}@{numbered}"
        elif missing > _GAP:
            return
