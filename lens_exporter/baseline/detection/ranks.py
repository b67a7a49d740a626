"""Order statistics that leave gaps out, for many columns at once: numpy's own nan-functions go through them one by one."""

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from lens_exporter.baseline.detection.structure import IntArray
from lens_exporter.model.window import FloatArray

Real = TypeVar("Real", np.float64, np.float32)

FEW = 1000  # columns: so many are sorted one by one as soon as all of them row by row


def quantiles(values: NDArray[Real], shares: tuple[float, ...]) -> tuple[FloatArray, ...]:
    """Give quantiles along the last axis, linear between ranks as numpy's default; NaN where there are only gaps."""
    ordered = np.sort(values, axis=-1)  # NaN last
    present = ordered.shape[-1] - np.isnan(ordered).sum(axis=-1)
    begins = np.arange(0, ordered.size, ordered.shape[-1]).reshape(present.shape)  # of each column among all numbers
    return tuple(_at(ordered.reshape(-1), begins, present, share) for share in shares)


def median(values: NDArray[Real]) -> FloatArray:
    """Give the median of a few rows, along the first axis; NaN where there are only gaps.

    Of many columns whole rows are compared at a time, in the order of Batcher's merge exchange sort (Knuth 5.2.2 M).
    """
    gaps = np.isnan(values)
    some = ~gaps.all(axis=1)
    if not some.all() and some.any():  # days that are not known yet: of nobody
        values, gaps = values[some], gaps[some]
    finite = np.fmin(values, np.float32(np.inf))
    if values.shape[1] < FEW:
        rows = list(np.sort(finite, axis=0))
    else:
        rows = list(finite)
        for low, high in _exchanges(len(rows)):
            rows[low], rows[high] = np.minimum(rows[low], rows[high]), np.maximum(rows[low], rows[high])
    present = len(rows) - gaps.sum(axis=0)
    if present.size and present.min() == len(rows):
        middle: FloatArray = 0.5 * (rows[(len(rows) - 1) // 2].astype(np.float64) + rows[len(rows) // 2])
        return middle
    ordered = np.stack(rows)
    below, above = (_row(ordered, place).astype(np.float64) for place in (np.maximum(present - 1, 0) // 2, present // 2))
    return np.where(present > 0, 0.5 * (below + above), np.nan)


def _exchanges(size: int) -> Iterator[tuple[int, int]]:
    """Give the pairs of places whose contents are put in order, one after another, to sort so many."""
    top = part = 1 << max(0, (size - 1).bit_length() - 1)
    while part:
        reach, remainder, apart = top, 0, part
        while True:
            yield from ((place, place + apart) for place in range(size - apart) if place & part == remainder)
            if reach == part:
                break
            apart, reach, remainder = reach - part, reach >> 1, part
        part >>= 1


def _at(ordered: NDArray[Real], begins: IntArray, present: IntArray, share: float) -> FloatArray:
    last = np.maximum(present - 1, 0)
    place = share * last
    low = place.astype(np.int64)
    below, above = (ordered[begins + at].astype(np.float64) for at in (low, np.minimum(low + 1, last)))
    between: FloatArray = below + (above - below) * (place - low)
    return between


def _row(ordered: NDArray[Real], place: IntArray) -> NDArray[Real]:
    row: NDArray[Real] = np.take_along_axis(ordered, place[None], axis=0)[0]
    return row
