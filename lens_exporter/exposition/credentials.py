"""Checking what a caller shows: a bearer token, a user and a password, or a certificate that TLS has checked."""

import base64
import binascii
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address, ip_address, ip_network

import bcrypt

from lens_exporter.exposition.offload import Offload
from lens_exporter.exposition.rules import Rules, digest
from lens_exporter.foundation.rate_limit import Buckets
from lens_exporter.model.access import Principal

_MOST_KNOWN = 1000
_BCRYPT_BYTES = 72  # bcrypt itself reads no more; this library refuses what others cut


class Reason(StrEnum):
    """Why somebody was not let in."""

    NO_CREDENTIALS = "no_credentials"
    BAD_CREDENTIALS = "bad_credentials"
    WRONG_SCOPE = "wrong_scope"
    RATE_LIMITED = "rate_limited"
    CERTIFICATE = "certificate"


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


class Checker:
    """Checks against one state of the rules. What was right once is remembered: a scrape does not pay for bcrypt each time."""

    def __init__(self, rules: Rules, failures: Buckets, offload: Offload) -> None:
        self._rules = rules
        self._failures = failures
        self._offload = offload
        self._salt = secrets.token_bytes(32)  # what is remembered is worth nothing elsewhere
        self._known: OrderedDict[bytes, Principal] = OrderedDict()
        # Checked for who is not known: it takes as long as the slowest user's.
        self._slowest = max(rules.users.values(), key=_cost, default=b"")

    async def who(self, shown: str | None, client: str) -> Principal | Refusal:
        """Say who shows this Authorization header, from which client.

        What worked before from there is let in even while others at that address are guessing; everything else takes its turn.
        """
        if not shown:
            return Refusal(Reason.NO_CREDENTIALS, "show who you are: a bearer token, or a user and a password")
        mark = hmac.digest(self._salt, f"{client}\0{shown}".encode("utf-8", "replace"), "sha256")
        if mark in self._known:
            self._known.move_to_end(mark)
            return self._known[mark]
        if wait := self._failures.take(client):
            return Refusal(Reason.RATE_LIMITED, "too many wrong passwords or tokens from your address", retry_after=wait)
        found = await self._check(shown)
        if isinstance(found, Principal):
            self._failures.give_back(client)
            self._known[mark] = found
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
        return found

    async def _check(self, shown: str) -> Principal | Refusal:
        scheme, _, rest = shown.partition(" ")
        match scheme.lower():
            case "bearer":
                return self._bearer(rest.strip())
            case "basic":
                return await self._basic(rest.strip())
        return Refusal(Reason.BAD_CREDENTIALS, "expected Authorization: Bearer or Basic")

    def _bearer(self, token: str) -> Principal | Refusal:
        given, found = digest(token.encode("latin-1", "replace")), None  # the bytes that came: headers are read as Latin-1
        # Each is compared whole, and all are: how long it takes says nothing of any of them.
        for known, principal in self._rules.tokens:
            if hmac.compare_digest(known, given):
                found = principal
        return found or Refusal(Reason.BAD_CREDENTIALS, "this token is not known here")

    async def _basic(self, encoded: str) -> Principal | Refusal:
        wrong = Refusal(Reason.BAD_CREDENTIALS, "user or password is wrong")
        try:
            name, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return wrong
        users = self._rules.users
        if not colon or not users:
            return wrong
        holds = await self._offload(bcrypt.checkpw, password.encode()[:_BCRYPT_BYTES], users.get(name, self._slowest))
        return self._rules.named(name) if holds and name in users else wrong


def _cost(hashed: bytes) -> int:
    return int(hashed.split(b"$")[2])
