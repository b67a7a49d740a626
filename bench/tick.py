"""What a tick costs: `python bench/tick.py`; exit 1 when a limit is missed. Prints markdown for docs/benchmarks.md.

A real Prometheus holds the fleet of bench/fleet.py. A tick is a whole look of a watcher: ask, parse, learn the row that has
settled, judge the newest, decide; what is then told, stored and published about it is not in it. Our cost is processor time, for
machines are busy; so is Prometheus' beside it, that of its process. The first run writes the fleet, which takes some minutes.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fleet import DAYS, DEPLOYMENT, LARGE, NODE, SERIES, fleet
from peer_rules import evaluation
from quality.report import number, provenance, table
from ticks import SHORT

_HERE = Path(__file__).parent
_GROUPED, _LONE = f"groups of {NODE}", "lone series"
_KINDS = {_GROUPED: "node", f"groups of {DEPLOYMENT}": "deployment", _LONE: "lone"}


@dataclass(frozen=True, slots=True)
class Limit:
    what: str
    value: float
    most: float
    unit: str = ""
    digits: int = 2

    @property
    def missed(self) -> bool:
        return not self.value <= self.most

    @property
    def row(self) -> list[str]:
        verdict = f"missed by {number(self.value - self.most, self.digits)}{self.unit}" if self.missed else "met"
        return [self.what, f"{number(self.value, self.digits)}{self.unit}", f"{self.most:g}{self.unit}", verdict]


def measured(what: str, port: int, end: int, **options: Any) -> dict[str, Any]:
    """Run one measurement of ticks.py in a process of its own, as the command line has it: linear algebra on one thread."""
    call = [sys.executable, str(_HERE / "ticks.py"), what, json.dumps({"port": port, "end": end, **options})]
    done = subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def warm_table(warm: dict[str, dict[str, Any]]) -> str:
    """Lay out what warm ticks cost, in us a series: means, and what half of the ticks stay below."""
    head = (
        f"{SERIES:,} series, us a series",
        "Prometheus",
        "asking and parsing",
        "all the rest",
        "of it learn",
        "judge",
        "decide",
        "the rest, median",
        "most",
        f"{SHORT} days known",
        "series told one by one",
    )
    rows = [
        [
            name,
            number(found["own"]),
            *(number(found["mean"][part]) for part in ("rows", "rest", "learn", "read", "decide")),
            number(found["usual"]["rest"]),
            number(found["most"]["rest"], 0),
            number(found["short"]),
            number(found["told"], 0),
        ]
        for name, found in warm.items()
    ]
    return table(head, rows)


def cold_table(warm: dict[str, dict[str, Any]], memory: dict[str, dict[str, Any]]) -> str:
    """Lay out what a start costs, and what is kept after it."""
    head = (
        "from nothing",
        "days",
        "ours, s",
        "of it asking and parsing",
        "Prometheus, s",
        "all by the clock, s",
        "Prometheus alone",
        "kB a series kept",
        "at the peak",
        "resident",
    )
    rows = [
        [
            name,
            number(found["days"], 1),
            *(number(found.get(part, math.nan), 1) for part in ("all", "rows", "own", "wall", "own_wall")),
            *(number(memory[name][part] / 1e3, 1) for part in ("kept", "peak")),
            number(found["resident"] / 1e3, 1),
        ]
        for name, found in ((name, each["cold"]) for name, each in warm.items())
    ]
    return table(head, rows)


def large_table(large: dict[str, dict[str, Any]]) -> str:
    """Lay out what ticks over a large fleet cost, in seconds."""
    head = (
        f"{LARGE:,} series every 60 s, s a tick",
        "ours",
        "of it asking and parsing",
        "rows asked for",
        "hourly fits",
        "Prometheus",
        "GB resident",
    )
    rows = [
        [
            name,
            *(number(found[part]) for part in ("tick", "rows")),
            str(found["points"]),
            *(number(found[part]) for part in ("fits", "own")),
            number(found["resident"] / 1e9, 2),
        ]
        for name, found in large.items()
    ]
    return table(head, rows)


def limits(
    warm: dict[str, dict[str, Any]],
    memory: dict[str, dict[str, Any]],
    large: dict[str, dict[str, Any]],
    first_judge: float,
    peer: float,
) -> Iterator[Limit]:
    """Hold what was measured to the limits. first_judge: us a series; peer: seconds of an evaluation."""
    for name, found in warm.items():
        yield Limit(f"a warm tick beside Prometheus' own time for the answer, {name}", found["mean"]["all"] / found["own"], 0.5)
    for name, found in warm.items():
        yield Limit(f"all but asking and parsing, {name}", found["mean"]["rest"], 2.0, " us a series")
    for name, found in warm.items():
        yield Limit(f"{DAYS} days known beside {SHORT}, {name}", found["mean"]["rest"] / found["short"], 1.2)
    grouped = next(iter(warm.values()))
    yield Limit(f"a window of 1 day (the first judge) beside {DAYS} days known", first_judge / grouped["mean"]["rest"], 1.2)
    yield Limit("a window of 1 day (the first judge)", first_judge, 2.0, " us a series")
    for name, found in large.items():
        yield Limit(f"{LARGE:,} series every 60 s, of one core, {name}", (found["tick"] + found["fits"]) / 60.0, 1.0)
    for name, found in memory.items():
        yield Limit(f"kept, {name}", found["kept"] / 1e3, 20.0, " kB a series", 1)
    for name, found in warm.items():
        yield Limit(f"from nothing, {name}", found["cold"]["all"], 10.0, " s", 1)
    for name, found in warm.items():
        both = (found["mean"]["all"] + found["own"]) * SERIES / 1e6
        yield Limit(f"a tick and its answer beside one evaluation of the peer's rules, {name}", both / peer, 1.0)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="What a tick costs.")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "lens-fleet", help="keeps the fleet's blocks")
    parser.add_argument("--ticks", type=int, default=72, help="warm ticks of each kind, five minutes apart")
    options = parser.parse_args(arguments)
    print(provenance(" ".join(["python bench/tick.py", *arguments]), datetime.now(UTC)), flush=True)
    with fleet(options.folder) as (server, end):

        def each(what: str, kinds: Sequence[str] = tuple(_KINDS), **more: Any) -> dict[str, dict[str, Any]]:
            return {name: measured(what, server.port, end, kind=_KINDS[name], **more) for name in kinds}

        looking = {"pid": server.pid, "ticks": options.ticks}
        warm = each("looks", (_GROUPED,), cold_own=True, **looking) | each("looks", tuple(_KINDS)[1:], cold_own=False, **looking)
        print(warm_table(warm), flush=True)
        memory = each("memory")
        print(cold_table(warm, memory), flush=True)
        first_judge = measured("first_judge", server.port, end, kind=_KINDS[_GROUPED])["rest"]
        peer = evaluation(server, end, server.pid)
        large = each("large", (_GROUPED, _LONE), pid=server.pid)
        print(large_table(large), flush=True)
    print(
        table(
            ("one evaluation of the peer's rules", "ms of Prometheus"),
            [[rule, number(took * 1e3, 0)] for rule, took in peer.items()],
        )
    )
    held = list(limits(warm, memory, large, first_judge, peer["total"]))
    print(table(("", "measured", "limit", ""), [limit.row for limit in held]))
    return int(any(limit.missed for limit in held))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
