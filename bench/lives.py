"""What a watcher tells about things that are in order: `python bench/lives.py`. Prints markdown for docs/benchmarks.md.

Made-up metrics of kinds that everybody has, healthy all the time: two of each by themselves, six of a kind as one instance, and
instances of mixed ones. Two weeks are learnt, the third is looked at row by row, five minutes apart. Takes two minutes.
"""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # lives are watched as the tests watch them

from quality.report import number, provenance, table

from lens_exporter.model.window import FloatArray
from tests.unit.baseline.lives import DAY, MEMBERS, Life, Watch, lone

_LEARNT, _ROWS = 14 * DAY, 21 * DAY
_WEEKS = (_ROWS - _LEARNT) / (7 * DAY)
_AT = np.arange(_ROWS) / DAY  # days since a Thursday, 00:00 UTC
_WORKDAY = (np.floor(_AT) + 3) % 7 < 5
_MIXED = 6

Course = Callable[[np.random.Generator], FloatArray]


def office(random: np.random.Generator) -> FloatArray:
    """Five times as much from eight to six on workdays, rising and falling within an hour."""
    hour = _AT % 1 * 24
    bell = np.exp(-0.5 * (np.arange(-18, 19) / 8) ** 2)
    busy = np.convolve((hour > 8) & (hour < 18) & _WORKDAY, bell / bell.sum(), "same")
    return _noisy(20.0 + 80.0 * busy, random, 0.05)


def batch(random: np.random.Generator) -> FloatArray:
    """The same, from one reading to the next."""
    hour = _AT % 1 * 24
    return _noisy(np.where((hour > 8) & (hour < 18) & _WORKDAY, 100.0, 20.0), random, 0.05)


def traffic(random: np.random.Generator) -> FloatArray:
    """A day and night, less of both at weekends."""
    return _noisy(100.0 + 30.0 * _round() * np.where(_WORKDAY, 1.0, 0.4) - np.where(_WORKDAY, 0.0, 25.0), random, 0.03)


def growth(random: np.random.Generator) -> FloatArray:
    """A day and night that grow by a hundredth each day."""
    return _noisy(100.0 * 1.01**_AT * (1.0 + 0.3 * _round()), random, 0.03)


def nightly(random: np.random.Generator) -> FloatArray:
    """A job of twenty minutes at three each night."""
    return _noisy(np.where((_AT % 1 * 24 >= 3) & (_AT % 1 * 24 < 3.33), 60.0, 10.0), random, 0.05)


def hourly(random: np.random.Generator) -> FloatArray:
    """One reading in twelve is five times as high."""
    return _noisy(np.where(np.arange(_ROWS) % 12 == 0, 50.0, 10.0), random, 0.1)


def queue(random: np.random.Generator) -> FloatArray:
    """Small counts, more by day."""
    return random.poisson(3.0 * (1.0 + 0.8 * _round())).astype(np.float64)


def latency(random: np.random.Generator) -> FloatArray:
    """A heavy tail, now and then a very slow one."""
    slow = (random.random(_ROWS) < 0.002) * random.pareto(1.5, _ROWS)
    return 0.1 * np.exp(0.3 * random.standard_normal(_ROWS)) * (1.0 + 0.5 * _round() ** 2) + slow


def errors(random: np.random.Generator) -> FloatArray:
    """None, but for one reading in a hundred."""
    return (random.random(_ROWS) < 0.01) * random.exponential(0.05, _ROWS)


def bursts(random: np.random.Generator) -> FloatArray:
    """None, but for some readings in a row six times a day, of any size."""
    return _bursts(random, 6.0)


def seldom(random: np.random.Generator) -> FloatArray:
    """The same every third day."""
    return _bursts(random, 0.3)


def heap(random: np.random.Generator) -> FloatArray:
    """Climbs by what is allocated and falls when it is collected."""
    level, course = 50.0, np.zeros(_ROWS)
    for row in range(_ROWS):
        level += abs(random.normal(2.0, 1.0))
        if level > 100.0 + random.normal(0.0, 5.0):
            level = random.normal(50.0, 3.0)
        course[row] = level
    return course


def disk(random: np.random.Generator) -> FloatArray:
    """Fills for a day and a half or so, and is emptied."""
    length = 1.3 * DAY * random.normal(1.0, 0.1)
    return 100.0 + 80.0 * (np.arange(_ROWS) % length / length) + random.standard_normal(_ROWS)


def wander(random: np.random.Generator) -> FloatArray:
    """Whatever it was before, and a little more or less."""
    level, course = 0.0, np.zeros(_ROWS)
    for row, step in enumerate(random.standard_normal(_ROWS)):
        course[row] = level = 0.995 * level + step
    return 100.0 + course


_KINDS: tuple[Course, ...] = (
    *(office, batch, traffic, growth, nightly, hourly, queue, latency, errors, bursts, seldom, heap, disk, wander),
)


def lives() -> dict[str, tuple[str, Life]]:
    """Give all lives by name, with the row of the table that each counts in."""
    found: dict[str, tuple[str, Life]] = {}
    for place, kind in enumerate(_KINDS):
        name = kind.__name__
        alone, together = np.random.default_rng([1, place]).spawn(2)
        for one, random in enumerate(alone.spawn(2)):
            found[f"{name} {one}"] = (name, lone(kind(random)))
        courses = [kind(random) for random in together.spawn(len(MEMBERS))]
        found[f"six of {name}"] = (name, Life(dict(zip(MEMBERS, courses, strict=True))))
    for one in range(_MIXED):
        random = np.random.default_rng([2, one])
        chosen = random.choice(len(_KINDS), len(MEMBERS), replace=False)
        courses = [_KINDS[place](random) for place in chosen]
        found[f"mixed {one}"] = ("mixed", Life(dict(zip(MEMBERS, courses, strict=True))))
    return found


def main(arguments: Sequence[str]) -> int:
    print(provenance(" ".join(["python bench/lives.py", *arguments]), datetime.now(UTC)), flush=True)
    watched = lives()
    seen = Watch({name: life for name, (_, life) in watched.items()}).through(range(_LEARNT, _ROWS))
    begun: dict[str, Counter[str]] = {row: Counter() for row, _ in watched.values()}
    for name, told in seen.items():
        row = watched[name][0]
        begun[row]["lives"] += 1
        severities = dict(reversed([(at, anomaly.severity.value) for at, anomaly in told.alarms]))
        begun[row].update(severities[at] for at, _ in told.begun)
    total = sum(begun.values(), Counter[str]())
    what = {kind.__name__: (kind.__doc__ or "").rstrip(".") for kind in _KINDS}
    rows = [
        [name, what.get(name, ""), *(str(each[figure]) for figure in ("lives", "warning", "info"))]
        for name, each in (*begun.items(), ("all", total))
    ]
    weeks = total["lives"] * _WEEKS
    print(table(("", "what it does", "lives, a week each", "alerts that wake", "told as info"), rows))
    print(f"{number(total['warning'] / weeks)} a week and life, where 1.4 are allowed.")
    return 0


def _bursts(random: np.random.Generator, a_day: float) -> FloatArray:
    course = np.zeros(_ROWS)
    for first in random.integers(0, _ROWS, random.poisson(a_day * _ROWS / DAY)):
        course[first : first + random.integers(1, 6)] += 10.0 * random.pareto(2.0)
    return course


def _round() -> FloatArray:
    return np.sin(2 * np.pi * (_AT - 0.3))


def _noisy(course: FloatArray, random: np.random.Generator, part: float) -> FloatArray:
    return course * (1.0 + part * random.standard_normal(_ROWS))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
