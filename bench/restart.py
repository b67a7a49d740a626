"""What a restart costs with a snapshot and without: `python bench/restart.py`. Prints markdown for docs/benchmarks.md.

A week of 10,000 series at five minutes is learnt without a server, written down and read by other baselines. Seconds of processor
time, which are what is comparable on a busy machine, and of the clock, which has the disk in it. Each kind in a process of its own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import numpy as np
from quality.report import number, provenance, table

from lens_exporter.baseline.baselines import Baselines, Learning
from lens_exporter.foundation import snapshot
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import Window

Given = TypeVar("Given")

_STEP, _DAY = 300.0, 86_400.0
_DAYS = 7
_NOW = 1_790_000_100.0
_BLOCK = 96  # rows
_KINDS = {"groups of 40": ("node",), "lone series": None}
_METRICS = (BaselineMetric("fleet", "fleet"),)


def measured(series: int, kind: str) -> dict[str, float]:
    """Learn a week of random values, write it down, read it."""
    first = _baselines(kind)
    random = np.random.default_rng(1)
    labels = tuple(
        {"node": f"node-{i // 40}", "pod": f"pod-{i}"} if kind != "lone series" else {"pod": f"{i}"} for i in range(series)
    )
    due = first.due(_NOW)
    learning = 0.0
    for row in range(0, round(_DAYS * _DAY / _STEP), _BLOCK):
        times = due.settled - _DAYS * _DAY + (row + np.arange(_BLOCK)) * _STEP
        window = Window("fleet", labels, times, random.random((series, _BLOCK)), _STEP)
        begun = time.process_time()
        first.learn([window], recently=np.inf)
        learning += time.process_time() - begun
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fleet.lens-snapshot"
        state = {"learnt": first.learnt}
        size, writing, written = _took(lambda: snapshot.save(path, state, fingerprint="", given=first.given))
        second = _baselines(kind)

        def read() -> None:
            found = snapshot.load(path, fingerprint="", given=second.given, package="lens_exporter.baseline")
            if found is None:
                raise SystemExit("nothing was read")
            second.resume(found["learnt"])

        _, reading, been_read = _took(read)
    if second.learnt_to != first.learnt_to:
        raise SystemExit("it is not what was written")
    return {"learning": learning, "writing": writing, "written": written, "reading": reading, "read": been_read, "size": size}


def _baselines(kind: str) -> Baselines:
    return Baselines(_METRICS, Learning(_STEP, 14 * _DAY, group_labels=_KINDS[kind]))


def _took(work: Callable[[], Given]) -> tuple[Given, float, float]:
    """Do it; give what it gives, and the seconds of the processor and of the clock."""
    cpu, clock = time.process_time(), time.perf_counter()
    given = work()
    return given, time.process_time() - cpu, time.perf_counter() - clock


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="What a restart costs.")
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--kind", help="measure one and print JSON")
    options = parser.parse_args(arguments)
    if options.kind:
        print(json.dumps(measured(options.series, options.kind)))
        return 0
    print(provenance(" ".join(["python bench/restart.py", *arguments]), datetime.now(UTC)), flush=True)
    rows = []
    for kind in _KINDS:
        call = [sys.executable, __file__, "--series", str(options.series), "--kind", kind]
        done = subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
        found = json.loads(done.stdout)
        rows.append(
            [
                f"{options.series:,} series, {kind}",
                number(found["learning"], 1),
                *(number(found[one]) for one in ("reading", "read", "writing", "written")),
                number(found["size"] / options.series / 1e3, 1),
                number(found["learning"] / found["reading"], 0),
            ]
        )
    head = (
        "",
        f"learning {_DAYS} days, s",
        "reading them, s",
        "by the clock",
        "writing them, s",
        "by the clock",
        "kB a series",
        "learning beside reading",
    )
    print(table(head, rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
