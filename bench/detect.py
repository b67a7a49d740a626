"""What `lens-exporter detect` costs: a million points, read, scored and written apart, and the command as a whole.

`python bench/detect.py` writes tables of noise with a daily season to a temporary folder and prints seconds and peak memory.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import numpy as np

from lens_exporter.baseline.detection.engine import Engine
from lens_exporter.baseline.detection.tuning import Tuning
from lens_exporter.replay.scores import ScoresCsv
from lens_exporter.replay.table import Table

_POINTS = 1_000_000
_WIDTHS = (1, 19, 1000)  # a lone series, a machine, a fleet
_STEP = 300.0
_DAY = 86_400.0
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

T = TypeVar("T")


def write_table(path: Path, series: int, points: int) -> None:
    """Noise around a daily season, two decimals, every five minutes."""
    rows = points // series
    at = np.arange(rows) * _STEP
    noise = np.random.default_rng(7).normal(size=(rows, series))
    values = np.round(50 + 10 * np.sin(2 * np.pi * at / _DAY)[:, None] + noise, 2)
    with path.open("w") as file:
        file.write("timestamp," + ",".join(f"metric_{number}" for number in range(series)) + "\n")
        for seconds, row in zip(at.tolist(), values.tolist(), strict=True):
            file.write(f"{(_BEGIN + timedelta(seconds=seconds)).isoformat()},{','.join(map(str, row))}\n")


def timed(work: Callable[[], T]) -> tuple[float, T]:
    begun = time.perf_counter()
    done = work()
    return time.perf_counter() - begun, done


def parts(path: Path, group: str | None) -> tuple[float, float, float]:
    """Seconds of reading, scoring and writing, each for the whole table."""
    with path.open("rb") as file:
        table = Table(str(path), file.read1)
        reading, blocks = timed(lambda: list(table.blocks()))
    engine = Engine(len(table.series), [] if group is None else [range(len(table.series))], Tuning(step=_STEP))
    scoring, scored = timed(lambda: [engine.advance(rows.times, rows.values) for rows in blocks])
    csv = ScoresCsv(table.series, group)
    writing, _ = timed(lambda: sum(len(csv.lines(rows, said)) for rows, said in zip(blocks, scored, strict=True)))
    return reading, scoring, writing


def whole(path: Path, group: str | None) -> tuple[float, float]:
    """Seconds of the command, and its peak resident MB."""
    command = [sys.executable, "-m", "lens_exporter.cli", "detect", "--input", str(path), "--output", str(path.with_suffix(".out"))]
    begun = time.perf_counter()
    process = subprocess.Popen([*command, *(["--group", group] if group else [])], stderr=subprocess.PIPE)
    peak = 0
    while process.poll() is None:  # what wait4 tells has our own memory in it, from before the command began in its place
        peak = max(peak, _peak_so_far(process.pid))
        time.sleep(0.02)
    seconds = time.perf_counter() - begun
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}:\n{process.communicate()[1].decode()}")
    return seconds, peak / 1e6


def _peak_so_far(pid: int) -> int:
    """Bytes; 0 of a process that is about to end."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=_POINTS)
    points = parser.parse_args().points
    print(f"{'table':<34} {'read':>6} {'score':>6} {'write':>6} {'command':>8}  s   peak")
    with tempfile.TemporaryDirectory() as folder:
        for series in _WIDTHS:
            path = Path(folder) / f"{series}.csv"
            write_table(path, series, points)
            for group in (None, "all") if series > 1 else (None,):
                seconds, memory = whole(path, group)
                reading, scoring, writing = parts(path, group)
                name = f"{series:,} x {points // series:,} rows{', one group' if group else ''}"
                print(f"{name:<34} {reading:6.1f} {scoring:6.1f} {writing:6.1f} {seconds:8.1f}      {memory:.0f} MB")


if __name__ == "__main__":
    main()
