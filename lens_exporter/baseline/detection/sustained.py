"""Lone series that stay beside what is expected by less than a reading may: told by how long they do."""

import numpy as np
from numpy.typing import NDArray

from lens_exporter.baseline.detection.budget import AlarmBudget
from lens_exporter.baseline.detection.regroup import picked
from lens_exporter.baseline.detection.structure import BoolArray, IntArray
from lens_exporter.baseline.detection.tuning import REFIT, Tuning
from lens_exporter.model.window import FloatArray

_TIMES = 4.0  # what most hours of a day reach: of white noise nine of its standard deviations
_NOISE = 0.1  # of a mean of noise: series that mostly rest, and are wild now and then, have less
_GOES_ON = 2 / 3  # of what begins: one level for both would end and begin a steady shift with its noise
_DAYS, _AGAIN, _MORE = 6, 2, 1.25  # of the last days so many reached as much about this hour, within a fifth: then it is usual


class Sustained:
    """Holds the mean departure of the last half hour against what it has been all week, hour by hour.

    A latency that is 40 % higher from one release on, and as noisy as before, leaves its band with one reading in ten: no reading
    tells it, all of them do. What half an hour's mean is usually, noise that hangs together included, is known of each series by
    itself, so the threshold is four times what it reaches in most hours, or what the budget of false alarms asks for.
    """

    def __init__(self, alarms_per_week: FloatArray, tuning: Tuning) -> None:
        """Begin with nothing known. alarms_per_week [series] is what each may use up."""
        self._budget = AlarmBudget(alarms_per_week, tuning, times=_TIMES, noise=_NOISE)
        self._from = 0  # the hour from which on the last fit counts, and what is usual from then on, once somebody asks for it
        self._usual: tuple[FloatArray, FloatArray] | None = None

    def learn(self, slow: FloatArray) -> None:
        """Take note of means [time, series] of the running hour."""
        self._budget.learn(slow)

    def close(self, hour: int, known: BoolArray) -> None:
        """End an hour. known [series] marks the series that have a scale."""
        self._budget.close(hour, known)

    def fit(self, following: int) -> None:
        """Put what was learnt so far in force, for the hours from `following` on."""
        self._budget.fit()
        self._from, self._usual = following, None

    def told(self, slow: FloatArray) -> NDArray[np.int8]:
        """Say how the mean of half an hour [time, series] stands, with its side.

        2 where it is further than is usual, 1 where two thirds of what is rare are enough to go on; else 0.
        """
        if self._usual is None:
            self._usual = self._about(self._from)
        above, below = self._usual
        size, rare, usual = np.abs(slow), self._budget.in_force, _MORE * np.where(slow > 0.0, above, below)
        levels = np.add(size > np.maximum(rare, usual), size > np.maximum(_GOES_ON * rare, usual), dtype=np.float64)
        return np.where(levels > 0.0, np.sign(slow) * levels, 0.0).astype(np.int8)

    def take(self, kept: IntArray, alarms_per_week: FloatArray) -> None:
        """Keep the series at these indices, in this order; -1 is a new one, with what each may use up."""
        above, below = (picked(one, kept, new=0.0) for one in self._usual or self._about(self._from))
        self._usual = above, below
        self._budget.take(kept, alarms_per_week)

    def _about(self, hour: int) -> tuple[FloatArray, FloatArray]:
        """Give what is usual from this hour on, above and below [series]: of yesterday, of two days, or of half of the last day.

        A shift goes on until the level has followed, in steps: it is told for half a day, and not again at each of them. A week ago
        has its place taken while these hours pass, so six days are asked.
        """
        last = self._budget.last_day(hour)
        about = self._budget.days_about(hour, days=_DAYS, ahead=REFIT)
        above, below = (
            np.maximum.reduce([np.fmax(week[0], 0.0), _ranked(week, -_AGAIN), _ranked(day, len(day) // 2)])
            for week, day in zip(about, (last, -last), strict=True)
        )
        return above, below


def _ranked(scores: FloatArray, place: int) -> FloatArray:
    """Give the score at a place in rising order [series] of [entry, series]; those to the other side, or unknown, count as 0."""
    ranked: FloatArray = np.sort(np.fmax(scores, 0.0), axis=0)[place]
    return ranked
