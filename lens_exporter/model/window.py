"""The stretch of history a baseline is learnt from, and its scores."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from lens_exporter.model.labels import Labels

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Values of one metric on an even grid of times.

    values has the shape [series, time]; a gap is NaN. times are Unix seconds, ascending, `step` apart; the last is the
    moment being judged. labels has one entry per row of values, without `__name__`.
    """

    metric: str
    labels: tuple[Labels, ...]
    times: FloatArray
    values: FloatArray
    step: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """What is known beside the band where a budget of false alarms judges.

    Arrays have one entry per row of the window where nothing else is said. A group is the series of one instance, pod or node; of
    a series without enough neighbours, which is judged by itself, only `novel`, `highest`, `lowest` and how it was about
    this hour say something.
    """

    grouped: BoolArray  # it is judged with its group
    alarmed: IntArray  # readings in a row, the last of them the judged one, in which the group stood beyond its threshold
    missed: IntArray  # readings in a row without a value, where the watcher asks for them and it nearly always had one
    leads: BoolArray  # it carries the group's alarm, and is worth telling
    place: IntArray  # among what carries the alarm, 0 the strongest
    novel: BoolArray  # [series, time]: a value unlike any before
    unusual: BoolArray  # [series, time]: it departs further than its budget allows
    sustained: NDArray[
        np.int8
    ]  # [series, time]: the side to which its last half hour departs by more than is usual; 0: it does not
    highest: FloatArray  # of the past week without the last hour; NaN where nothing is known
    lowest: FloatArray
    above: FloatArray  # [series, day]: how far out it was about this hour on the last seven days, in half-widths; NaN: not known
    below: FloatArray  # [series, day]: the same to the other side
    otherwise: FloatArray  # the part of the hours at other times of the day in which it left its band
    group_about: FloatArray  # [group, day], of all groups: their scores about this hour
    group_score: FloatArray
    group_threshold: FloatArray
    group: IntArray  # which of group_labels it belongs to; -1 where it is judged by itself
    group_labels: tuple[Labels, ...]  # of all groups


@dataclass(frozen=True, slots=True, eq=False)
class Peers:
    """What others of the same kind have had that were there before. All have one entry per row of the window."""

    family: IntArray  # equal for series of one Deployment; -1: none
    count: IntArray  # how many others
    age: FloatArray  # seconds since the first value that is remembered of its pod; NaN where nobody could be a peer
    usual: FloatArray  # the mean of all they had; NaN where there are none
    lower: FloatArray  # the lowest mean of half an hour of any of them
    upper: FloatArray  # the highest
    lowest: FloatArray  # the mean of what each had at least,
    below: FloatArray  # and the sum of squares by which they differ in that
    highest: FloatArray  # likewise of what each had at most
    above: FloatArray

    def of(self, rows: IntArray) -> "Peers":
        """Give some of them."""
        return Peers(*(getattr(self, one.name)[rows] for one in fields(self)))


@dataclass(frozen=True, slots=True, eq=False)
class Young:
    """What is known beside the band of series that are not known for a day yet. All have one entry per row of the window."""

    factor: FloatArray  # by which it must exceed its own record
    together: BoolArray  # several of its group are far away at the same time
    peers: Peers | None = None  # what others of their kind have

    def of(self, rows: IntArray) -> "Young":
        """Give some of them."""
        return Young(self.factor[rows], self.together[rows], None if self.peers is None else self.peers.of(rows))


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """A detector's reading of a window: four arrays of its shape [series, time], or of its last columns only.

    They are NaN where there is no baseline yet.

    score is the distance from expected in half-widths of the band: 1.0 lies on the band's edge,
    whatever the unit. It is signed by side: negative below expected.
    observations counts the values each series had before the judged moment.
    """

    expected: FloatArray
    lower: FloatArray
    upper: FloatArray
    score: FloatArray
    observations: NDArray[np.int64]
    learnt: Learnt | None = None  # None: the band alone judges
    young: Young | None = None  # beside the band, for series that are not known for a day yet

    def of(self, rows: IntArray) -> "Scores":
        """Give the scores of some series of those that the band alone judges."""
        return Scores(
            self.expected[rows],
            self.lower[rows],
            self.upper[rows],
            self.score[rows],
            self.observations[rows],
            young=None if self.young is None else self.young.of(rows),
        )
