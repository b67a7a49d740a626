"""The measurements of bench/tick.py, each in a process of its own: `ticks.py WHAT OPTIONS` prints one line of JSON.

Times are seconds of processor time unless they say otherwise; us a series where a tick is split into its parts. A start asks on
one thread while it learns on another: a part is what its own thread has spent, all of a look what the process has.
"""

import gc
import json
import math
import statistics
import sys
import time
import tracemalloc
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from fetch import history, own_time
from fleet import DAYS, LARGE, SERIES, STEP

from lens_exporter.baseline.analyzer import Analyzer
from lens_exporter.baseline.baselines import Baselines, Learning
from lens_exporter.demo.servers import LocalServer
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import Window
from lens_exporter.watch.look import Looker
from lens_exporter.watch.ports import RowSource, Watched

SHORT = 2  # days: the engine judges what is known for longer than a day and a half
_DAY = 86_400.0
_LABELS = {"node": ("node",), "deployment": ("deployment",), "lone": None}
_MINUTE = 60
_LEARNT = 20  # rows at a time


@dataclass
class Clock:
    """Adds up time by name: the processor time of the thread, unless told otherwise."""

    spent: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @contextmanager
    def of(self, name: str, now: Callable[[], float] = time.thread_time) -> Iterator[None]:
        begun = now()
        yield
        self.spent[name] += now() - begun

    def around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            with self.of(name):
                return call(*arguments, **options)

        return timed

    def taken(self) -> dict[str, float]:
        taken, self.spent = dict(self.spent), defaultdict(float)
        return taken


@dataclass
class Timed:
    """A source of rows that says what they cost."""

    source: RowSource
    clock: Clock
    asked: list[tuple[float, float]] = field(default_factory=list)

    def rows(self, metric: BaselineMetric, start: float, end: float, *, step: float) -> Window:
        self.asked.append((start, end))
        with self.clock.of("rows"):
            return self.source.rows(metric, start, end, step=step)

    def points_per_block(self, metric: BaselineMetric, at: float, *, step: float) -> int:
        with self.clock.of("rows"):
            return self.source.points_per_block(metric, at, step=step)


@dataclass
class Watching:
    """A watcher's look with its parts on a clock."""

    source: RowSource
    kind: str
    window: float
    step: float = STEP
    query: str = "fleet"

    def __post_init__(self) -> None:
        self.clock = Clock()
        self.rows = Timed(self.source, self.clock)
        watched = Watched("fleet", (BaselineMetric(self.query, self.query),), window=self.window, step=self.step)
        self.baselines = Baselines(watched.asked, Learning(self.step, self.window, group_labels=_LABELS[self.kind]))
        analyzer = Analyzer()
        for name, part in (("learn", self.baselines), ("read", self.baselines), ("decide", analyzer)):
            setattr(part, name, self.clock.around(name, getattr(part, name)))
        self.looker = Looker(watched, self.rows, self.baselines, analyzer)

    def look(self, at: float) -> dict[str, float]:
        """Give the seconds of one look by part; rest is all but asking and parsing."""
        self.rows.asked.clear()
        with self.clock.of("all", time.process_time), self.clock.of("wall", time.perf_counter):
            seen = self.looker.look(at)
        if seen.failures:
            raise SystemExit(f"not read: {seen.failures}")
        taken = {"rows": 0.0, "learn": 0.0, "read": 0.0, "decide": 0.0, **self.clock.taken()}
        return {**taken, "rest": taken["all"] - taken["rows"], "series": seen.series, "told": seen.series - seen.quiet}

    @property
    def young(self) -> int:
        """How many series the first judge looks after: it is another one, at another price."""
        return int(vars(self.baselines)["_warm"].series.size)

    def nobody_young(self) -> None:
        """Stop where what was measured is not the engine."""
        if self.young:
            raise SystemExit(f"{self.young} series are not judged by the engine")


def known_for(days: float, at: float) -> float:
    """Give a window of about so many days of which all is known at this moment (see Baselines: between half and all is)."""
    half = days * _DAY / 2.0
    return 2.0 * (at + STEP) / math.ceil((at + STEP) / half)


def looks(port: int, end: int, kind: str, pid: int, ticks: int, *, cold_own: bool) -> dict[str, Any]:
    """One look from nothing over all days but the last `ticks` rows, then so many warm ones.

    Beside it stands what Prometheus needs for the same answers (from nothing only if asked for, it does not depend on the kind),
    and a watcher that knows a short past: the shortest that the engine judges by. While less than a day and a half is known the
    first judge does, at another price (see `first_judge`).
    """
    server, process, here = _server(port), psutil.Process(pid), psutil.Process()
    begin = end - ticks * STEP
    _small(server, kind, begin)
    resident = here.memory_info().rss
    watching = Watching(history(server), kind, known_for(DAYS, end))
    look = watching.look(begin)
    cold = {
        "all": look["all"],
        "rows": look["rows"],
        "wall": look["wall"],
        "days": (begin + STEP - watching.rows.asked[0][0]) / _DAY,
        "resident": (here.memory_info().rss - resident) / SERIES,
    }
    if cold_own:
        before, begun = _cpu(process), time.perf_counter()
        for start, stop in watching.rows.asked:
            own_time(server, "fleet", int(start), int(stop))
        cold |= {"own": _cpu(process) - before, "own_wall": time.perf_counter() - begun}
    return {"cold": cold, **_warm(server, process, watching, range(begin + STEP, end + 1, STEP))}


