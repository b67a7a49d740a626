"""Numbers and times as people read them at 3 a.m.: short, with their unit, never more digits than mean something."""

import math
from datetime import UTC, datetime

_BYTES = ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))
_SECONDS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_PACES = ((1.0, "a second", 180.0), (60.0, "a minute", 10800.0), (3600.0, "an hour", math.inf))
_LONGEST_IN_SECONDS = 120.0  # 95 s reads better than 1.58 min
_HUGE, _TINY = 1e15, 1e-6
_AS_GOOD_AS = 0.9995  # what would read 1,000 MB is 1 GB
_NOTHING = "no value"


def number(value: float | None, unit: str = "") -> str:
    """Write a value in its unit: ratio as %, bytes by SI prefix, seconds, per_second, any other unit behind the number."""
    if value is None or math.isnan(value):
        return _NOTHING
    if math.isinf(value):
        return "infinity" if value > 0 else "-infinity"
    factor, suffix = _scale(abs(value), unit)
    return _plain(value / factor, keep_below_hundred=unit == "ratio") + suffix


def interval(lower: float, upper: float, unit: str = "") -> str:
    """Write a range with one unit: "0.9 to 1.2 GB"; one number when both ends read the same."""
    if number(lower, unit) == number(upper, unit):
        return number(upper, unit)
    factor, suffix = _scale(max(abs(lower), abs(upper)), unit)
    if math.isinf(lower) or math.isinf(upper):
        return f"{number(lower, unit)} to {number(upper, unit)}"
    return f"{_plain(lower / factor, digits=2)} to {_plain(upper / factor, digits=2)}{suffix}"


def rate(per_second: float, unit: str, over: float) -> str:
    """Write a slope per second, minute or hour, whichever suits something that takes `over` seconds: "38 MB a minute"."""
    seconds, pace = next((length, words) for length, words, most in _PACES if over <= most)
    step = abs(per_second) * seconds
    if unit == "ratio":
        return f"{_plain(step * 100.0, digits=2)} percentage points {pace}"
    return f"{number(step, unit)} {pace}"


def clock(at: float, judged: float) -> str:
    """Write a moment as UTC hours and minutes, with the day when it is not the judged one."""
    moment = datetime.fromtimestamp(at, UTC)
    same_day = moment.date() == datetime.fromtimestamp(judged, UTC).date()
    return f"{moment:%H:%M}" if same_day else f"{moment.day} {moment:%b %H:%M}"


def _scale(size: float, unit: str) -> tuple[float, str]:
    if unit == "ratio":
        return 0.01, " %"
    if unit == "bytes":
        return next(((f, f" {u}") for f, u in _BYTES if size >= _AS_GOOD_AS * f), (1.0, " B"))
    if unit == "seconds":
        if 1.0 <= size < _LONGEST_IN_SECONDS or size == 0.0:
            return 1.0, " s"
        return next(((f, f" {u}") for f, u in _SECONDS if size >= _AS_GOOD_AS * f), (1e-9, " ns"))
    if unit == "per_second":
        return 1.0, "/s"
    return 1.0, f" {unit}" if unit else ""


def _plain(value: float, digits: int = 3, *, keep_below_hundred: bool = False) -> str:
    size = abs(value)
    if size == 0.0:
        return "0"
    if size >= _HUGE or size < _TINY:
        return f"{value:.{digits - 1}e}"
    if keep_below_hundred:
        # 99.6 % must not read 100 %; elsewhere a percentage has no use for decimals above ten.
        digits = 3 if 99.0 < size < 100.0 else 2
    decimals = max(0, digits - 1 - math.floor(math.log10(size)))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
