"""Half an hour beside what is expected: departures that all readings have together and hardly one by itself."""

from dataclasses import dataclass

import numpy as np

from lens_exporter.baseline.detector import TAIL
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import FloatArray, Scores, Window

_LONG, _STANDS = 1800.0, 600.0  # seconds: so long is looked at, and so long it must have been as much
_FEWEST = 3  # readings, where they are rare
_FAR, _STILL_FAR = 0.5, 0.25  # half-widths of the band: half of the readings must be as far, to begin and to go on
_OFF, _NEWEST = 0.15, 3  # the mean of the newest must be this far, of each at most the edge, or it is over
_OF_AN_END = 0.05  # 40.3 % for 40 % is nothing, however steady it was; 0.5 % for 0.01 %, or 99.5 % for 99.99 %, is much


@dataclass(frozen=True, slots=True)
class Beside:
    """What a series has been since it left, and what was expected of it, as means of the same readings."""

    side: int  # +1 above, -1 below
    value: float
    expected: float
    readings: int
    seconds: float  # that they take
    since: float  # Unix seconds of the first of them
    longer: bool  # it may have left before: this is all that is looked at


def beside(metric: BaselineMetric, window: Window, scores: Scores, row: int, *, goes_on: bool = False) -> Beside | None:
    """Give what a series has been beside, if half an hour is, and if its metric says that this is worth telling.

    The mean departure has been more than is usual (`Learnt.sustained`) for ten minutes, half of the readings of half an hour are
    half of the band off, and the newest three are still, the last of them too. To go on (`Underway`) it takes less.
    """
    learnt = scores.learnt
    if learnt is None or not (side := int(np.sign(learnt.sustained[row, -1]))) or side * metric.side < 0:
        return None
    long, stands = (max(_FEWEST, min(TAIL, round(length / window.step))) for length in (_LONG, _STANDS))
    kept = slice(-min(long, scores.score.shape[1]), None)
    present = np.isfinite(window.values[row, kept]) & np.isfinite(scores.score[row, kept])
    off = side * scores.score[row, kept][present]
    level, far = (1, _STILL_FAR) if goes_on else (2, _FAR)
    if off.size < stands or (side * learnt.sustained[row, kept][present][-stands:] < level).any():
        return None
    newest = min(off[-1], np.clip(off[-_NEWEST:], -1.0, 1.0).mean())
    if 2 * np.count_nonzero(off >= far) < off.size or newest < _OFF:
        return None
    first = _left(off, stands)
    value, usual = (float(one[row, kept][present][first:].mean()) for one in (window.values, scores.expected))
    if side * (value - usual) < _least(metric, usual):
        return None
    since, readings = float(window.times[kept][present][first]), off.size - first
    seconds = float(window.times[-1]) - since + window.step
    return Beside(side, value, usual, readings, seconds, since, first == 0)


def _least(metric: BaselineMetric, usual: float) -> float:
    """Give the least departure of half an hour that is told: of a share also a part of what lies between it and the nearer end."""
    least = max(metric.min_change, metric.min_change_ratio * abs(usual))
    return least if metric.scale is None else max(least, _OF_AN_END * min(abs(usual), abs(metric.scale - usual)))


def _left(off: FloatArray, fewest: int) -> int:
    """Give the place of the reading [reading] from which on they are off: where what follows sums up to most (Page 1954)."""
    sums = np.cumsum((np.minimum(off, 1.0) - _OFF)[::-1])[::-1]
    return int(np.argmax(sums[: off.size - fewest + 1]))
