"""The band of the recording rules in numpy: what a ruler that evaluates `lens_exporter/rules/band.py` every five minutes records.

Written rule by rule and evaluation by evaluation, slow and plain; tests/integration/test_rules_promtool.py holds it against
promtool.
Ranges are closed at both ends, as in Prometheus 2; Prometheus 3 leaves the first sample out.
"""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lens_exporter.rules.band import ENOUGH, FLOOR_LEVEL, FLOOR_RANGE, HALF, SHIFTED, WEEKLY_MUST_WIN

FloatArray = npt.NDArray[np.float64]

_DAY, _EVERY, _TOLERANCE = 86_400.0, 300.0, 900.0


@dataclass(frozen=True, slots=True)
class RuleBand:
    """What is recorded, [series, evaluation]; NaN where nothing is. rows are the rows of the values that were evaluated."""

    rows: npt.NDArray[np.int64]
    expected: FloatArray
    width: FloatArray


def rule_band(values: FloatArray, step: float, deviations: float) -> RuleBand:
    """Evaluate the rules over values [series, time], one row every `step` seconds, a divisor of five minutes.

    deviations is how many standard deviations wide the band is to each side (`Plan.deviations`).
    """
    apart = round(_EVERY / step)
    rows = np.arange(0, values.shape[1], apart)
    ruler = _Ruler(values.shape[0], rows.size, deviations)
    day = round(_DAY / step)
    for at, row in enumerate(rows):
        ruler.evaluate(at, values[:, row], values[:, max(0, row - day) : row + 1])
    return RuleBand(rows, ruler.expected, ruler.width)


class _Ruler:
    def __init__(self, series: int, evaluations: int, deviations: float) -> None:
        self._deviations = deviations
        self.expected, self.width = (np.full((series, evaluations), np.nan) for _ in range(2))
        self._sampled = np.full((series, evaluations), np.nan)
        self._residual = np.full((3, series, evaluations), np.nan)
        # Sums over evaluations so far: count, residual, its square.
        self._sums = np.zeros((3, 3, series, evaluations + 1))

    def evaluate(self, at: int, value: FloatArray, last_day: FloatArray) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # windows that hold no sample yet
            self._sampled[:, at] = self._learnable(at, value, last_day)
            week = self._sampled[:, max(0, at - round(7 * _DAY / _EVERY)) : at + 1]
            self._residual[:, :, at] = self._sampled[:, at] - self._candidates(at, week)
            residual = self._residual[:, :, at]
            for sum_, term in zip(self._sums, (np.isfinite(residual), residual, residual**2), strict=True):
                sum_[:, :, at + 1] = sum_[:, :, at] + np.nan_to_num(term)
            self._band(at, week)

    def _learnable(self, at: int, value: FloatArray, last_day: FloatArray) -> FloatArray:
        if at == 0:
            return value
        centre, half = self.expected[:, at - 1], self.width[:, at - 1]
        low, high = _heeding(np.quantile, np.nanquantile)(last_day, (SHIFTED, 1 - SHIFTED), axis=1)
        clipped = np.where((value > centre + half) & ~(low > centre + half), centre + half, value)
        return np.where((value < centre - half) & ~(high < centre - half), centre - half, clipped)

    def _candidates(self, at: int, week: FloatArray) -> FloatArray:
        median = _heeding(np.median, np.nanmedian)
        days, weeks = (self._around(np.nanmean, at, ago) for ago in (range(1, 8), (7, 14)))
        return np.stack([median(week, axis=1), median(days, axis=0), np.nanmean(weeks, axis=0)])

    def _around(self, function: Callable[..., FloatArray], at: int, ago: Iterable[int]) -> FloatArray:
        """Give a function of the readings around this time of day, [day, series], for those days that there were."""
        reach = round(_TOLERANCE / _EVERY)
        centres = [at - round(days * _DAY / _EVERY) for days in ago]
        spans = [self._sampled[:, max(0, centre - reach) : centre + reach + 1] for centre in centres if centre + reach >= 0]
        nothing = np.full((1, self.expected.shape[0]), np.nan)
        return np.stack([function(span, axis=1) for span in spans]) if spans else nothing

    def _over(self, at: int, days: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Give count, mean and mean square of the residuals of so many days, each [candidate, series]."""
        first = max(0, at - round(days * _DAY / _EVERY))
        count, total, squares = (sum_[:, :, at + 1] - sum_[:, :, first] for sum_ in self._sums)
        return count, total / count, squares / count

    def _band(self, at: int, week: FloatArray) -> None:
        count, recent, square = self._over(at, 3)
        trailing = _deviation(recent, square)
        trailing[2] /= WEEKLY_MUST_WIN
        trailing = np.where(count >= int(ENOUGH * _DAY / _EVERY), trailing, np.inf)
        best, known = np.argmin(trailing, axis=0)[None], np.isfinite(trailing.min(axis=0))
        _, mean, whole = self._over(at, 7)
        candidate = self._sampled[:, at] - self._residual[:, :, at]
        expected = np.take_along_axis(candidate + mean, best, axis=0)[0]
        deviation = np.take_along_axis(_deviation(mean, whole), best, axis=0)[0]
        edge = HALF * _heeding(np.median, np.nanmedian)(self._around(np.nanstd, at, range(1, 8)), axis=0)
        floor = FLOOR_RANGE * (np.nanmax(week, axis=1) - np.nanmin(week, axis=1)) + FLOOR_LEVEL * np.abs(np.nanmean(week, axis=1))
        self.expected[:, at] = np.where(known, expected, np.nan)
        self.width[:, at] = np.where(known, self._deviations * np.fmax(np.fmax(deviation, floor), edge), np.nan)


def _heeding(plain: Callable[..., FloatArray], careful: Callable[..., FloatArray]) -> Callable[..., FloatArray]:
    """Leave NaN out, and take the way that need not where there is none: numpy's other one takes a hundred times as long."""
    return lambda values, *how, **more: (plain if np.isfinite(values).all() else careful)(values, *how, **more)


def _deviation(mean: FloatArray, square: FloatArray) -> FloatArray:
    deviation: FloatArray = np.sqrt(np.maximum(square - mean**2, 0.0))
    return deviation
