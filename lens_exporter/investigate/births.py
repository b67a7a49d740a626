"""Failures that were never counted before: their series begins with the first of them, and until then there were none. Pure."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from lens_exporter.investigate.families import ERRORS, family_of
from lens_exporter.investigate.measures import is_counter
from lens_exporter.investigate.samples import Samples, name_of
from lens_exporter.model.labels import fingerprint

_FEW, _PACES = 10.0, 3.0  # events, and largest rises from one point to the next, that a first value may be
_OF_WHOM = ("cluster", "namespace", "job", "instance", "node", "pod", "container", "process")


def from_zero(samples: Sequence[Samples], looked: int) -> list[Samples]:
    """Begin at zero what counts failures and begins after column `looked`, while others of its process were there before.

    Client libraries make the series of a label's value when it is first counted. One that follows another of its metric, which
    ended, is the same by another name: of that it is not known how many there were.
    """
    there: dict[str, np.ndarray[tuple[int], np.dtype[np.bool_]]] = {}
    ended: dict[str, set[str]] = defaultdict(set)
    for one in samples:
        seen, whom = np.isfinite(one.values), _whom(one)
        there[whom] = there[whom] | seen if whom in there else seen
        if seen.any() and not seen[-1]:
            ended[whom].add(name_of(one))
    return [_from_zero(one, there[_whom(one)], looked) if name_of(one) not in ended[_whom(one)] else one for one in samples]


def _from_zero(one: Samples, there: np.ndarray[tuple[int], np.dtype[np.bool_]], looked: int) -> Samples:
    places = np.flatnonzero(np.isfinite(one.values))
    if not places.size or places[0] <= looked or not there[: looked + 1].any() or not is_counter(one):
        return one
    family = family_of(name_of(one), one.labels)
    if family is None or family.name != ERRORS:
        return one
    known = one.values[places]
    if known[0] > max(_FEW, _PACES * float(np.diff(known).max(initial=0.0))):
        return one  # somebody counted before it was published
    before = there & (np.arange(there.size) < places[0])
    return Samples(one.labels, np.where(before, 0.0, one.values), one.is_counter)


def _whom(one: Samples) -> str:
    return fingerprint({name: one.labels[name] for name in _OF_WHOM if name in one.labels})
