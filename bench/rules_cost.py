"""What the recording rules cost a Prometheus: `python bench/rules_cost.py [--series 200]` prints a table in markdown.

A real Prometheus with a week of everything that the rules read is asked every expression of a group, over and over, for the newest
moment of that week; the time is what its process uses up for one round, so that a busy machine counts little and its own compaction
not at all (median of the rounds). What it takes to store the answers is not in it. Of a core: that time by the group's interval.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
import requests
import yaml
from quality.report import provenance

from lens_exporter.config.settings import Prometheus, Watcher
from lens_exporter.demo.backfill import Series
from lens_exporter.demo.servers import LocalServer, start_prometheus
from lens_exporter.model.duration import seconds as duration
from lens_exporter.rules.alerts import When
from lens_exporter.rules.document import Ruler, document
from lens_exporter.rules.plan import plan_for

_DAY, _GAP = 86_400, 3 * 3600 + 600  # what is written must be older than three hours
_ROUNDS = 9


def groups() -> list[dict[str, Any]]:
    """Rules of a watcher with one metric that has everything: band, ceiling, limit."""
    metric = {"query": "load", "ceiling": 90, "full": 100}
    watcher = Watcher.model_validate({"name": "w", "lens": "promql", "schedule": "* * * * *", "metrics": {"load": metric}})
    found: list[dict[str, Any]] = yaml.safe_load(document(plan_for(watcher, Prometheus()), Ruler.PROMETHEUS, When.ALWAYS))["groups"]
    return found


def history(series: int, end: float) -> Iterator[Series]:
    """A week of what the rules read back, as noise: what it says does not matter for its cost."""
    random = np.random.default_rng(1)
    names = {"watcher": "w", "metric": "load"}
    for number in range(series):
        labels = {**names, "instance": f"host-{number}:9100"}
        kinds = [("lens:value:sampled", {}), *(("lens:residual:sampled", {"lens_baseline": b}) for b in ("median", "day", "week"))]
        for name, more in kinds:
            yield Series(name, labels | more, _samples(random, end - 7 * _DAY, end, 300))
        yield Series("lens:value:last", labels, _samples(random, end - _DAY, end, 60))
        yield Series("load", {"instance": f"host-{number}:9100"}, _samples(random, end - 600, end, 60))


def _samples(random: np.random.Generator, begin: float, end: float, step: int) -> list[tuple[float, float]]:
    times = np.arange(begin, end, step)
    return list(zip(times.tolist(), np.round(random.normal(0, 1, times.size), 3).tolist(), strict=True))


def measure(rules: Sequence[dict[str, Any]], server: LocalServer, at: float) -> float:
    """Give the processor seconds of one evaluation of rules at a moment."""
    process, rounds = psutil.Process(server.pid), []
    with requests.Session() as session:
        for _ in range(1 + _ROUNDS):
            began = sum(process.cpu_times()[:2])
            for rule in rules:
                answer = session.post(f"{server.url}/api/v1/query", data={"query": rule["expr"], "time": at}, timeout=300).json()
                if answer["status"] != "success":
                    raise SystemExit(f"{rule['expr']}: {answer['error']}")
            rounds.append(sum(process.cpu_times()[:2]) - began)
    return median(rounds[1:])  # the first reads everything from disk


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="What the recording rules cost a Prometheus.")
    parser.add_argument("--series", type=int, default=200)
    options = parser.parse_args(arguments)
    print(provenance(" ".join(["python bench/rules_cost.py", *arguments]), datetime.now(UTC)))
    print(
        f"| group | every | processor time, {options.series} series | for one series | of a core for 10,000 |\n{'|---' * 5}|",
        flush=True,
    )
    end = time.time() - _GAP
    past = list(history(options.series, end))
    with tempfile.TemporaryDirectory() as folder, start_prometheus(Path(folder), history=past) as server:
        for group in groups():
            seconds, every = measure(group["rules"], server, end), duration(group["interval"])
            each = seconds / options.series
            print(
                f"| {group['name']} | {every:.0f} s | {seconds * 1e3:.0f} ms | {each * 1e3:.2f} ms | {10_000 * each / every:.1%} |"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
