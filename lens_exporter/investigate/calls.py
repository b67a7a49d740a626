"""Calls that ask what was asked before, exactly or nearly: a model that goes in circles is told so."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from lens_exporter.model.analysis import Receipt

_SIZES = {"limit", "count", "top", "step", "max"}  # how much of the same answer, not another question
_LARGER = 1.25  # a limit raised by more than this is worth asking
_CLOSE_SECONDS = 60.0  # moments nearer than this, over the same things, show the same


def asked_before(tool: str, arguments: Mapping[str, Any], receipts: Sequence[Receipt]) -> Receipt | None:
    """Find the receipt whose call this one repeats. Arguments are in their canonical form."""
    return next((one for one in receipts if one.tool == tool and _same(one.arguments, arguments)), None)


def _same(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    return before.keys() == now.keys() and all(_alike(name, before[name], value) for name, value in now.items())


def _alike(name: str, before: Any, now: Any) -> bool:
    if before == now:
        return True
    if name in _SIZES and _is_number(before) and _is_number(now):
        return bool(now <= before * _LARGER) if name != "step" else bool(before / _LARGER <= now)
    first, second = _moment(before), _moment(now)
    return first is not None and second is not None and abs(first - second) < _CLOSE_SECONDS


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _moment(value: Any) -> float | None:
    if not isinstance(value, str) or not value.endswith("Z"):
        return None
    try:
        return datetime.fromisoformat(value).timestamp()
    except ValueError:
        return None
