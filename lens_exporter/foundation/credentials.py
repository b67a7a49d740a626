"""What a server was sent to show who we are: some servers, and proxies before them, repeat it on their error pages."""

import html.entities
import json
import re
from base64 import b64decode
from binascii import Error
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

_SHORTEST = 8  # bytes; a shorter one would be found in innocent text
_PUBLIC = {"user-agent", "accept", "accept-encoding", "content-type", "x-scope-orgid", "traceparent", "tracestate"}


def sent_secrets(headers: Mapping[str, str | bytes]) -> Iterator[bytes]:
    """Give what may be secret in a request's headers, as it stands on the wire and, of a password, as it is."""
    for name, value in headers.items():
        if name.lower() in _PUBLIC:
            continue
        whole = value if isinstance(value, bytes) else value.encode()
        scheme, _, shown = whole.partition(b" ") if name.lower() == "authorization" else (b"", b"", whole)
        yield shown
        if scheme == b"Basic":
            try:
                yield b64decode(shown).partition(b":")[2]
            except Error:
                continue


def without(body: bytes, secrets: Iterable[bytes]) -> bytes:
    """Copy what a server said without what it was sent, also where it is written as in JSON, HTML or an address."""
    written = {form for secret in secrets if len(secret) >= _SHORTEST for form in _written(secret)}
    # The longest first: one that holds another is not to leave its ends behind.
    for form in sorted(written, key=len, reverse=True):
        body = re.sub(form, b"<hidden>", body)
    return body


def _written(secret: bytes) -> Iterator[bytes]:
    """Give patterns of the ways to write a secret: as it is, and each character either as it is or escaped as one format has it."""
    yield re.escape(secret)
    text = secret.decode("utf-8", "replace")
    for escapes in (_in_json, _in_html, _in_address):
        yield b"".join(b"(?:" + b"|".join([re.escape(char.encode()), *escapes(char)]) + b")" for char in text)


def _in_json(char: str) -> Iterator[bytes]:
    units = char.encode("utf-16-be")
    yield b"(?i:" + b"".join(rb"\\u%04x" % int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2)) + b")"
    if (plain := json.dumps(char, ensure_ascii=False)[1:-1]) != char:
        yield re.escape(plain.encode())
    if char == "/":
        yield re.escape(rb"\/")


def _in_html(char: str) -> Iterator[bytes]:
    yield rb"&#0*%d;" % ord(char)
    yield rb"(?i:&#x0*%x;)" % ord(char)
    for name in _entities(char):
        yield b"&" + re.escape(name.encode())


def _in_address(char: str) -> Iterator[bytes]:
    yield b"(?i:" + b"".join(b"%%%02x" % byte for byte in char.encode()) + b")"
    if char == " ":
        yield re.escape(b"+")


@cache
def _entities(char: str) -> tuple[str, ...]:
    return tuple(name for name, meant in html.entities.html5.items() if meant == char and name.endswith(";"))
