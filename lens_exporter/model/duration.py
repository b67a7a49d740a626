"""Durations as Prometheus writes them: 1h30m, 15s, 500ms, 4w."""

import re
from decimal import Decimal
from math import isfinite

UNITS = {
    "y": Decimal(31_536_000),
    "w": Decimal(604_800),
    "d": Decimal(86_400),
    "h": Decimal(3600),
    "m": Decimal(60),
    "s": Decimal(1),
    "ms": Decimal("0.001"),
}  # seconds; in the order in which a duration names them
_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?", re.ASCII)


def seconds(text: str) -> float:
    """Read a duration; seconds alone may have a fraction.

    Raises:
        ValueError: it is none, or has no end; the message says what was expected.

    """
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        raise ValueError('expected a duration like "30s", "5m" or "1h30m"')
    total = float(sum(Decimal(part) * unit for part, unit in zip(match.groups(), UNITS.values(), strict=True) if part))
    if not isfinite(total):
        raise ValueError("expected a duration that ends")
    return total


def duration_text(length: float) -> str:
    """Write seconds as a duration of days and less that reads back as the same number."""
    if round(length * 1000) / 1000 != length:
        return f"{Decimal(repr(length)):f}s"
    rest = round(length * 1000)
    parts = []
    for name in ("d", "h", "m", "s", "ms"):
        count, rest = divmod(rest, int(UNITS[name] * 1000))
        if count:
            parts.append(f"{count}{name}")
    return "".join(parts) or "0s"
