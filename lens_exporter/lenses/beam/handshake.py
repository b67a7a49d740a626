"""The distribution handshake of version 6, as the side that connects (ERTS user's guide, Distribution Protocol)."""

import hashlib
import hmac
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntFlag

from lens_exporter.lenses.beam.stream import HungUp, Stream, Wrong

_LONGEST = 2048  # bytes of one message; the longest there is holds a node's name


class Flag(IntFlag):
    """What a node can do. Only what this client does is offered."""

    EXTENDED_REFERENCES = 1 << 2
    FUN_TAGS = 1 << 4
    NEW_FUN_TAGS = 1 << 7
    EXTENDED_PIDS_PORTS = 1 << 8
    EXPORT_PTR_TAG = 1 << 9
    BIT_BINARIES = 1 << 10
    NEW_FLOATS = 1 << 11
    UTF8_ATOMS = 1 << 16
    MAP_TAG = 1 << 17
    BIG_CREATION = 1 << 18
    HANDSHAKE_23 = 1 << 24
    UNLINK_ID = 1 << 25
    MANDATORY_25_DIGEST = 1 << 26
    NAME_ME = 1 << 33
    V4_NC = 1 << 34


# Neither PUBLISHED (so we are a hidden node: the node's own cluster never hears of us), nor the atom cache, nor fragments: each
# message comes as one frame that says how long it is, and one that is too long can be let go by without keeping it.
OFFERED = Flag(0)
for _flag in Flag:
    OFFERED |= _flag
OFFERED &= ~Flag.NAME_ME

# What a node must be able to do for an answer to be readable here.
_NEEDED = Flag.HANDSHAKE_23 | Flag.BIG_CREATION | Flag.UTF8_ATOMS | Flag.MAP_TAG | Flag.NEW_FLOATS | Flag.EXPORT_PTR_TAG


class CookieWrong(Exception):
    """The two sides do not have the same cookie."""


class Refused(Exception):
    """The node does not let us in."""


class TooOld(Exception):
    """The node speaks an older handshake only."""


@dataclass(frozen=True, slots=True)
class Peers:
    """Who the two sides are, once they know each other."""

    own_name: str
    own_creation: int
    node_creation: int  # another one after each of its restarts


def shake_hands(stream: Stream, node: str, cookie: str, *, own_name: str, random: Callable[[], int]) -> Peers:
    """Make ourselves known and check that both sides have the same cookie.

    own_name without an @ is our host only, and the node makes up the rest: it uses such names again, so that reconnecting for
    years leaves no atoms behind in it. random gives 32 random bits.

    Raises:
        CookieWrong, Refused, TooOld, Wrong, HungUp: as they say.
        OSError: the connection failed.

    """
    named = "@" in own_name
    creation = random() | 4  # 0 to 3 are reserved
    flags = OFFERED if named else OFFERED | Flag.NAME_ME
    name = own_name.encode()
    _send(stream, b"N" + struct.pack(">QIH", flags, creation, len(name)) + name)
    status = _take(stream)
    if not named:
        own_name, creation = _given(status)
    elif status == b"salive":
        _send(stream, b"strue")  # whatever is there under our name is an older connection of ours
    elif status not in {b"sok", b"sok_simultaneous"}:
        raise Refused(_status(status))
    theirs, node_creation = _challenge(_take(stream), node)
    ours = random()
    _send(stream, b"r" + struct.pack(">I", ours) + digest(cookie, theirs))
    try:
        answer = _take(stream)
    except HungUp:
        raise CookieWrong("it hung up when it saw our digest") from None
    if answer[:1] != b"a" or len(answer) != 17:
        raise Wrong("instead of a digest it sent something else")
    if not hmac.compare_digest(answer[1:], digest(cookie, ours)):
        raise CookieWrong("its digest is not made with our cookie")
    return Peers(own_name, creation, node_creation)


def digest(cookie: str, challenge: int) -> bytes:
    """Make the answer to a challenge; MD5 is what the protocol has."""
    return hashlib.md5(cookie.encode("latin-1", "replace") + str(challenge).encode(), usedforsecurity=False).digest()


def _given(status: bytes) -> tuple[str, int]:
    """Read the name the node has made up for us, and our creation."""
    if not status.startswith(b"snamed:"):
        raise Refused(_status(status))
    try:
        (size,) = struct.unpack_from(">H", status, 7)
        name, (creation,) = status[9 : 9 + size].decode("ascii"), struct.unpack(">I", status[9 + size :])
    except (struct.error, UnicodeDecodeError):
        raise Wrong("the name it gave us cannot be read") from None
    return name, creation


def _status(status: bytes) -> str:
    if status[:1] != b"s":
        raise Wrong("instead of a status it sent something else")
    return f"it answered {status[1:60].decode('ascii', 'replace')!r}"


def _challenge(message: bytes, node: str) -> tuple[int, int]:
    """Read the challenge and the node's creation from a message of the node that was asked for."""
    if message[:1] == b"n":
        raise TooOld
    try:
        tag, flags, challenge, creation, size = struct.unpack_from(">cQIIH", message)
    except struct.error:
        raise Wrong("instead of a challenge it sent something else") from None
    if tag != b"N":
        raise Wrong("instead of a challenge it sent something else")
    name = message[19 : 19 + size].decode("utf-8", "replace")
    if name != node:
        raise Wrong(f"it is {name[:100]!r}, not {node!r}")
    if missing := _NEEDED & ~Flag(flags & OFFERED):
        raise Wrong(f"it cannot do what its version must: {missing!r}")
    return challenge, creation


def _send(stream: Stream, message: bytes) -> None:
    stream.send(len(message).to_bytes(stream.header, "big") + message)


def _take(stream: Stream) -> bytes:
    size = int.from_bytes(stream.take(stream.header), "big")
    if size > _LONGEST:
        raise Wrong(f"a message of {size} bytes in the handshake")
    return stream.take(size)
