"""What has begun and is not over, and what it takes to go on."""

from dataclasses import dataclass

from lens_exporter.baseline.naming import category
from lens_exporter.model.decision import Departure
from lens_exporter.model.labels import Labels
from lens_exporter.model.metric import BaselineMetric


@dataclass(frozen=True, slots=True)
class Underway:
    """An open alert, or what is held back: its target is judged at every look, and what half an hour has told goes on at less.

    Whatever else happens there has to begin like anything else: another metric, or the same one to its other side.
    """

    category: str
    target: Labels
    departures: tuple[Departure, ...] | None = ()  # all that half an hour has told of it; None: nobody knows, as after a restart

    def includes(self, metric: BaselineMetric, series: Labels, side: int) -> bool:
        """Say whether half an hour of a series, beside what is expected to this side (+1, -1), goes on and does not begin."""
        if self.departures is not None:
            return Departure(metric.name, series, side) in self.departures
        # Rather on for longer than over and told again: to either side, and whatever rule has told it.
        return self.category == category(metric) and self.target.items() <= series.items()
