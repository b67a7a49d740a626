"""What a server was sent to show who we are: some servers, and proxies before them, repeat it on their error pages."""

from base64 import b64decode
from binascii import Error
from collections.abc import Iterable, Iterator, Mapping

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
    """Copy what a server said without what it was sent."""
    for secret in secrets:
        if len(secret) >= _SHORTEST:
            body = body.replace(secret, b"<hidden>")
    return body
