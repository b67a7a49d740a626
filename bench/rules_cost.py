"""What the recording rules cost a Prometheus: `python bench/rules_cost.py [--series 200]` prints a table in markdown.

A real Prometheus with a week of everything that the rules read evaluates one group at a time for so many series; the time is what
its process used up, so that a busy machine does not count, less what it uses up without the group. Of a core: that time by the
group's interval.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import requests
import yaml
from quality.report import provenance

from lens_exporter.config.settings import Prometheus, Watcher
from lens_exporter.config.values import seconds as duration
from lens_exporter.demo.backfill import Series
from lens_exporter.demo.servers import start_prometheus
from lens_exporter.rules.alerts import When
from lens_exporter.rules.document import Engine, document
from lens_exporter.rules.plan import plan_for

_DAY, _GAP = 86_400, 3 * 3600 + 600  # what is written must be older than three hours
_EVALUATIONS, _PATIENCE, _INTERVAL = 5, 180.0, "5s"


def groups() -> list[dict[str, Any]]:
    """Rules of a watcher with one metric that has everything: band, ceiling, limit."""
    metric = {"query": "load", "ceiling": 90, "full": 100}
    watcher = Watcher.model_validate({"name": "w", "lens": "promql", "schedule": "* * * * *", "metrics": {"load": metric}})
    found: list[dict[str, Any]] = yaml.safe_load(document(plan_for(watcher, Prometheus()), Engine.PROMETHEUS, When.ALWAYS))[
        "groups"
    ]
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


def _samples(random: np.random.Generator, begin: float, end: float, step: int) -> list[tuple[float, float]]:
    times = np.arange(begin, end, step)
    return list(zip(times.tolist(), np.round(random.normal(0, 1, times.size), 3).tolist(), strict=True))


def measure(groups_: Sequence[dict[str, Any]], series: int) -> float:
    """Give the processor seconds that go by from one evaluation of the last of these groups, or of the query alone, to the next."""
    # The query's own answer: the newest recorded reading of each series.
    answer = 'sum by (instance) (last_over_time(lens:value:last{instance!=""}[5h]))'
    now = {"name": "now", "interval": _INTERVAL, "rules": [{"record": "load", "expr": answer}]}
    rules = [now, *({**group, "interval": _INTERVAL} for group in groups_)]
    name = rules[-1]["name"]
    past = list(history(series, time.time() - _GAP))
    with (
        tempfile.TemporaryDirectory() as folder,
        start_prometheus(Path(folder), history=past, rules=rules) as server,
    ):
        process, done = psutil.Process(server.pid), 0
        _evaluated(server.url, name, "")  # the first reads everything from disk
        newest, began = _evaluated(server.url, name, ""), sum(process.cpu_times()[:2])
        while done < _EVALUATIONS:
            newest, done = _evaluated(server.url, name, newest), done + 1
        return (sum(process.cpu_times()[:2]) - began) / _EVALUATIONS


def _evaluated(url: str, name: str, before: str) -> str:
    """Wait for an evaluation of a group after this one, and say when it was."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        time.sleep(0.2)
        groups_ = requests.get(f"{url}/api/v1/rules", timeout=60).json()["data"]["groups"]
        group = next(each for each in groups_ if each["name"] == name)
        broken = [rule["lastError"] for rule in group["rules"] if rule.get("lastError")]
        if broken:
            raise SystemExit(f"{name}: {broken[0]}")
        if group["evaluationTime"] and group["lastEvaluation"] != before:
            return str(group["lastEvaluation"])
    raise SystemExit(f"{name} was not evaluated within {_PATIENCE:.0f} s")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="What the recording rules cost a Prometheus.")
    parser.add_argument("--series", type=int, default=200)
    options = parser.parse_args(arguments)
    print(provenance(" ".join(["python bench/rules_cost.py", *arguments]), datetime.now(UTC)))
    print(
        f"| group | every | processor time, {options.series} series | for one series | of a core for 10,000 |\n{'|---' * 5}|",
        flush=True,
    )
    without = measure([], options.series)
    for group in groups():
        seconds, every = measure([group], options.series) - without, duration(group["interval"])
        each = seconds / options.series
        print(f"| {group['name']} | {every:.0f} s | {seconds * 1e3:.0f} ms | {each * 1e3:.2f} ms | {10_000 * each / every:.1%} |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
