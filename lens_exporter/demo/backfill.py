"""History written straight into a Prometheus data folder, so that a baseline need not be waited for."""

import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from lens_exporter.errors import ServerNotReady
from lens_exporter.model.labels import Labels, selector


@dataclass(frozen=True, slots=True)
class Series:
    """samples are (Unix seconds, value), ascending. The newest must be 3 hours old, or the running head rejects what overlaps."""

    name: str
    labels: Labels
    samples: Sequence[tuple[float, float]] = field(repr=False)


def backfill(data: Path, history: Iterable[Series], *, promtool: str = "promtool") -> None:
    """Create TSDB blocks in `data` from `history` (`promtool tsdb create-blocks-from openmetrics`), before Prometheus starts.

    Raises:
        ServerNotReady: promtool refused; carries what it said.

    """
    data.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".om", encoding="utf-8") as file:
        file.writelines(openmetrics(history))
        file.flush()
        argv = [promtool, "tsdb", "create-blocks-from", "openmetrics", "--quiet", file.name, str(data)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServerNotReady(program="promtool", url=str(data), reason=f"exit {done.returncode}", log=done.stdout + done.stderr)


def openmetrics(history: Iterable[Series]) -> Iterator[str]:
    """Write series in the OpenMetrics text format, line by line, ending in `# EOF`."""
    for name, family in groupby(sorted(history, key=lambda series: series.name), key=lambda series: series.name):
        yield f"# TYPE {name} unknown\n"
        for series in family:
            head = selector(series.labels, metric=name)
            for at, value in series.samples:
                yield f"{head} {value!r} {at:.3f}\n"
    yield "# EOF\n"
