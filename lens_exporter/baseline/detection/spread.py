"""How far each series usually strays from what is expected of it, and how suddenly: the scale that makes departures comparable."""

from dataclasses import dataclass

import numpy as np

from lens_exporter.baseline.detection.regroup import picked
from lens_exporter.baseline.detection.structure import BoolArray, IntArray
from lens_exporter.baseline.detection.tuning import Tuning
from lens_exporter.model.window import FloatArray

HOURS = 168  # entries of the memory: a week
_SUMS = ("count", "r1", "r2", "r4", "e1", "e2", "e4")
_FOURTH_OF_NORMAL = 3.0  # E z^4 of the normal distribution
_TAIL_SHARE = 0.25  # how much of the scale is the fourth moment's: a heavy-tailed series is judged by its tails too
_OF_RANGE, _OF_LEVEL, _OF_FULL = 0.01, 0.001, 0.002  # floors of the scale
_NOTHING = 1e-12
_STEADY = 0.95  # part of the rows with a value, of a series whose silence means something


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """Mean and spread of residuals r and jumps e of each series, arrays [series]. known is False where too little was seen."""

    r_mean: FloatArray
    r_sd: FloatArray
    r_spread: FloatArray
    e_mean: FloatArray
    e_spread: FloatArray
    known: BoolArray

    def take(self, kept: IntArray) -> "Scale":
        """Give the series at these indices, in this order; -1 is one that was never seen."""
        r_mean, e_mean = (picked(one, kept, new=0.0) for one in (self.r_mean, self.e_mean))
        r_sd, r_spread, e_spread = (picked(one, kept, new=1.0) for one in (self.r_sd, self.r_spread, self.e_spread))
        return Scale(r_mean, r_sd, r_spread, e_mean, e_spread, picked(self.known, kept, new=False))


class Spread:
    """Sums of powers of r and e per hour over a week, of rows that no alarm keeps out.

    sd is the plain standard deviation: magnitude is kept, nothing is robust, since rows under an alarm are left out already.
    spread = sd^0.75 * (E(r - mean)^4 / 3)^(0.25/4): equal to sd for normal noise, wider for heavy tails. Both are at least
    1 % of the week's range of values, 0.1 % of the level and 0.2 % of a declared full scale.
    """

    def __init__(self, series: int, tuning: Tuning) -> None:
        self._full = np.nan_to_num(tuning.full) if tuning.full is not None else np.zeros(series)
        self._sums = {name: np.zeros((HOURS, series), dtype=np.float32) for name in _SUMS}
        self._low = np.full((HOURS, series), np.inf, dtype=np.float32)
        self._high = np.full((HOURS, series), -np.inf, dtype=np.float32)
        self._present = np.zeros((HOURS if tuning.missing else 0, series), dtype=np.float32)
        self._rows = np.zeros(HOURS)
        self._hour: int | None = None
        self._enough = 0.5 * 86_400.0 / tuning.step

    def learn(self, hour: int, values: FloatArray, r: FloatArray, e: FloatArray, counted: BoolArray, scale: Scale) -> None:
        """Add one hour of rows [time, series]; counted [time, series] marks rows that are not kept out."""
        last = self._hour
        for missed in range(max(last + 1, hour - HOURS) if last is not None else hour, hour + 1):
            for sums in self._sums.values():
                sums[missed % HOURS] = 0.0
            self._rows[missed % HOURS] = 0.0
            self._low[missed % HOURS], self._high[missed % HOURS] = np.inf, -np.inf
        self._hour = hour
        slot = hour % HOURS
        present = np.isfinite(values)
        self._rows[slot] = values.shape[0]
        if self._present.size:
            self._present[slot] = present.sum(axis=0)
        known = counted & np.isfinite(r)
        r0, e0 = np.where(known, r, 0.0), np.where(known, e, 0.0)
        r_off = np.where(known, r - np.nan_to_num(scale.r_mean), 0.0)
        e_off = np.where(known, e - np.nan_to_num(scale.e_mean), 0.0)
        self._sums["count"][slot] = known.sum(axis=0)
        for name, value in (("r1", r0), ("r2", r0**2), ("r4", r_off**4), ("e1", e0), ("e2", e0**2), ("e4", e_off**4)):
            self._sums[name][slot] = value.sum(axis=0)
        self._low[slot] = np.where(present, values, np.inf).min(axis=0)
        self._high[slot] = np.where(present, values, -np.inf).max(axis=0)

    def fit(self, level: FloatArray) -> Scale:
        """Give the scale as of now. level [series] is the usual level of each series."""
        total = {name: sums.sum(axis=0, dtype=np.float64) for name, sums in self._sums.items()}
        count = np.maximum(total["count"], 1.0)
        spans = self._high.max(axis=0).astype(np.float64) - self._low.min(axis=0)
        floor = np.maximum(
            _OF_RANGE * np.where(np.isfinite(spans), spans, 0.0) + _OF_LEVEL * np.abs(np.nan_to_num(level)), _OF_FULL * self._full
        )
        floor = np.maximum(floor, _NOTHING)
        r_mean, r_sd, r_spread = _moments(total["r1"], total["r2"], total["r4"], count, floor)
        e_mean, _, e_spread = _moments(total["e1"], total["e2"], total["e4"], count, floor)
        return Scale(r_mean, r_sd, r_spread, e_mean, e_spread, total["count"] >= self._enough)

    def extremes(self) -> tuple[FloatArray, FloatArray]:
        """Give the highest and lowest value of each series [series] that is remembered; NaN where there is none."""
        high, low = self._high.max(axis=0).astype(np.float64), self._low.min(axis=0).astype(np.float64)
        return np.where(np.isfinite(high), high, np.nan), np.where(np.isfinite(low), low, np.nan)

    def steady(self) -> BoolArray:
        """Tell which series [series] have had a value in nearly every row of the week."""
        rows = self._rows.sum()
        steady: BoolArray = (self._present.sum(axis=0) >= _STEADY * rows) & (rows >= 2.0 * self._enough)
        return steady

    def take(self, kept: IntArray, full: FloatArray | None) -> None:
        """Keep the series at these indices, in this order; -1 is a new one. full is the declared full scale of each from now on."""
        self._full = np.nan_to_num(full) if full is not None else np.zeros(kept.size)
        self._sums = {name: picked(sums, kept, new=0.0) for name, sums in self._sums.items()}
        self._present = picked(self._present, kept, new=0.0)
        self._low = picked(self._low, kept, new=np.inf)
        self._high = picked(self._high, kept, new=-np.inf)


def nothing_known(series: int) -> Scale:
    """Give the scale of series that were never seen."""
    zeros, ones = np.zeros(series), np.ones(series)
    return Scale(zeros, ones, ones, zeros, ones, np.zeros(series, dtype=np.bool_))


def _moments(
    first: FloatArray, second: FloatArray, fourth: FloatArray, count: FloatArray, floor: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    mean = first / count
    sd = np.maximum(np.sqrt(np.maximum(second / count - mean**2, 0.0)), floor)
    tails = np.maximum((fourth / count / _FOURTH_OF_NORMAL) ** 0.25, floor)
    return mean, sd, sd ** (1.0 - _TAIL_SHARE) * np.maximum(tails, sd) ** _TAIL_SHARE
