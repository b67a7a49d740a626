"""What Prometheus answers, as values."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lens_exporter.model.labels import Labels
from lens_exporter.model.tool import ToolStatus
from lens_exporter.model.window import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """labels include `__name__` where the expression keeps it. times are Unix seconds, ascending; values has the same length."""

    labels: Labels
    times: FloatArray
    values: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The series of one answer as columns: labels and counts have one entry per series, times and values one per sample.

    The samples of a series stand together, ascending in time, in the order of the series. labels are JSON objects as text, as
    answered: not yet looked at.
    """

    kind: str  # matrix, vector, scalar, string
    labels: tuple[bytes, ...]
    counts: NDArray[np.int64]
    times: FloatArray  # Unix seconds
    values: FloatArray
    histograms: int = 0  # series left out: native histograms are no numbers


@dataclass(frozen=True, slots=True, eq=False)
class QueryAnswer:
    """status is data, empty or truncated; the note says what is missing. series are in the order of their labels."""

    status: ToolStatus
    series: tuple[Series, ...] = ()
    warnings: tuple[str, ...] = ()  # the server's warnings and infos, then ours
    note: str = ""


@dataclass(frozen=True, slots=True)
class SeriesAnswer:
    """The label sets that match a selector."""

    status: ToolStatus
    labels: tuple[Labels, ...] = ()
    warnings: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class MetricMetadata:
    type: str
    help: str
    unit: str


@dataclass(frozen=True, slots=True)
class ServerRule:
    """One rule as the server evaluates it. state is firing, pending or inactive for alerting rules, "" for recording rules."""

    group: str
    kind: str  # alerting, recording
    name: str
    query: str
    state: str = ""
    health: str = ""
    last_error: str = ""
    duration: float = 0.0  # seconds of `for`
    labels: Labels = field(default_factory=dict)
    annotations: Labels = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ActiveAlert:
    """An alert that one of the server's own rules holds active."""

    state: str  # firing, pending
    labels: Labels
    annotations: Labels
    active_at: str  # RFC 3339, as the server wrote it
    value: float
