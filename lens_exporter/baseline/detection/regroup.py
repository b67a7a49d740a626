"""Carrying what was learnt over to another set of series: some leave, some join, groups grow and shrink."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from lens_exporter.baseline.detection.structure import IntArray, Slots, Structure

Kind = TypeVar("Kind", np.float64, np.float32, np.int64, np.int8, np.bool_)


def picked(array: NDArray[Kind], kept: IntArray, *, new: float | bool) -> NDArray[Kind]:
    """Give the columns [..., kept] of an array; -1 is a new column of one value."""
    if not array.shape[-1]:
        return np.full((*array.shape[:-1], kept.size), new, dtype=array.dtype)
    chosen = array[..., kept]
    chosen[..., kept < 0] = new
    return chosen


def regrouped(old: tuple[Structure, ...], slots: tuple[Slots, ...], kept: IntArray, groups_kept: IntArray) -> tuple[Structure, ...]:
    """Lay the sums of old groups out in new slots. kept and groups_kept give the old index of each new series and group."""
    places = {int(group): (structure, row) for structure in old for row, group in enumerate(structure.slots.groups)}
    structures = tuple(Structure(one) for one in slots)
    for structure in structures:
        for row, group in enumerate(structure.slots.groups):
            found = places.get(int(groups_kept[group]))
            if found is not None:
                before, there = found
                columns = {int(series): column for column, series in enumerate(before.slots.members[there]) if series >= 0}
                members = structure.slots.members[row]
                source = np.array([columns.get(int(kept[series]), -1) if series >= 0 else -1 for series in members])
                structure.inherit(row, before, there, source)
    return structures
