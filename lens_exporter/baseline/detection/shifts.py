"""Which parts of a week were spent beside a level that is the usual one by now."""

import numpy as np

from lens_exporter.baseline.detection import ranks
from lens_exporter.baseline.detection.structure import BoolArray, IntArray
from lens_exporter.model.window import FloatArray

_FAR = 5.0  # times what parts usually differ by, and stray inside
_NEAR, _REST = 0.4, 0.1  # of that, or of the shift: what is nearer is back at once,
_STEPS = 3  # parts later anything is that was back once: a level follows in steps of six hours, and in between it was half way
_PARTS = 2  # in a row, of three entries each: three hours, more where rows are rarer than a quarter of an hour
_HALF = 0.5  # of what the residuals came back by: values that moved by less have stayed, and what moved by more has followed
_BEFORE = 3  # parts at the same time of day: one wild reading moves a middle


def followed(means: FloatArray, inside: FloatArray, middles: FloatArray, floor: FloatArray, day: int) -> BoolArray:
    """Mark the parts of a week [part, series], oldest first, that were a shift which what is expected has followed.

    means and inside are the mean and standard deviation of each part's residuals, middles the middle of its values, all
    [part, series], NaN where it has none; floor [series] is the least that counts. A day has so many parts.

    A shift is a run of parts whose means lie far out, all to one side: five times as far from the median as parts usually do. It
    is over when the residuals are back, wholly or for nine hours. It was followed if then the values are not back, or what is
    expected has moved as far, since the days before, at the same time of day: for where there is a season values move by
    themselves. A weekend or an incident is over when the values are back, and what is expected has stayed: how far it strayed is a
    measure of what the series does, and of the next one. (An incident whose end is hidden by a season is taken for a shift. By
    that no scale gets wider.)
    """
    usual = ranks.median(means)
    apart, strays = 1.4826 * ranks.median(np.abs(means - usual)), ranks.median(inside)
    far = _FAR * np.maximum(np.sqrt(apart**2 + strays**2), floor)
    with np.errstate(invalid="ignore"):
        side = np.where(np.abs(means - usual) > far, np.sign(means - usual), 0.0)
    expected = middles - means
    marked = np.zeros(means.shape, dtype=np.bool_)
    for series in np.flatnonzero((side != 0.0).sum(axis=0) >= _PARTS):
        known = np.flatnonzero(np.isfinite(means[:, series]))
        for run in _runs(side[known, series]):
            parts, later = known[run], known[run[-1] + 1 :][:_STEPS]
            size = np.median(means[parts, series]) - usual[series]
            off = np.abs(means[later, series] - usual[series])
            if later.size < _STEPS and off.min() > max(_NEAR * far[series], _REST * abs(size)):
                continue  # followed in part, perhaps
            after = later[0]
            # Of the median part: a level follows in steps, and one wild reading moves a middle.
            back, moved = (one[after, series] - np.median(one[parts, series]) for one in (means, middles))
            before = known[(known < after) & ((after - known) % day == 0)][-_BEFORE:]
            went = expected[after, series] - np.median(expected[before, series]) if before.size else 0.0
            marked[parts, series] = abs(moved) < _HALF * abs(back) or -went / back > _HALF
    return marked


def _runs(side: FloatArray) -> list[IntArray]:
    """Give the places of each run of enough parts to one side that is over."""
    ends = np.flatnonzero(side[1:] != side[:-1]) + 1
    runs = np.split(np.arange(side.size), ends)[:-1]
    return [run for run in runs if side[run[0]] != 0.0 and run.size >= _PARTS]
