"""Who is watched: every series of every metric of a watcher in one order, and which of them are judged together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lens_exporter.baseline.detection.grouping import membership
from lens_exporter.baseline.kinds import Kind, comes_back, family_of, kind_of, lasting_of, pod_of
from lens_exporter.baseline.naming import NAMES, beam_node
from lens_exporter.model.labels import Labels
from lens_exporter.model.window import BoolArray, FloatArray, IntArray, Window

FEWEST = 4  # series that make a group; fewer are judged one by one and share its budget
_WHERE = ("cluster", "namespace", "job")  # what tells two things of the same name apart

Identity = tuple[int, tuple[tuple[str, str], ...]]  # metric, labels
GroupKey = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Grouped:
    """groups hold indices of series; keys name them in the same order. of [series] is the group of each, -1 for none.

    shares [series]: of the budget, for the series' own band. labels are what names each group.
    """

    groups: tuple[tuple[int, ...], ...]
    keys: tuple[GroupKey, ...]
    of: IntArray
    shares: FloatArray
    labels: tuple[Labels, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Members:
    """The series of one metric, in the order of their places."""

    places: IntArray
    labels: tuple[Labels, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Kinds:
    """Numbers [series] that some have in common, -1 for none."""

    kind: IntArray  # those of one metric and kind
    family: IntArray  # and one Deployment
    pod: IntArray  # those of one kind that are of one pod


@dataclass(frozen=True, slots=True)
class _Named:
    """What the labels of a series say it is about."""

    group: GroupKey | None
    kind: Kind | None
    family: Kind | None
    comes_back: bool

    @classmethod
    def of(cls, labels: Labels, group_labels: tuple[str, ...] | None) -> "_Named":
        kind = kind_of(labels)
        family = None if kind is None else family_of(kind)
        return cls(group_of(labels, group_labels), kind, family, comes_back(labels))


class Roster:
    """Gives each series a fixed place, in the order of appearance; who is gone leaves when told to."""

    def __init__(self, metrics: int, group_labels: tuple[str, ...] | None = None) -> None:
        self._group_labels = group_labels
        self._places: dict[Identity, int] = {}
        self._known: list[tuple[tuple[Labels, ...], IntArray] | None] = [None] * metrics
        self.labels: list[Labels] = []
        self._metrics: list[int] = []  # of each series
        self._named: list[_Named] = []  # of each series
        # Worked out once for as long as the series stay the same:
        self._metric_of: IntArray | None = None
        self._kinds_of: Kinds | None = None
        self._members: tuple[Members, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def metrics(self) -> int:
        """How many metrics they are of."""
        return len(self._known)

    def __getstate__(self) -> tuple[tuple[str, ...] | None, int, list[Labels], list[int]]:
        return self._group_labels, len(self._known), self.labels, self._metrics

    def __setstate__(self, state: tuple[tuple[str, ...] | None, int, list[Labels], list[int]]) -> None:
        group_labels, metrics, labels, of = state
        self.__init__(metrics, group_labels)  # type: ignore[misc]  # as copying does it
        for metric, one in zip(of, labels, strict=True):
            self._seat(metric, one)

    def seat(self, metric: int, labels: tuple[Labels, ...]) -> IntArray:
        """Give the place of each series of a metric; new ones come last."""
        known = self._known[metric]
        # A query whose series stay the same answers with the same object, tick after tick.
        if known is not None and known[0] is labels:
            return known[1]
        seats = np.array([self._seat(metric, one) for one in labels], dtype=np.int64)
        self._known[metric] = (labels, seats)
        return seats

    def table(self, windows: Sequence[Window], columns: int) -> FloatArray:
        """Put the rows of all metrics' windows of the same times into one array [series, time]."""
        seats = [self.seat(metric, window.labels) for metric, window in enumerate(windows)]
        values = np.full((len(self), columns), np.nan)
        for seat, window in zip(seats, windows, strict=True):
            values[seat] = window.values
        return values

    @property
    def metric_of(self) -> IntArray:
        """The metric of each series."""
        if self._metric_of is None:
            self._metric_of = np.array(self._metrics, dtype=np.int64)
        return self._metric_of

    @property
    def comes_back(self) -> BoolArray:
        """Whether each series may be seen again once it is gone."""
        return np.array([named.comes_back for named in self._named], dtype=np.bool_)

    def things(self) -> IntArray:
        """Tell series of one thing by a number [series]: one for a group, one for equal labels that name no group."""
        numbers: dict[tuple[bool, GroupKey], int] = {}
        keys = [
            (named.group is None, tuple(sorted(labels.items())) if named.group is None else named.group)
            for named, labels in zip(self._named, self.labels, strict=True)
        ]
        return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)

    def kinds(self) -> Kinds:
        """Give numbers to kinds, Deployments and pods.

        Where series of one pod differ in what outlasts a start of its container, their kind is none.
        """
        if self._kinds_of is None:
            kinds, families = dict[tuple[int, Kind], int](), dict[tuple[int, Kind], int]()
            pods, firsts, mixed = dict[tuple[int, str], int](), list[Labels](), set[int]()
            of_kind, of_family, of_pod = (np.full(len(self), -1, dtype=np.int64) for _ in range(3))
            for place, (metric, named, labels) in enumerate(zip(self._metrics, self._named, self.labels, strict=True)):
                if named.kind is None or named.family is None:
                    continue
                number = of_kind[place] = kinds.setdefault((metric, named.kind), len(kinds))
                of_family[place] = families.setdefault((metric, named.family), len(families))
                pod = of_pod[place] = pods.setdefault((number, pod_of(labels)), len(pods))
                if pod == len(firsts):
                    firsts.append(labels)
                elif lasting_of(firsts[pod]) != lasting_of(labels):
                    mixed.add(number)
            none = np.isin(of_kind, list(mixed))
            self._kinds_of = Kinds(*(np.where(none, -1, each) for each in (of_kind, of_family, of_pod)))
        return self._kinds_of

    def members(self) -> tuple[Members, ...]:
        """Give each metric's series."""
        if not self._members:
            places = [np.flatnonzero(self.metric_of == metric) for metric in range(len(self._known))]
            self._members = tuple(Members(mine, tuple(self.labels[place] for place in mine.tolist())) for mine in places)
        return self._members

    def keep(self, kept: IntArray) -> None:
        """Let everybody go but these, who stay in this order."""
        self.labels = [self.labels[place] for place in kept]
        self._metrics = [self._metrics[place] for place in kept]
        self._named = [self._named[place] for place in kept]
        identities = list(self._places)
        self._places = {identities[old]: new for new, old in enumerate(kept)}
        self._known = [None] * len(self._known)
        self._metric_of, self._kinds_of, self._members = None, None, ()

    def grouped(self) -> Grouped:
        """Sort everybody into groups by the labels that name a thing."""
        together: dict[GroupKey, list[int]] = {}
        for place, named in enumerate(self._named):
            if named.group is not None:
                together.setdefault(named.group, []).append(place)
        groups = {key: members for key, members in together.items() if len(members) >= FEWEST}
        shares = np.ones(len(self))
        for members in together.values():
            shares[members] = 1.0 / len(members)
        indices = tuple(map(tuple, groups.values()))
        return Grouped(indices, tuple(groups), membership(len(self), indices), shares, tuple(map(dict, groups)))

    def _seat(self, metric: int, labels: Labels) -> int:
        identity = (metric, tuple(sorted(labels.items())))
        place = self._places.get(identity)
        if place is None:
            place = self._places[identity] = len(self.labels)
            self.labels.append(labels)
            self._metrics.append(metric)
            self._named.append(_Named.of(labels, self._group_labels))
            self._metric_of, self._kinds_of, self._members = None, None, ()
        return place


def group_of(labels: Labels, group_labels: tuple[str, ...] | None = None) -> GroupKey | None:
    """Name the group of a series by some of its labels; None where nothing names what it is about."""
    if group_labels is not None:
        # One that has none of them is about nothing that they name: all of those together would be a group of strangers.
        return tuple((name, labels.get(name, "")) for name in group_labels) if any(map(labels.get, group_labels)) else None
    # Nodes that one lens-exporter publishes share its instance.
    name = "node" if beam_node(labels) else next((name for name in NAMES if labels.get(name)), None)
    if name is None:
        return None
    return tuple((label, labels[label]) for label in (name, *_WHERE) if labels.get(label))


def run_of(places: IntArray) -> IntArray | slice:
    """Give places as a slice where they are neighbours, as one metric's mostly are: a slice copies nothing."""
    together = places.size and places[-1] - places[0] == places.size - 1
    return slice(int(places[0]), int(places[-1]) + 1) if together else places
