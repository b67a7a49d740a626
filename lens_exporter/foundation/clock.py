"""Time and identity as constructor arguments, so that tests own both."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from ulid import ULID

Clock = Callable[[], float]  # Unix seconds
NewId = Callable[[], str]

wall: Clock = time.time
monotonic: Clock = time.monotonic


def new_ulid() -> str:
    """Return a fresh ULID: sorts by time, 128 bits."""
    return str(ULID())


def trace_id(correlation: str) -> int:
    """Read a correlation ULID as the 128-bit OpenTelemetry trace id it is."""
    return int(ULID.from_str(correlation))


def correlation_of(identity: int) -> str:
    """Read a 128-bit OpenTelemetry trace id back as the correlation ULID."""
    return str(ULID.from_int(identity))


def rfc3339(at: float) -> str:
    """Write Unix seconds in UTC, to the second, and to the millisecond where that says more."""
    moment = datetime.fromtimestamp(round(at, 3), UTC)
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds").replace("+00:00", "Z")
