"""Pieces of PromQL that the rules are written with."""

from dataclasses import dataclass

from lens_exporter.model.duration import duration_text
from lens_exporter.model.labels import selector

# What the rules record. The labels watcher and metric say what of; the others are those of the series.
VALUE = "lens:value:last"
SAMPLED = "lens:value:sampled"
RESIDUAL = "lens:residual:sampled"
EXPECTED = "lens:expected:band"
WIDTH = "lens:width:band"
UNTIL_FULL = "lens:until_full:trend"  # seconds; only while there is a clear trend

_PATIENT = 240.0  # seconds: a longer interval comes too near to the five minutes for which Prometheus shows a sample


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded metric of one watcher, or of one metric of it. Its str is the selector."""

    text: str
    interval: float  # seconds between two samples

    def __str__(self) -> str:
        return self.text

    @property
    def latest(self) -> str:
        """The newest sample, also where samples are so far apart that one may be late."""
        return self.text if self.interval <= _PATIENT else f"last_over_time({self.over(2 * self.interval)})"

    def over(self, length: float, offset: float = 0.0) -> str:
        """Give the samples of the last `length` seconds, `offset` seconds ago, as a range vector."""
        back = f" offset {duration_text(offset)}" if offset else ""
        return f"{self.text}[{duration_text(length)}]{back}"


def recorded(name: str, interval: float, *, watcher: str, metric: str = "") -> Recorded:
    """Select what rules of this watcher record under a name; with `metric`, of that metric only."""
    text = selector({"watcher": watcher, **({"metric": metric} if metric else {})}, metric=name)
    return Recorded(text, interval)


def number(value: float) -> str:
    """Write a number as PromQL has it."""
    return f"{value:.15g}"


def renamed(expression: str, label: str, to: str) -> str:
    """Give the series that have a label this one under another name too; the others stay as they are."""
    return f'label_replace({expression}, "{to}", "$1", "{label}", "(?s)(.+)")'
