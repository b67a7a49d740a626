"""Is one detector better than another, or were these files and days lucky? Paired bootstrap: both see the same resamples.

What is drawn, 2,000 times, with replacement:
- NAB: files. The score of a resample is the official one with its own best threshold.
- AP of machines: days of the test part within each machine, so each resample has all machines, each as many days as it has. Rows of
  a day are no independent draws, days nearly are. The mean over machines of AP is taken; a machine of which no labelled row was
  drawn is left out of that resample for both detectors.
- AP again: whole machines, since days say nothing about another server. Six or four machines make a coarse interval.
- Share of events caught: events of all machines, at the thresholds found on the whole test part.
- AP of metrics by themselves: whole machines, since metrics of one machine are no independent draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .data import BoolArray, FloatArray, IntArray, Machine
from .machines import average_precision
from .nab import Profile, Sweep

_RESAMPLES = 2000
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Difference:
    """First detector minus second: on the data as it is, and the 95 % interval over resamples."""

    value: float
    low: float
    high: float

    @property
    def better(self) -> bool:
        """Whether the whole interval lies above 0."""
        return self.low > 0

    @property
    def decided(self) -> bool:
        """Whether 0 lies outside the interval."""
        return self.low > 0 or self.high < 0


class Resamples:
    """Draws for one set of data: made once, used for every detector, which is what pairs them."""

    def __init__(self, seed: int = 0, resamples: int = _RESAMPLES) -> None:
        self._seed = seed
        self._resamples = resamples

    def of(self, things: int) -> FloatArray:
        """How often each of so many things is drawn, [resample, thing]; the same at each call."""
        random = np.random.default_rng([self._seed, things])
        drawn: FloatArray = random.multinomial(things, np.full(things, 1 / things), size=self._resamples).astype(np.float64)
        return drawn

    def nab(self, swept: Sweep, profile: Profile) -> FloatArray:
        """Give NAB's score on each resample of files, with the score on the files themselves first."""
        files = len(swept.corpus.lengths)
        return swept.resampled(profile, np.concatenate([np.ones((1, files)), self.of(files)]))

    def ap_by_days(self, machines: Sequence[Machine], scores: Sequence[FloatArray]) -> FloatArray:
        """Mean over machines of AP, on the test parts (first) and on each resample of their days."""
        each = []
        for index, (machine, score) in enumerate(zip(machines, scores, strict=True)):
            day = (np.arange(len(score)) * machine.step // _DAY).astype(np.int64)
            days = int(day[-1]) + 1
            # Machines have equally many days, and must not all draw the same ones.
            drawn = Resamples(self._seed + 1 + index, self._resamples).of(days)
            weights = np.concatenate([np.ones((1, days)), drawn])
            each.append(_weighted_ap(score, machine.label, day, weights))
        known = np.isfinite(each)
        means: FloatArray = np.nan_to_num(each).sum(axis=0) / np.where(known.any(axis=0), known.sum(axis=0), np.nan)
        return means

    def ap_by_machines(self, machines: Sequence[Machine], scores: Sequence[FloatArray]) -> FloatArray:
        """Mean over machines of AP, on the set (first) and on each resample of machines."""
        each = np.array([average_precision(score, machine.label) for machine, score in zip(machines, scores, strict=True)])
        weights = np.concatenate([np.ones((1, len(each))), self.of(len(each))])
        means: FloatArray = weights @ each / len(each)
        return means

    def share(self, caught: Sequence[BoolArray]) -> FloatArray:
        """Share of events caught, on all events (first) and on each resample of them."""
        hits = np.concatenate(caught).astype(np.float64)
        weights = np.concatenate([np.ones((1, len(hits))), self.of(len(hits))])
        shares: FloatArray = weights @ hits / len(hits)
        return shares

    def mean_by_machines(self, each: Sequence[FloatArray]) -> FloatArray:
        """Mean of what the metrics of machines have, on all of them (first) and on each resample of machines."""
        weights = np.concatenate([np.ones((1, len(each))), self.of(len(each))])
        sums, counts = np.array([one.sum() for one in each]), np.array([one.size for one in each])
        means: FloatArray = (weights @ sums) / (weights @ counts)
        return means


def difference(first: FloatArray, second: FloatArray) -> Difference:
    """Compare what two detectors reach on the same resamples, the data itself first. Resamples without a figure are left out."""
    low, high = np.nanpercentile((first - second)[1:], [2.5, 97.5])
    return Difference(float(first[0] - second[0]), float(low), float(high))


def _weighted_ap(scores: FloatArray, label: BoolArray, block: IntArray, weights: FloatArray) -> FloatArray:
    """AP for each row of weights [resample, block]; NaN where no labelled row is drawn."""
    order = np.argsort(-scores, kind="stable")
    falling, true, drawn = scores[order], label[order], block[order]
    ends = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
    result = np.full(len(weights), np.nan)
    for index, weight in enumerate(weights):
        each = weight[drawn]
        hits, rows = np.cumsum(each * true)[ends], np.cumsum(each)[ends]
        if hits[-1]:
            gained = np.diff(hits, prepend=0.0)
            result[index] = np.sum(gained * hits / np.maximum(rows, 1.0)) / hits[-1]
    return result
