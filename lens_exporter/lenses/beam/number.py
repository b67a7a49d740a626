"""Reading numbers that nodes sent."""

from math import isfinite
from typing import Any


def number(term: Any) -> float | None:
    """Give a number as a float; None for anything else, and for what no finite float can hold."""
    if isinstance(term, bool) or not isinstance(term, int | float):
        return None
    try:
        value = float(term)
    except OverflowError:
        return None
    return value if isfinite(value) else None
