"""What importing each part costs. `python bench/imports.py` prints CPU seconds and resident MB, each in a fresh interpreter."""

import statistics
import subprocess
import sys

_MEASURE = """
import os
times = os.times()
rss = next(int(line.split()[1]) for line in open("/proc/self/smaps_rollup") if line.startswith("Rss:"))
print(times.user + times.system, rss * 1024 / 1e6)
"""
_ALONE = ("numpy", "pydantic", "prometheus_client", "requests", "structlog", "sqlalchemy.orm", "fastapi, uvicorn")
_LATER = ("alembic.command", "dbos", "openai", "pydantic_ai", "anthropic")  # on top of the program, when they are needed


def cost(code: str, rounds: int = 5) -> tuple[float, float]:
    """Median CPU seconds and MB of an interpreter that runs this code."""
    rows = []
    for _ in range(rounds):
        done = subprocess.run([sys.executable, "-c", code + _MEASURE], capture_output=True, text=True, check=True)
        rows.append([float(word) for word in done.stdout.split()])
    return statistics.median(row[0] for row in rows), statistics.median(row[1] for row in rows)


def main() -> None:
    bare = cost("")
    program = cost("import lens_exporter.app")
    print(f"{'an interpreter alone':<30} {bare[0]:5.2f} s  {bare[1]:6.1f} MB")
    for names in _ALONE:
        cpu, rss = cost(f"import {names}")
        print(f"{names + ' alone':<30} {cpu - bare[0]:+5.2f} s  {rss - bare[1]:+6.1f} MB")
    print(f"{'the program (all it needs)':<30} {program[0]:5.2f} s  {program[1]:6.1f} MB")
    for names in _LATER:
        cpu, rss = cost(f"import lens_exporter.app, {names}")
        print(f"{names + ' on top':<30} {cpu - program[0]:+5.2f} s  {rss - program[1]:+6.1f} MB")


if __name__ == "__main__":
    main()
