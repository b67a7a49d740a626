"""The series of a target as the ranking of suspects takes them."""

from dataclasses import dataclass

import numpy as np

from lens_exporter.model.labels import Labels
from lens_exporter.model.window import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """One series on the fine grid, NaN where there is no value. is_counter: its type where the server knows it."""

    labels: Labels
    values: FloatArray
    is_counter: bool | None = None


def name_of(one: Samples) -> str:
    """Give the name of its metric."""
    return one.labels.get("__name__", "")


def last(one: Samples) -> float | None:
    """Give its last value, None where it has none."""
    finite = one.values[np.isfinite(one.values)]
    return float(finite[-1]) if finite.size else None
