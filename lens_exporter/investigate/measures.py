"""What a series is judged by: its value; a counter by its rate; seconds that were spent beside how often by their mean. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lens_exporter.investigate.families import GARBAGE, family_of
from lens_exporter.investigate.samples import Samples, name_of
from lens_exporter.model.labels import fingerprint
from lens_exporter.model.window import FloatArray

COARSE = 3  # fine points per judged point: the detector judges the coarse grid, the onset is then found on the fine one
# Counters become rates over whole minutes, on grids that divide a minute or are made of minutes: each such stretch holds the same
# number of scrapes, whatever their interval (5, 10, 15, 30, 60 s). Otherwise rates would jump by one scrape's worth.
_RATE_SECONDS = 60.0
_COUNTER_NAME = re.compile(r"_(total|count|sum|bucket)$")
_SUM, _COUNT = "_seconds_sum", "_seconds_count"


@dataclass(frozen=True, slots=True, eq=False)
class Measure:
    """One series as it is judged, [time]. rate: values are per second, of whole events where it is counted.

    mean: seconds each; its name is that of sum and count.
    """

    samples: Samples
    values: FloatArray
    rate: bool = False
    mean: bool = False
    counted: bool = False


def counts_of(samples: Sequence[Samples]) -> dict[str, Samples]:
    """Give the series that say how often something was timed, by what they have in common with the sum of the times."""
    return {_timed(one, _COUNT): one for one in samples if name_of(one).endswith(_COUNT)}


def measure(one: Samples, counts: Mapping[str, Samples], step: float, taken: FloatArray) -> Measure:
    """Choose what to judge a series by. taken [time] is when each value was sampled.

    Seconds spent in a second move with the traffic, and say nothing about how long anything took; how much of its time a program
    collects garbage is what is asked about that.
    """
    if not is_counter(one):
        return Measure(one, one.values)
    rate = _rate(one.values, step, taken)
    count = counts.get(_timed(one, _SUM)) if name_of(one).endswith(_SUM) else None
    family = family_of(name_of(one))
    if count is None or not is_counter(count) or (family is not None and family.name == GARBAGE):
        finite = one.values[np.isfinite(one.values)]
        return Measure(one, rate, rate=True, counted=bool(np.all(finite == np.floor(finite))))
    often = _rate(count.values, step, taken)
    mean: FloatArray = np.full_like(rate, np.nan)
    np.divide(rate, often, out=mean, where=often > 0)
    named = {**one.labels, "__name__": name_of(one).removesuffix("_sum")}
    return Measure(Samples(named, mean, is_counter=False), mean, mean=True)


def _timed(one: Samples, ending: str) -> str:
    return fingerprint({**one.labels, "__name__": name_of(one).removesuffix(ending)})


def is_counter(one: Samples) -> bool:
    """Say whether a series counts, by its type where the server knows it, else by its name and course."""
    if one.is_counter is not None:
        return one.is_counter
    finite = one.values[np.isfinite(one.values)]
    rises = np.diff(finite)
    # A counter only rises, and where it does not it starts again near zero.
    monotone = bool(np.all((rises >= 0) | (finite[1:] <= 0.5 * finite[:-1]))) if finite.size > 1 else False
    return bool(_COUNTER_NAME.search(name_of(one))) and monotone


def _rate(values: FloatArray, step: float, taken: FloatArray) -> FloatArray:
    """Turn a counter into its rate a second over the last minute (or judged point, where that is longer), resets taken out.

    taken is when each value was sampled: a minute that shows three of four samples holds three quarters of the rise.
    """
    width = round(_RATE_SECONDS / step) if step < _RATE_SECONDS else COARSE
    known = np.flatnonzero(np.isfinite(values))
    rises = np.zeros_like(values)
    rises[known[1:]] = np.diff(values[known])  # what it rose by while it was not looked at counts when it is seen again
    total = np.cumsum(np.where(rises < 0, values, rises))  # after a reset the value itself is the rise
    rate: FloatArray = np.full_like(values, np.nan)
    seconds = taken[width:] - taken[:-width]
    there = np.isfinite(values[width:]) & np.isfinite(values[:-width]) & (seconds > 0)
    rate[width:][there] = (total[width:] - total[:-width])[there] / seconds[there]
    return rate
