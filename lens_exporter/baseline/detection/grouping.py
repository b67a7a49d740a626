"""Which series are judged together, laid out so that groups of about one size share an array."""

from collections.abc import Sequence

import numpy as np

from lens_exporter.baseline.detection.structure import IntArray, Slots


def slots(groups: Sequence[Sequence[int]]) -> tuple[Slots, ...]:
    """Lay groups out by size, those of up to 1, 2, 4, 8 ... members together, so that at most half of an array is empty."""
    alike: dict[int, list[int]] = {}
    for group, members in enumerate(groups):
        alike.setdefault((len(members) - 1).bit_length(), []).append(group)
    return tuple(_slots(of, groups) for _, of in sorted(alike.items()))


def membership(series: int, groups: Sequence[Sequence[int]]) -> IntArray:
    """Give the group of each series [series], -1 for a lone one."""
    found = np.full(series, -1, dtype=np.int64)
    for group, members in enumerate(groups):
        found[list(members)] = group
    return found


def _slots(of: list[int], groups: Sequence[Sequence[int]]) -> Slots:
    members = np.full((len(of), max(len(groups[group]) for group in of)), -1, dtype=np.int64)
    for row, group in enumerate(of):
        members[row, : len(groups[group])] = list(groups[group])
    return Slots(np.array(of, dtype=np.int64), members)
