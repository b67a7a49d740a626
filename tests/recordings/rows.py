"""Recorded rows as a source of history: what a Prometheus would answer, from arrays in memory or a file beside this one."""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lens_exporter.model.labels import Labels
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import FloatArray, Window

HERE = Path(__file__).parent
_BLOCK = 5000  # points


@dataclass(frozen=True, slots=True, eq=False)
class RecordedSeries:
    """Series at even times (Unix seconds): of each its metric's name, its labels and its values [series, time], NaN for gaps."""

    step: float
    begin: float
    metrics: tuple[str, ...]
    labels: tuple[Labels, ...]
    values: FloatArray

    @property
    def end(self) -> float:
        return self.begin + self.step * (self.values.shape[1] - 1)

    @property
    def series_days(self) -> float:
        """Days in which a series has a value, summed over the series."""
        return float(np.isfinite(self.values).sum() * self.step / 86_400.0)

    def rows(self, metric: BaselineMetric, start: float, end: float, *, step: float) -> Window:
        """Answer as watch.ports.RowSource: as from a server, a series without any value has no row."""
        assert step == self.step, f"recorded every {self.step:g} s, asked for every {step:g} s"
        size = round((end - start) / step) + 1
        first = round((start - self.begin) / step)
        here = [row for row, name in enumerate(self.metrics) if name == metric.name]
        values = np.full((len(here), size), np.nan)
        low, high = max(0, -first), min(size, self.values.shape[1] - first)
        if low < high:
            values[:, low:high] = self.values[here, first + low : first + high]
        seen = np.isfinite(values).any(axis=1)
        labels = tuple(self.labels[row] for row, there in zip(here, seen, strict=True) if there)
        return Window(metric.name, labels, start + step * np.arange(size, dtype=np.float64), values[seen], step)

    def points_per_block(self, metric: BaselineMetric, at: float, *, step: float) -> int:
        """Answer as watch.ports.RowSource."""
        del metric, at, step
        return _BLOCK


def written(recorded: RecordedSeries, path: Path) -> None:
    """Write a recording with six significant digits, gaps as null."""
    series = [
        {"metric": metric, "labels": labels, "values": [float(f"{value:.6g}") if value == value else None for value in row]}
        for metric, labels, row in zip(recorded.metrics, recorded.labels, recorded.values.tolist(), strict=True)
    ]
    text = json.dumps({"step": recorded.step, "begin": recorded.begin, "series": series}, separators=(",", ":"))
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def recording(name: str) -> RecordedSeries:
    """Read the recording of this name."""
    document = json.loads(gzip.decompress((HERE / f"{name}.json.gz").read_bytes()))
    series = document["series"]
    values = np.array([one["values"] for one in series], dtype=np.float64)  # null becomes NaN
    metrics, labels = tuple(one["metric"] for one in series), tuple(one["labels"] for one in series)
    return RecordedSeries(document["step"], document["begin"], metrics, labels, values)
