"""Checking what a caller shows: a bearer token, a user and a password, or a certificate that TLS has checked."""

import base64
import binascii
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv6Address, ip_address, ip_network

import bcrypt

from lens_exporter.exposition.offload import Offload
from lens_exporter.exposition.rules import Rules, digest
from lens_exporter.foundation.rate_limit import Buckets
from lens_exporter.model.access import Principal

_MOST_KNOWN = 100  # clients of one token or user: who has many addresses makes room among their own only
_BCRYPT_BYTES = 72  # bcrypt itself reads no more; this library refuses what others cut
_WRONG = {"bearer": "this token is not known here", "basic": "user or password is wrong"}


class Reason(StrEnum):
    """Why somebody was not let in."""

    NO_CREDENTIALS = "no_credentials"
    BAD_CREDENTIALS = "bad_credentials"
    WRONG_SCOPE = "wrong_scope"
    RATE_LIMITED = "rate_limited"
    CERTIFICATE = "certificate"
    CROSS_SITE = "cross_site"
    CONNECTIONS = "too_many_connections"


@dataclass(frozen=True, slots=True)
class Refusal:
    reason: Reason
    message: str
    who: str = ""
    retry_after: float = 0.0  # seconds


def client_key(address: str) -> str:
    """Give what counts as one client: an address, or the network of 64 bits that one IPv6 site has."""
    try:
        known = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(known, IPv6Address):
        known = known.ipv4_mapped or known
    return str(ip_network((known, 64), strict=False)) if isinstance(known, IPv6Address) else str(known)


@dataclass(frozen=True, slots=True)
class _Known:
    """What was right once: of a token its digest, of a user the hash that the password fitted."""

    holder: tuple[str, str]  # "bearer" or "basic", and the name
    proof: bytes


@dataclass(frozen=True, slots=True)
class Remembered:
    """Who has got in, by a keyed digest of what they showed and from where: worth nothing elsewhere."""

    salt: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    known: OrderedDict[bytes, _Known] = field(default_factory=OrderedDict)


class Checker:
    """Checks against one state of the rules. What was right once is remembered: a scrape does not pay for bcrypt each time."""

    def __init__(self, rules: Rules, failures: Buckets, offload: Offload, remembered: Remembered | None = None) -> None:
        """Begin with what a checker before this one remembered, as far as it is right under these rules too."""
        self._rules = rules
        self._failures = failures
        self._offload = offload
        self._tokens = dict(rules.tokens)
        # Checked for who is not known: it takes as long as the slowest user's.
        self._slowest = max(rules.users.values(), key=_cost, default=b"")
        self.remembered = remembered or Remembered()
        self._known = self.remembered.known
        for mark in [mark for mark, known in self._known.items() if self._principal(known) is None]:
            del self._known[mark]

    async def who(self, shown: str | None, client: str) -> Principal | Refusal:
        """Say who shows this Authorization header, from which client.

        What worked before from there is let in even while others at that address are guessing; everything else takes its turn.
        """
        if not shown:
            return Refusal(Reason.NO_CREDENTIALS, "show who you are: a bearer token, or a user and a password")
        kind, name, secret = _parts(shown)
        # Of what it says and not of how: nobody gets a second place by another way to write it.
        parts = b"\0".join(part.hex().encode() for part in (client.encode(), kind.encode(), name.encode(), secret))
        mark = hmac.digest(self.remembered.salt, parts, "sha256")
        if (known := self._known.get(mark)) is not None and (principal := self._principal(known)) is not None:
            self._known.move_to_end(mark)
            return principal
        if wait := self._failures.take(client):
            return Refusal(Reason.RATE_LIMITED, "too many wrong passwords or tokens from your address", retry_after=wait)
        found = await self._check(kind, name, secret)
        if isinstance(found, Refusal):
            return found
        self._failures.give_back(client)
        self._remember(mark, found)
        return self._principal(found) or Refusal(Reason.BAD_CREDENTIALS, _WRONG[kind])

    def _principal(self, known: _Known) -> Principal | None:
        kind, name = known.holder
        if kind == "bearer":
            return self._tokens.get(known.proof)
        return self._rules.named(name) if self._rules.users.get(name) == known.proof else None

    def _remember(self, mark: bytes, known: _Known) -> None:
        same = [each for each, other in self._known.items() if other.holder == known.holder]
        if len(same) >= _MOST_KNOWN:
            del self._known[same[0]]
        self._known[mark] = known

    async def _check(self, kind: str, name: str, secret: bytes) -> _Known | Refusal:
        match kind:
            case "bearer":
                return self._bearer(secret)
            case "basic":
                return await self._basic(name, secret)
        return Refusal(Reason.BAD_CREDENTIALS, "expected Authorization: Bearer or Basic")

    def _bearer(self, token: bytes) -> _Known | Refusal:
        given, found = digest(token), None
        # Each is compared whole, and all are: how long it takes says nothing of any of them.
        for known, principal in self._rules.tokens:
            if hmac.compare_digest(known, given):
                found = _Known(("bearer", principal.name), known)
        return found or Refusal(Reason.BAD_CREDENTIALS, _WRONG["bearer"])

    async def _basic(self, name: str, password: bytes) -> _Known | Refusal:
        wrong = Refusal(Reason.BAD_CREDENTIALS, _WRONG["basic"])
        users = self._rules.users
        if not name or not users:
            return wrong
        hashed = users.get(name, self._slowest)
        holds = await self._offload(bcrypt.checkpw, password, hashed)
        return _Known(("basic", name), hashed) if holds and name in users else wrong


def _parts(shown: str) -> tuple[str, str, bytes]:
    """Take an Authorization header apart: how, who (of Basic; none where garbled), and the secret as far as it is compared."""
    scheme, _, rest = shown.partition(" ")
    kind = scheme.lower()
    if kind != "basic":
        return kind, "", rest.strip().encode("latin-1", "replace")  # the bytes that came: headers are read as Latin-1
    try:
        name, colon, password = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):  # ValueError: not ASCII
        return kind, "", rest.encode("latin-1", "replace")
    return kind, name if colon else "", password.encode()[:_BCRYPT_BYTES]


def _cost(hashed: bytes) -> int:
    return int(hashed.split(b"$")[2])
