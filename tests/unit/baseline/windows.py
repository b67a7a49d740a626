"""Windows of history written as arrays, for tests of what judges them."""

from collections.abc import Sequence

import numpy as np

from lens_exporter.model.labels import Labels
from lens_exporter.model.window import FloatArray, Window

NOON = 1_795_176_000.0  # 2026-11-20 12:00:00 UTC


def window(
    values: Sequence[float] | Sequence[Sequence[float]] | FloatArray,
    *,
    labels: Sequence[Labels] | None = None,
    step: float = 60.0,
    end: float = NOON,
    metric: str = "memory_utilization",
) -> Window:
    """Put rows of values (or one row) on a grid that ends at `end`."""
    rows = np.atleast_2d(np.asarray(values, dtype=np.float64))
    series, length = rows.shape
    times = end - step * np.arange(length - 1, -1, -1, dtype=np.float64)
    names = tuple(labels) if labels is not None else tuple({"instance": f"api-{row}:9000", "job": "api"} for row in range(series))
    return Window(metric, names, times, rows, step)


def noise(count: int, *, level: float = 0.42, width: float = 0.01, seed: int = 7) -> list[float]:
    """Give readings of a quiet series around a level."""
    return list(level + width * np.random.default_rng(seed).standard_normal(count).clip(-2.5, 2.5))
