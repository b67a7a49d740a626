"""Whether a series that is outside its band now had ever moved before: what rested until then has no record to be held to."""

import numpy as np

from lens_exporter.model.window import FloatArray

_ROUNDING = 1e-7  # of the level: what arithmetic leaves on a value that rests is no movement


def had_moved(values: FloatArray, expected: float, edge: float) -> bool:
    """Look at values [time] up to the last that lay within `edge` of what is expected, the half-width of the band."""
    present = values[np.isfinite(values)]
    inside = np.flatnonzero(np.abs(present - expected) <= edge)
    before = present[: inside.max(initial=-1) + 1]
    return bool(before.size) and bool(before.max() - before.min() > _ROUNDING * np.abs(before).max())
