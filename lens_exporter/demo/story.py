"""The demo's acts: what is done to the service, the hops that must follow, and how they are waited for."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lens_exporter.demo import hops
from lens_exporter.demo.hops import Hop, Sighting
from lens_exporter.demo.observe import Observer, Snapshot
from lens_exporter.demo.stack import OWN_FILES, OWN_MEMORY, THEIRS, Stack

_LOOK_EVERY = 0.5
_READINGS = 20  # before the first leak: a baseline needs 15


@dataclass(frozen=True, slots=True)
class Act:
    """Something that is done to the service, the hops it must cause, and how long they may take."""

    title: str
    name: str
    do: Callable[[Stack], None]
    hops: tuple[Hop, ...]
    seconds: float


def acts() -> tuple[Act, ...]:
    """Give the acts in order."""
    return (
        Act(
            "The service runs normally; lens-exporter learns what that looks like.",
            "normal",
            lambda _stack: None,
            (hops.baseline(_READINGS),),
            60,
        ),
        Act("Now it leaks memory.", "memory leak", lambda stack: stack.leak("memory"), _own("memory", OWN_MEMORY), 60),
        Act(
            "Now it leaks files too. Prometheus has an alert rule of its own for that; it is looked into as well.",
            "file leak",
            lambda stack: stack.leak("files"),
            (*_own("files", OWN_FILES), *_theirs(THEIRS)),
            75,
        ),
        Act("It recovers.", "recovery", Stack.recover, (hops.over((OWN_MEMORY, OWN_FILES, THEIRS)),), 100),
    )


def play(
    act: Act,
    stack: Stack,
    observer: Observer,
    *,
    until: float,
    on_seen: Callable[[Hop, Sighting, float], None] = lambda _hop, _sighting, _seconds: None,
    on_look: Callable[[Snapshot, Hop], None] = lambda _look, _waited: None,
) -> Mapping[Hop, float]:
    """Do the act, then look until every hop is seen, its time is up, or the clock (time.monotonic) passes `until`.

    Gives the seconds after which each hop was seen. The servers are asked one after the other, so that a look may show a later hop
    and not yet the one before: it waits for its turn.
    """
    act.do(stack)
    begun = time.monotonic()
    end = min(until, begun + act.seconds)
    seen: dict[Hop, float] = {}
    while time.monotonic() < end:
        look = observer.look()
        for hop in act.hops[len(seen) :]:
            sighting = hop.find(look)
            if sighting is None:
                break
            seen[hop] = time.monotonic() - begun
            on_seen(hop, sighting, seen[hop])
        if len(seen) == len(act.hops):
            break
        on_look(look, act.hops[len(seen)])
        time.sleep(_LOOK_EVERY)
    return seen


def _own(category: str, name: str) -> tuple[Hop, ...]:
    return (hops.decided(category), *_theirs(name))


def _theirs(name: str) -> tuple[Hop, ...]:
    return (hops.held(name), hops.brought(name), hops.investigated(name), hops.companion(name))
