"""The contract between the mathematics of a baseline and everything that judges by it."""

from dataclasses import dataclass
from typing import Protocol

from lens_exporter.model.window import FloatArray, Scores, Window

TAIL = 30  # columns at the end of a window that a detector scores at least, and that an analyzer reads
LEAST_RECORD = 0.5  # of the band's half-width: the largest departure of a few rows is small by chance


class Detector(Protocol):
    """Says what was to be expected, from what came before. Keeps no state between calls and reads no clock."""

    def score(self, window: Window) -> Scores:
        """Score at least the last `TAIL` columns of the window; columns left out are NaN.

        The baseline of a column is learnt from earlier columns only: a scored value never explains itself, and no later
        value changes its score. Where a series has too little history, expected, lower, upper and score are NaN.
        A value of NaN or infinity is a gap: it has no score and teaches nothing.
        """


@dataclass(frozen=True, slots=True, eq=False)
class Bands:
    """What is expected, and how far to each side is normal: arrays [series, column], NaN where too little is known."""

    expected: FloatArray
    half_width: FloatArray


class FirstJudge(Protocol):
    """Judges series that are not known for long, row after row. Keeps no state between calls."""

    def bands(self, values: FloatArray, last: int, most: int) -> Bands:
        """Give `last` + 1 bands: of the last columns of values [series, time], and of a column that would follow them.

        Each is learnt from the `most` columns before it (or as many as there are), whatever comes after.
        """
