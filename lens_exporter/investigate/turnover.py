"""What ended, what began anew and what came in another version inside the looked-at time. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lens_exporter.investigate.samples import Samples, name_of
from lens_exporter.model.labels import Labels, without
from lens_exporter.model.window import FloatArray

_COVERED, _LONG = 0.8, 26  # part of its points, and points: a series with fewer was never steady enough to be missed
_GONE = 3  # points: of what lacks fewer at the end nobody knows that it is gone
_TOGETHER = 600.0  # seconds: old pods wait until new ones are ready, and are given time to end
_START_TIME = re.compile(r"(start|boot)_time_seconds$")
_INFO = re.compile(r"_info$")
_OF_WHAT = ("cluster", "namespace", "job", "deployment", "service", "container", "exported_namespace", "exported_container")
_VERSION = re.compile(r"version|revision|commit|image|tag|build|release|branch")


@dataclass(frozen=True, slots=True)
class Moved:
    """A series that ended, a process that started, or another version, at a moment inside the looked-at time."""

    metric: str
    labels: Labels
    at: float


def is_start_time(metric: str) -> bool:
    """Say whether the values of a metric are the moments of a start."""
    return _START_TIME.search(metric) is not None


def gone(samples: Sequence[Samples], times: FloatArray, looked: int, missing: int) -> Iterator[Moved]:
    """Find series that were there nearly always and then for `missing` points were not, but were there at column `looked`.

    An info series that another of the same thing has followed says that something is another now, not that it is gone.
    """
    told = [one for one in samples if _INFO.search(name_of(one)) and np.isfinite(one.values[-missing:]).any()]
    for one in samples:
        places = np.flatnonzero(np.isfinite(one.values))
        if not places.size or not looked <= places[-1] < len(times) - missing:
            continue
        if any(_follows(other, one, looked) for other in told):
            continue
        length = places[-1] - places[0]
        if len(places) >= _COVERED * (length + 1) and length > _LONG:
            yield _moved(one, float(times[places[-1]]))


def restarts(samples: Sequence[Samples], times: FloatArray, looked: int) -> Iterator[Moved]:
    """Find processes whose start time became later, to a moment after column `looked`."""
    for one in samples:
        finite = one.values[np.isfinite(one.values)]
        if finite.size > 1 and is_start_time(name_of(one)) and finite[-1] > finite[0] and finite[-1] >= times[looked]:
            yield _moved(one, float(finite[-1]))


def deploys(samples: Sequence[Samples], times: FloatArray, looked: int) -> Iterator[Moved]:
    """Find info series that followed one of another version; their labels are the ones of the version.

    Where a rollout starts the new one first both are there for a while: the moment is that of the new one's begin.
    """
    together = round(_TOGETHER / (times[1] - times[0])) if times.size > 1 else 0
    by_metric: dict[str, list[Samples]] = defaultdict(list)
    for one in samples:
        if _INFO.search(name_of(one)):
            by_metric[name_of(one)].append(one)
    for alike in by_metric.values():
        for one in alike:
            began = np.flatnonzero(np.isfinite(one.values))[:1]
            if not began.size or began[0] <= looked:
                continue
            before = [other for other in alike if _gave_way(other, int(began[0]), together) and _of_the_same(one, other)]
            new = {name: value for name, value in one.labels.items() if _VERSION.search(name)}
            if any(
                _ran(other, int(began[0])) and _of_the_same(one, other) and new.items() <= other.labels.items() for other in alike
            ):
                continue  # one more of a version that runs already
            if new and any(any(other.labels.get(name) != value for name, value in new.items()) for other in before):
                yield Moved(name_of(one), new, float(times[began[0]]))


def _follows(one: Samples, other: Samples, looked: int) -> bool:
    """Whether an info series began after column `looked` and is of the same thing as another: for a while both may be there."""
    began = int(np.flatnonzero(np.isfinite(one.values))[0])
    return name_of(one) == name_of(other) and began > looked and _of_the_same(one, other)


def _of_the_same(one: Samples, other: Samples) -> bool:
    """Whether two series are of one thing: an exporter tells of many, and another version of one is none of the others'."""
    return all(one.labels.get(name) == other.labels.get(name) for name in _OF_WHAT)


def _ran(one: Samples, place: int) -> bool:
    """Whether it had a value shortly before a place."""
    return bool(np.isfinite(one.values[max(0, place - _GONE) : place]).any())


def _gave_way(one: Samples, place: int, together: int) -> bool:
    """Whether it had values before, and none after it, or after so many places more and to the end."""
    places = np.flatnonzero(np.isfinite(one.values))
    if not places.size or places[0] >= place:
        return False
    last = int(places[-1])
    return last <= place or last <= min(place + together, one.values.size - _GONE - 1)


def _moved(one: Samples, at: float) -> Moved:
    return Moved(name_of(one), without(one.labels, ("__name__",)), at)
