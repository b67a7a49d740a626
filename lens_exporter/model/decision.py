"""What a watcher concludes about one target at one moment, as a tagged union on `intent`."""

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple

from lens_exporter.model.labels import Labels


class Confidence(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Rule(StrEnum):
    """Which rule made a reading an anomaly."""

    CONSECUTIVE = "consecutive"  # readings in a row outside the band: two far out, more of those that are little beyond it
    SUSTAINED = "sustained"  # half an hour beside what is expected, by so much that single readings may be inside the band
    PEERS = "peers"  # new, and for half an hour beyond anything that others of its kind had: what it has replaced, for one
    JUMP = "jump"  # to a value unlike any seen before, and the next one is outside as well
    GROUP = "group"  # its group departs from its normal by more than its budget of false alarms allows
    MISSING = "missing"  # no value in three readings, of a series that nearly always has one; only where it is asked for
    CEILING = "ceiling"  # above the metric's ceiling, whatever the baseline
    EXHAUSTION = "exhaustion"  # a clear trend reaches the hard limit soon


class Phase(StrEnum):
    """How one series stands at the judged moment."""

    COLLECTING = "collecting"  # too few observations for a baseline
    NORMAL = "normal"
    DEVIATING = "deviating"  # outside its band, but no rule has made it an anomaly yet
    ANOMALY = "anomaly"
    MISSING = "missing"  # had values before, has none now


class Observation(NamedTuple):
    """One series of one metric at the judged moment, next to what is normal for it. None where there is no value.

    A named tuple, as `GroupStanding` is: a tick makes hundreds, and a frozen dataclass takes three times as long to make.
    """

    metric: str
    unit: str
    target: Labels
    at: float  # Unix seconds
    value: float | None
    expected: float | None
    lower: float | None
    upper: float | None
    score: float | None
    phase: Phase
    since: float | None = None  # first reading of the present run outside the band, or beside what is expected
    full_at: float | None = None  # when the trend reaches the hard limit


class GroupStanding(NamedTuple):
    """Series that are judged together, as of the judged moment. labels name the group: instance, pod, node."""

    labels: Labels
    score: float
    threshold: float
    readings: int = 0  # in a row beyond the threshold


class Departure(NamedTuple):
    """A series that half an hour has told (`Rule.SUSTAINED`, `Rule.PEERS`), and to which side of what is expected it was."""

    metric: str
    series: Labels
    side: int  # +1 above, -1 below


@dataclass(frozen=True, slots=True)
class ContinueObserving:
    notes: str
    confidence: Confidence = Confidence.LOW
    target: Labels = field(default_factory=dict)
    observations: tuple[Observation, ...] = ()
    intent: Literal["continue_observing"] = "continue_observing"


@dataclass(frozen=True, slots=True)
class Healthy:
    summary: str
    confidence: Confidence = Confidence.MEDIUM
    target: Labels = field(default_factory=dict)
    observations: tuple[Observation, ...] = ()
    intent: Literal["healthy"] = "healthy"


@dataclass(frozen=True, slots=True)
class Anomaly:
    """An anomaly of one target in one category. summary and description are ready to be read at 3 a.m."""

    anomaly_type: str  # memory_high; the part before the first underscore is the category
    severity: Severity
    summary: str
    description: str
    query: str  # PromQL that shows the series
    target: Labels
    rule: Rule
    since: float  # Unix seconds of the first reading outside the band, or beside what is expected
    evidence: tuple[Observation, ...]  # the carrying series first, then what else moved
    confidence: Confidence = Confidence.MEDIUM
    cooldown_minutes: float = 5.0
    rules: tuple[Rule, ...] = ()  # every rule that any of its series broke
    furthest: float = math.inf  # the largest score among its series, without sign; infinity where nobody knows
    departures: tuple[Departure, ...] = ()  # those of its series that half an hour tells
    group: Labels | None = None  # labels of the group that is told about, where the series speaks for its group only
    story: str = ""  # correlation id, where one was given before its alert began
    read: str = ""  # what a model said about it, ready for an annotation
    intent: Literal["anomaly"] = "anomaly"

    @property
    def category(self) -> str:
        return self.anomaly_type.split("_", 1)[0]


Decision = ContinueObserving | Anomaly | Healthy
