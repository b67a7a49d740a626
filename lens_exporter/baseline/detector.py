"""The contract between the mathematics of a baseline and everything that judges by it."""

from typing import Protocol

from lens_exporter.model.window import Scores, Window

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
