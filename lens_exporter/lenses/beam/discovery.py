"""Which nodes there are: by name, by what an EPMD has registered, by DNS."""

import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count, islice
from typing import Any

from lens_exporter.config.beam import Beam
from lens_exporter.errors import LensError
from lens_exporter.foundation.clock import Clock
from lens_exporter.lenses.attempt import Attempt

Resolve = Callable[[str], Sequence[str]]  # a host's addresses, empty where there is none; OSError where nobody answers
Registered = Callable[[str, int], Sequence[str]]  # names without host that an EPMD knows (host, port); LensError

MOST_NODES = 200  # found by a section's epmd and dns: whoever answers may name any number, and each is asked at every scrape
_SECONDS = 4.0  # that a scrape leaves for all settings together
_NUMBER = "{n}"
_GAP = 3  # numbers without an address that end the count: one pod that is down does not hide those after it
_UNKNOWN = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


@dataclass(frozen=True, slots=True)
class Found:
    """What one setting named. error is why it could not, "" where it could."""

    source: str  # nodes, epmd mq1, dns shop@shop-headless
    names: tuple[str, ...]
    error: str = ""
    more: bool = False  # it named more than its section may have, and only the first of them are here


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


class Discovery:
    """Asks for the nodes of all settings side by side, and waits for them together. What is late is not asked again meanwhile."""

    def __init__(
        self, registered: Registered, resolve: Resolve = resolve, *, seconds: float = _SECONDS, clock: Clock = time.monotonic
    ) -> None:
        self._registered = registered
        self._resolve = resolve
        self._seconds = seconds
        self._clock = clock
        self._asking: dict[tuple[int, str], Attempt[tuple[str, ...]]] = {}

    def __call__(self, sections: Sequence[Beam]) -> list[tuple[Beam, Found]]:
        """Find the nodes of sections of settings, those of each setting by themselves. One call at a time."""
        begun = [
            (section, source, self._begun((at, source), ask))
            for at, section in enumerate(sections)
            for source, ask in self._sources(section)
        ]
        named = [(section, Found("nodes", section.nodes)) for section in sections if section.nodes]
        return named + _shared([(section, self._found(source, attempt)) for section, source, attempt in begun])

    def _sources(self, given: Beam) -> Iterator[tuple[str, Callable[[], Iterable[str]]]]:
        for host in given.epmd:
            yield f"epmd {host}", partial(self._of_epmd, host, given.epmd_port)
        for pattern in given.dns:
            yield f"dns {pattern}", partial(_resolved, pattern, self._resolve)

    def _of_epmd(self, host: str, port: int) -> Iterator[str]:
        return (f"{name}@{host}" for name in self._registered(host, port))

    def _begun(self, key: tuple[int, str], ask: Callable[[], Iterable[str]]) -> Attempt[tuple[str, ...]]:
        attempt = self._asking.get(key)
        if attempt is None or attempt.finished or attempt.lost:
            attempt = Attempt(lambda: tuple(islice(ask(), MOST_NODES + 1)), name=f"lens-beam-{key[1]}", clock=self._clock)
            self._asking[key] = attempt
        return attempt

    def _found(self, source: str, attempt: Attempt[tuple[str, ...]]) -> Found:
        if not attempt.wait(self._seconds):
            return Found(source, (), f"no answer within {self._seconds:g} s")
        match attempt.error:
            case None:
                return Found(source, attempt.answer or ())
            case LensError() as error:
                return Found(source, (), str(error))
            case OSError() as error:
                return Found(source, (), error.strerror or str(error))
            case error:
                raise error


def _shared(found: Sequence[tuple[Beam, Found]]) -> list[tuple[Beam, Found]]:
    """Leave each section the first MOST_NODES of what all its sources have named."""
    left = {id(section): MOST_NODES for section, _ in found}
    kept: list[tuple[Beam, Found]] = []
    for section, each in found:
        names = each.names[: left[id(section)]]
        left[id(section)] -= len(names)
        kept.append((section, replace(each, names=names, more=len(names) < len(each.names))))
    return kept


def _resolved(pattern: str, resolve: Resolve) -> Iterator[str]:
    name, _, host = pattern.partition("@")
    if _NUMBER not in host:
        yield from (f"{name}@{address}" for address in resolve(host))
        return
    missing = 0
    for number in count():
        numbered = host.replace(_NUMBER, str(number))
        missing = 0 if resolve(numbered) else missing + 1
        if missing == 0:
            yield f"{name}@{numbered}"
        elif missing > _GAP:
            return