def _warm(server: LocalServer, process: psutil.Process, watching: Watching, moments: range) -> dict[str, Any]:
    """Give what looks at these moments cost, us a series."""
    short = Watching(history(server), watching.kind, known_for(SHORT, moments[-1]))
    short.look(moments[0] - STEP)
    looks, shorts, own_wall = [], [], []
    own = 0.0
    for at in moments:
        looks.append(watching.look(at))
        shorts.append(short.look(at)["rest"])
        ((start, stop),) = watching.rows.asked
        before, begun = _cpu(process), time.perf_counter()
        own_time(server, "fleet", int(start), int(stop))
        own_wall.append(time.perf_counter() - begun)
        own += _cpu(process) - before
    watching.nobody_young()
    short.nobody_young()
    if {look["series"] for look in looks} != {SERIES}:
        raise SystemExit("series are missing")
    unit = 1e6 / SERIES
    parts = {name: [look[name] * unit for look in looks] for name in ("all", "rows", "rest", "learn", "read", "decide")}
    return {
        "usual": {name: statistics.median(each) for name, each in parts.items()},
        "mean": {name: statistics.fmean(each) for name, each in parts.items()},
        "most": {name: max(each) for name, each in parts.items()},
        "short": statistics.fmean(shorts) * unit,
        "own": own / len(looks) * unit,
        "own_wall": statistics.median(own_wall) * unit,
        "told": statistics.fmean(look["told"] for look in looks),
    }


def _small(server: LocalServer, kind: str, at: int) -> None:
    """Do it all with few series: what is new to the process is not measured."""
    Watching(history(server), kind, known_for(SHORT, at), query='fleet{pod=~".*00.-1"}').look(at)


def memory(port: int, end: int, kind: str) -> dict[str, Any]:
    """What is kept of each series, and what a start takes at its peak: bytes. Room for all days is made at the beginning."""
    server = _server(port)
    _small(server, kind, end - STEP)
    gc.collect()
    tracemalloc.start()
    watching = Watching(history(server), kind, known_for(SHORT, end))
    watching.look(end - STEP)
    peak = tracemalloc.get_traced_memory()[1]
    watching.look(end)
    watching.nobody_young()
    gc.collect()
    return {"kept": tracemalloc.get_traced_memory()[0] / SERIES, "peak": peak / SERIES}


def first_judge(port: int, end: int, kind: str) -> dict[str, Any]:
    """Ticks with a window of one day: the first judge never hands over, and looks at all of the day each time."""
    watching = Watching(history(_server(port)), kind, known_for(1.0, end))
    watching.look(end - 3 * STEP)
    looks = [watching.look(end - ago * STEP)["rest"] for ago in (2, 1, 0)]
    if watching.young != SERIES:
        raise SystemExit("the engine judges already")
    return {"rest": statistics.median(looks) * 1e6 / SERIES}


def large(port: int, end: int, kind: str, pid: int) -> dict[str, Any]:
    """Ticks over 100,000 series a minute apart. Their past is random, learnt without asking; the newest rows are asked for."""
    server, process, here = _server(port), psutil.Process(pid), psutil.Process()
    end = end + STEP - _MINUTE  # the newest sample counts for five minutes
    begin = end - 8 * _MINUTE
    before = here.memory_info().rss
    watching = Watching(history(server), kind, known_for(SHORT, end), step=_MINUTE, query="fleet_large")
    labels = watching.source.rows(BaselineMetric("", "fleet_large"), end, end, step=_MINUTE).labels
    baselines, random = watching.baselines, np.random.default_rng(1)
    due = baselines.due(begin)
    baselines.begin(due)
    turns = _turns(baselines)
    for first in range(int(due.first), int(due.settled), _LEARNT * _MINUTE):
        times = np.arange(first, min(first + _LEARNT * _MINUTE, due.settled), _MINUTE, dtype=np.float64)
        baselines.learn([Window("", labels, times, random.random((LARGE, times.size)), _MINUTE)], recently=math.inf)
    hours = turns[-3 * 4 :]
    watching.look(begin)  # from now on the engine judges
    watching.nobody_young()
    looks = []
    own = 0.0
    for at in range(begin + _MINUTE, end + 1, _MINUTE):
        looks.append(watching.look(at))
        ((start, stop),) = watching.rows.asked
        cpu = _cpu(process)
        own_time(server, "fleet_large", int(start), int(stop), step=_MINUTE)
        own += _cpu(process) - cpu
    if {look["series"] for look in looks} != {LARGE}:
        raise SystemExit("series are missing")
    return {
        "points": round((stop - start) / _MINUTE) + 1,
        "tick": statistics.fmean(look["all"] for look in looks),
        "rows": statistics.fmean(look["rows"] for look in looks),
        "fits": sum(hours) / (3 * 60),
        "own": own / len(looks),
        "resident": here.memory_info().rss - before,
    }


def _turns(baselines: Baselines) -> list[float]:
    """Give a list that is added to: the seconds of what is done each quarter of an hour, and with it when hours are over."""
    engine: Any = vars(baselines)["_engine"]
    turn = vars(type(engine))["_turn"]
    taken: list[float] = []

    def timed(bin_: int) -> Any:
        begun, new = time.process_time(), bin_ != vars(engine)["_bin"]
        found = turn(engine, bin_)
        if new:
            taken.append(time.process_time() - begun)
        return found

    vars(engine)["_turn"] = timed
    return taken


def _server(port: int) -> LocalServer:
    """Give the running server as somebody who asks it."""
    return LocalServer("prometheus", [], folder=Path(), port=port)


def _cpu(process: psutil.Process) -> float:
    return float(sum(process.cpu_times()[:2]))


if __name__ == "__main__":
    measurements: dict[str, Callable[..., dict[str, Any]]] = {each.__name__: each for each in (looks, memory, first_judge, large)}
    print(json.dumps(measurements[sys.argv[1]](**json.loads(sys.argv[2]))))
