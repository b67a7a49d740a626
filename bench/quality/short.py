"""Short tables: a machine's test part cut into pieces that `detect` sees one by one, each from nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .data import BoolArray, FloatArray, Machine
from .machines import average_precision
from .report import number, table


@dataclass(frozen=True, slots=True)
class Piece:
    """Some hours of a machine in which something is labelled. times in Unix seconds [time], values [metric, time], label [time]."""

    times: FloatArray
    values: FloatArray
    label: BoolArray


def pieces(machine: Machine, hours: float) -> list[Piece]:
    """Cut the test part into pieces of so many hours; those without a labelled row, and the rest at the end, are left out."""
    rows = round(hours * 3600 / machine.step)
    cuts = [slice(first, first + rows) for first in range(0, len(machine.test) - rows + 1, rows)]
    return [Piece(machine.test_times[cut], machine.test[cut].T, machine.label[cut]) for cut in cuts if machine.label[cut].any()]


def short_row(hours: float, found: Sequence[Piece], scores: Sequence[FloatArray]) -> list[str]:
    """Give the AP of scores [time] of each piece: their mean, of all rows together, and what chance gives of each."""
    each = [average_precision(score, piece.label) for piece, score in zip(found, scores, strict=True)]
    label = np.concatenate([piece.label for piece in found])
    pooled = average_precision(np.concatenate(scores), label)
    chance = float(np.mean([piece.label.mean() for piece in found]))
    figures = (float(np.mean(each)), chance, pooled, float(label.mean()))
    return [f"{hours:g} h", str(len(found)), *(number(figure, 3) for figure in figures)]


def short_table(rows: Sequence[Sequence[str]]) -> str:
    """Lay out the rows of several lengths."""
    return table(("length", "tables", "AP", "chance", "AP pooled", "chance"), rows)
