"""The decimal logarithm of counts."""

import numpy as np

from lens_exporter.baseline.detection.structure import IntArray
from lens_exporter.model.window import FloatArray


def decades(counts: IntArray) -> FloatArray:
    """Give log10 of counts of any shape, 0 for none.

    Series that are watched together have shown about as many values each: what few counts there are is worked out once.
    """
    least, most = (int(counts.min()), int(counts.max())) if counts.size else (0, 0)
    if most - least >= counts.size // 2:
        return np.log10(np.maximum(counts, 1))
    found: FloatArray = np.log10(np.maximum(np.arange(least, most + 1), 1)).take(counts - least)
    return found
