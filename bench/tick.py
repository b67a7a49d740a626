"""What a tick costs: `python bench/tick.py`; exit 1 when a limit is missed. Prints markdown for docs/benchmarks.md.

A real Prometheus holds the fleet of bench/fleet.py. A tick is a whole look of a watcher: ask, parse, learn the row that has
settled, judge the newest, decide. Our cost is processor time, for machines are busy; so is Prometheus' beside it, that of its
process. The first run writes the fleet, which takes some minutes.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fleet import DEPLOYMENT, LARGE, NODE, SERIES, fleet
from peer_rules import RULES, evaluation
from quality.report import number, provenance, table

_HERE = Path(__file__).parent
_KINDS = {f"groups of {NODE}": "node", f"groups of {DEPLOYMENT}": "deployment", "lone series": "lone"}


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
    """Lay out what warm ticks cost."""
    head = (
        f"{SERIES:,} series, us a series",
        "asking and parsing",
        "all the rest",
        "of it learn",
        "judge",
        "decide",
        "with fits",
        "most",
    )
    rows = [
        [
            name,
            *(number(found["usual"][part]) for part in ("rows", "rest", "learn", "read", "decide")),
            number(found["mean"]["rest"]),
            number(found["most"]["rest"], 0),
        ]
        for name, found in warm.items()
    ]
    return table(head, rows)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="What a tick costs.")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "lens-fleet", help="keeps the fleet's blocks")
    parser.add_argument("--ticks", type=int, default=72, help="warm ticks of each kind, five minutes apart")
    options = parser.parse_args(arguments)
    print(provenance(" ".join(["python bench/tick.py", *arguments]), datetime.now(UTC)), flush=True)
    with fleet(options.folder) as (server, end):
        process = server.pid
        ticks = {"pid": process, "ticks": options.ticks}
        warm = {name: measured("warm", server.port, end, kind=kind, **ticks) for name, kind in _KINDS.items()}
        print(warm_table(warm), flush=True)
        memory = {name: measured("memory", server.port, end, kind=kind) for name, kind in _KINDS.items()}
        young = measured("young", server.port, end, kind="node")
        large = measured("large", server.port, end, kind="node", pid=process)
        peer = evaluation(server, end, process)
    kind = next(iter(_KINDS))
    first, both = warm[kind], warm[kind]["ours"] + warm[kind]["own"]
    share = both / peer["total"]
    print(
        f"One tick over {SERIES:,} series in {kind}: {first['ours'] * 1e3:.0f} ms of ours, for an answer that takes Prometheus "
        f"{first['own'] * 1e3:.0f} ms ({first['own_wall'] * 1e3:.0f} ms of wall time to ask and read).\n"
        f"From nothing, {first['cold_days']:.1f} days: {first['cold']:.1f} s of ours, {first['cold_rows']:.1f} of them asking and "
        f"parsing, beside {first['cold_own']:.1f} s of Prometheus'.\n"
        f"In its first day (here {young['points']} rows) a series costs {young['rest']:.0f} us a tick.\n"
        f"{LARGE:,} series every 60 s: {large['tick']:.2f} s of ours a tick, {large['rows']:.2f} of them asking for and parsing "
        f"{large['points']} rows, and {large['fits']:.2f} s for what is fitted each hour, beside {large['own']:.2f} s of "
        f"Prometheus'; {large['resident'] / 1e9:.2f} GB are resident.\n"
        f"The peer's way: {len(RULES)} recording rules (bench/peer_rules.py) take Prometheus {peer['total'] * 1e3:.0f} ms for one "
        f"evaluation over the same {SERIES:,} series. Our tick, with Prometheus' part of it, takes {both * 1e3:.0f} ms: "
        f"{share:.2f} of it.\n"
    )
    rows = [[name, f"{found['kept']:,.0f}", f"{found['peak']:,.0f}"] for name, found in memory.items()]
    print(table(("bytes a series", "kept", "at the peak of a start"), rows))
    limits = [
        Limit("a warm tick beside Prometheus' own time for the answer", first["ours"] / first["own"], 0.5),
        *(
            Limit(f"all but asking and parsing, {name}", found["usual"]["rest"], 2.0, " us a series")
            for name, found in warm.items()
        ),
        Limit("14 days known beside 1 day", first["usual"]["rest"] / first["day"], 1.2),
        Limit(f"{LARGE:,} series every 60 s, of one core", (large["tick"] + large["fits"]) / 60.0, 1.0),
        *(Limit(f"kept, {name}", found["kept"] / 1e3, 20.0, " kB a series", 1) for name, found in memory.items()),
        *(Limit(f"from nothing, {name}", found["cold"], 10.0, " s", 1) for name, found in warm.items()),
        Limit("our tick and its answer beside the peer's rules", share, 1.0),
    ]
    print(table(("", "measured", "limit", ""), [limit.row for limit in limits]))
    return int(any(limit.missed for limit in limits))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
