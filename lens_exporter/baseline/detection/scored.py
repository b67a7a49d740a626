"""What the engine says about a block of rows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lens_exporter.baseline.detection.structure import BoolArray
from lens_exporter.model.window import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class GroupScored:
    """score, threshold and anomaly are [groups, time]; NaN (False) where there is no score yet."""

    score: FloatArray
    threshold: FloatArray  # infinite until it is known
    anomaly: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Every array is [series, time].

    expected, lower, upper: the band, NaN while it is not known. score is at least 0 and comparable across series: for a member of a
    group its share in the group's score (departure, jump and what the others do not explain, each in its own spreads); for a
    lone series, where it is news, 3 + log10(20 / how many values as novel its history would be expected to hold), and below 3
    how far it departs (`Lone`). anomaly: at the budget.
    """

    expected: FloatArray
    lower: FloatArray
    upper: FloatArray
    score: FloatArray
    anomaly: BoolArray
    novel: BoolArray  # a lone series' value unlike any before; never of a member of a group
    unusual: BoolArray  # a lone series that departs, or has departed, further than its budget allows; never of a member
    sustained: NDArray[np.int8]  # by side, 2 where a lone series' half hour departs by more than is usual, 1 where that goes on
    groups: GroupScored


@dataclass(frozen=True, slots=True, eq=False)
class Habits:
    """What was about this hour on each of the last seven days, yesterday first; NaN where that is not known.

    above, below: how far out each series was to either side, in half-widths of its band [day, series]. otherwise: the part of the
    hours at other times of the day in which it left its band [series]. groups: the score of each group [day, groups].
    """

    above: FloatArray
    below: FloatArray
    otherwise: FloatArray
    groups: FloatArray


def joined(parts: list[Scored], rows: int) -> Scored:
    """Join blocks of rows in their order, and give so many of the last rows; there are no fewer, and at least one is wanted."""
    if len(parts) == 1 and parts[0].score.shape[1] == rows:
        return parts[0]

    def along(array: Callable[[Scored], NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate([array(part).T for part in parts])[-rows:].T  # rows lie together, as they were made

    return Scored(
        expected=along(lambda part: part.expected),
        lower=along(lambda part: part.lower),
        upper=along(lambda part: part.upper),
        score=along(lambda part: part.score),
        anomaly=along(lambda part: part.anomaly),
        novel=along(lambda part: part.novel),
        unusual=along(lambda part: part.unusual),
        sustained=along(lambda part: part.sustained),
        groups=GroupScored(
            score=along(lambda part: part.groups.score),
            threshold=along(lambda part: part.groups.threshold),
            anomaly=along(lambda part: part.groups.anomaly),
        ),
    )
