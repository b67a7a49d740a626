"""How often a release is blamed that changed nothing, and one that did: `python bench/releases.py`, about a minute.

Made-up Deployments of one and three pods, each with its own noise, some under a load that all share and that wanders.
"""

import sys
from collections import Counter
from collections.abc import Callable

import numpy as np

from lens_exporter.investigate.releases import compare
from lens_exporter.model.window import FloatArray

STEP, POINTS = 120.0, 780
TRIALS = 100
LOADS = (
    ("noise 15 %", 0.15, 0.0, 0.0),
    ("noise 30 %", 0.3, 0.0, 0.0),
    ("wanders by 5 % in an hour", 0.1, 0.05, 1.0),
    ("wanders by 15 % in 20 min", 0.1, 0.15, 1 / 3),
    ("wanders by 15 % in an hour", 0.1, 0.15, 1.0),
    ("wanders by 15 % in three", 0.1, 0.15, 3.0),
)


def pods(random: np.random.Generator, noise: float, width: float, hours: float) -> Callable[[], FloatArray]:
    """Give a maker of courses around 1 over 26 hours."""
    shared = np.zeros(POINTS)
    if width:
        keeps = np.exp(-STEP / (hours * 3600.0))
        pushed = np.sqrt(1.0 - keeps * keeps) * random.standard_normal(POINTS)
        for at in range(1, POINTS):
            shared[at] = keeps * shared[at - 1] + pushed[at]
    return lambda: np.exp(width * shared + noise * random.standard_normal(POINTS))


def verdict(load: tuple[str, float, float, float], seed: int, count: int, factor: float, minutes: int) -> str:
    """Release `count` pods that have `factor` as much, so many minutes ago, and compare."""
    course = pods(np.random.default_rng(seed), *load[1:])
    began = POINTS - round(minutes * 60.0 / STEP)
    old, new = np.array([course() for _ in range(count)]), factor * np.array([course() for _ in range(count)])
    old[:, began:], new[:, :began] = np.nan, np.nan
    found = compare(STEP * np.arange(POINTS), {"a": old, "b": new}, "b", new[0])
    return "" if found is None else found.verdict.value


def main() -> None:
    sys.stdout.write("| load | pods | times as much | came with it | as before | of |\n|---|---|---|---|---|---|\n")
    for load in LOADS:
        for count in (1, 3):
            for factor in (1.0, 1.5, 2.0, 4.0):
                seen = Counter(verdict(load, seed, count, factor, minutes) for minutes in (12, 40, 90) for seed in range(TRIALS))
                row = (load[0], count, factor, seen["came_with_it"], seen["as_before"], seen.total())
                sys.stdout.write(f"| {' | '.join(map(str, row))} |\n")


if __name__ == "__main__":
    main()
