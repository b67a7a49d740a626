"""Record what a watcher reads from a Prometheus into a file that tests and benchmarks replay.

`python bench/record.py --config.file lens.yml --watcher host --from 1795862900 --to 1795870000 --output busy.json.gz`
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the recording's form is the tests'

from lens_exporter.config.secrets import Secrets
from lens_exporter.foundation.database import Database
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.lenses import catalog
from lens_exporter.prometheus.history import History
from lens_exporter.wiring.configuration import load
from lens_exporter.wiring.ground import lay
from lens_exporter.wiring.remotes import Remotes
from tests.recordings.rows import RecordedSeries, written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config.file", dest="config", type=Path, required=True)
    parser.add_argument("--watcher", required=True)
    parser.add_argument("--from", dest="begin", type=float, required=True)
    parser.add_argument("--to", dest="end", type=float, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    config = load(options.config)
    settings = next(each for each in config.watchers if each.name == options.watcher)
    named = tuple(metric.named(name) for name, metric in settings.metrics.items())
    metrics = [each.selecting(settings.selector) for each in named or catalog.kind(settings.lens).baseline_metrics]
    history = History(Remotes(lay(Database("sqlite://"), Telemetry(), Secrets())).prometheus("prometheus", config.prometheus))
    windows = [history.rows(metric, options.begin, options.end, step=settings.step) for metric in metrics]
    recorded = RecordedSeries(
        step=settings.step,
        begin=float(windows[0].times[0]),
        metrics=tuple(metric.name for metric, window in zip(metrics, windows, strict=True) for _ in window.labels),
        labels=tuple(labels for window in windows for labels in window.labels),
        values=np.concatenate([window.values for window in windows]),
    )
    written(recorded, options.output)
    print(f"{len(recorded.metrics)} series, {recorded.values.shape[1]} rows, {options.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
