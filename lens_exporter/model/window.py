"""The stretch of history a baseline is learnt from, and its scores."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lens_exporter.model.labels import Labels

FloatArray = NDArray[np.float64]


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
class Scores:
    """A detector's reading of a window: four arrays of its shape [series, time], NaN where there is no baseline yet.

    score is the distance from expected in half-widths of the band: 1.0 lies on the band's edge,
    whatever the unit. It is signed by side: negative below expected.
    observations counts the values each series had before the judged moment.
    """

    expected: FloatArray
    lower: FloatArray
    upper: FloatArray
    score: FloatArray
    observations: NDArray[np.int64]
