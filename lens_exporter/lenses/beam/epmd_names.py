"""Asks a host's EPMD which nodes have registered (ERTS user's guide, Distribution Protocol, NAMES_REQ)."""

import re
import socket
import struct
import time
from collections.abc import Callable

from lens_exporter.errors import LensUnavailable

_NAMES = 110
_REQUEST = struct.pack(">HB", 1, _NAMES)
_LINE = re.compile(r"name ([\w.-]{1,255}) at port \d{1,5}")
_MOST = 64 * 1024  # bytes; a line has some thirty


def registered(host: str, port: int, *, seconds: float = 2.0, clock: Callable[[], float] = time.monotonic) -> tuple[str, ...]:
    """Give the names, without their host, in the order in which they are told.

    Raises:
        LensUnavailable: it cannot be asked, or answers something else.

    """
    deadline = clock() + seconds
    answer = bytearray()
    try:
        with socket.create_connection((host, port), timeout=seconds) as connection:
            connection.sendall(_REQUEST)
            while len(answer) <= _MOST:
                connection.settimeout(max(deadline - clock(), 0.001))
                part = connection.recv(_MOST)
                if not part:
                    return _names(bytes(answer), host)
                answer += part
    except OSError as error:
        raise _unavailable(host, error.strerror or str(error)) from error
    raise _unavailable(host, f"it answered more than {_MOST} bytes")


def _names(answer: bytes, host: str) -> tuple[str, ...]:
    # The first four bytes are the port it was asked at.
    lines = answer[4:].decode("utf-8", "replace").splitlines()
    found = [_LINE.fullmatch(line) for line in lines]
    if len(answer) < 4 or None in found:
        raise _unavailable(host, "it answered nonsense")
    return tuple(match[1] for match in found if match)


def _unavailable(host: str, reason: str) -> LensUnavailable:
    return LensUnavailable(lens=f"epmd on {host}", reason=reason)
