"""What a peer is: a score per series and row, and the decision its authors publish."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..data import BoolArray, FloatArray

_STRONGEST = 5

Score = Callable[[FloatArray, FloatArray, float], FloatArray]
"""(values [series, time], times [time] in seconds, step in seconds) -> score [series, time], >= 0; row t knows rows up to t."""

Decide = Callable[[FloatArray, float], BoolArray]
"""(score [series, time], step in seconds) -> alarm of the whole group [time]."""


@dataclass(frozen=True, slots=True)
class Peer:
    """name: as in the tables; decision: the published rule, in words."""

    name: str
    decision: str
    score: Score
    decide: Decide


def group_score(scores: FloatArray) -> FloatArray:
    """Mean of the five highest metrics in each row: [series, time] -> [time]."""
    few = min(_STRONGEST, len(scores))
    strongest: FloatArray = np.partition(scores, len(scores) - few, axis=0)[-few:].mean(axis=0)
    return strongest


def any_above(threshold: float, lasting: float = 0.0) -> Decide:
    """Alarm while any series has been above the threshold for so many seconds (Prometheus' `for`)."""

    def decide(scores: FloatArray, step: float) -> BoolArray:
        above = scores > threshold
        met = above.copy()
        for back in range(1, int(np.ceil(lasting / step)) + 1):
            met[:, back:] &= above[:, :-back]
            met[:, :back] = False
        alarm: BoolArray = np.logical_or.reduce(met, axis=0)
        return alarm

    return decide
