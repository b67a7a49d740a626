"""Order statistics that leave gaps out, for many columns at once: numpy's own nan-functions go through them one by one."""

import numpy as np

from lens_exporter.model.window import FloatArray


def quantile(values: FloatArray, share: float) -> FloatArray:
    """Give the quantile along the first axis, linear between ranks as numpy's default; NaN where all of a column is NaN."""
    ordered = np.sort(values, axis=0)  # NaN last
    count = np.isfinite(ordered).sum(axis=0)
    place = share * np.maximum(count - 1, 0)
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    below = np.take_along_axis(ordered, low[None], axis=0)[0]
    above = np.take_along_axis(ordered, high[None], axis=0)[0]
    between: FloatArray = below + (above - below) * (place - low)
    return between


def median(values: FloatArray) -> FloatArray:
    """Give the median along the first axis; NaN where all of a column is NaN."""
    if not np.isnan(values).any():
        whole: FloatArray = np.median(values, axis=0)
        return whole
    return quantile(values, 0.5)
