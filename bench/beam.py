"""What the BEAM lens costs, and what it costs the nodes: `python bench/beam.py`; exit 1 when a limit is missed. About four minutes.

Prints markdown for docs/benchmarks.md. All nodes are real: Debian's erl with processes that sleep, and RabbitMQ. What an action
costs a node is the difference to a stretch of the same length in which nothing is asked.
"""

import argparse
import gc
import http.client
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import psutil
from quality.report import Target, number, provenance, table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the servers are those of the tests

from beam_nodes import Felt, Spent, collecting, crowded, felt, forget_peak, peak, spent, watched

from lens_exporter.investigate.toolbox import Toolbox
from lens_exporter.lenses.beam.collect import NodeLens
from lens_exporter.lenses.beam.exporters import exporters
from lens_exporter.lenses.beam.opening import Address
from lens_exporter.lenses.beam.tools import BeamTools
from lens_exporter.lenses.beam.top import SortBy
from lens_exporter.model.tool import ToolResult, ToolStatus
from tests.servers.rabbitmq import RabbitServer

COLLECT_LIMIT, TOP_LIMIT = 15.0, 500.0  # ms at the median
_BLOCKS, _IN_BLOCK = 4, 50
_CROWD, _LARGE = 100_000, 1_000_000
_ROUNDS = 7
_NEEDED = 6e9  # bytes free, for a million processes and what is asked about them
_PHASE, _EVERY = 20, 15.0  # seconds
_GZIP = {"Accept": "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "Accept-Encoding": "gzip"}  # as Prometheus asks
_TOP = "beam_get_top_processes"

Row = list[str]
Held = tuple[Target, float]  # what is limited, and its figure


def heading(what: str) -> None:
    print(f"{what} (load {os.getloadavg()[0]:.1f}):\n", flush=True)


def median_ms(seconds: Sequence[float]) -> float:
    return statistics.median(seconds) * 1e3


# --- one collect ---


def collects(folder: Path) -> list[Held]:
    """Collect an idle node and RabbitMQ, and scrape RabbitMQ, in turns."""
    with (
        crowded(folder / "idle", 0) as node,
        RabbitServer(folder / "rabbit") as rabbit,
        watched(node.address) as idle,
        watched(Address(rabbit.name, epmd_port=rabbit.epmd.port)) as broker,
    ):
        connection = http.client.HTTPConnection("127.0.0.1", rabbit.port, timeout=30)

        def scrape() -> None:
            connection.request("GET", "/metrics", headers=_GZIP)
            connection.getresponse().read()

        ways: dict[str, tuple[NodeLens, int, Callable[[], object]]] = {
            "collect of an idle erl node": (idle, node.pid, lambda: list(idle.collect())),
            "collect of an idle RabbitMQ": (broker, rabbit.pid, lambda: list(broker.collect())),
            "scrape of its own /metrics": (broker, rabbit.pid, scrape),
        }
        for _, _, once in ways.values():
            once()
        times: dict[str, list[float]] = {name: [] for name in ways}
        blocks: dict[str, list[Spent]] = {name: [] for name in ways}
        for _ in range(_BLOCKS):
            for name, (lens, pid, once) in ways.items():
                blocks[name].append(spent(lens.asks, pid, partial(repeated, once, times[name])))
        connection.close()
        heading(f"One collect, {_BLOCKS * _IN_BLOCK} of each in turns")
        head = ("", "ms, median", "99th percentile", "reductions of the node each", "its processor, ms each", "ours, ms each")
        print(table(head, [cost_row(name, times[name], blocks[name]) for name in ways]))
        print(f"{described(broker, rabbit)}\n", flush=True)
    collected = list(ways)[:2]
    return [(Target(f"{name}, median ms", COLLECT_LIMIT, at_most=True), median_ms(times[name])) for name in collected]


def repeated(once: Callable[[], object], times: list[float]) -> None:
    for _ in range(_IN_BLOCK):
        begun = time.perf_counter()
        once()
        times.append(time.perf_counter() - begun)


def cost_row(name: str, times: Sequence[float], blocks: Sequence[Spent]) -> Row:
    high = sorted(times)[int(len(times) * 0.99)]
    each = [statistics.mean(figures) / _IN_BLOCK for figures in zip(*((b.reductions, b.cpu, b.own) for b in blocks), strict=True)]
    return [
        name,
        number(median_ms(times)),
        number(high * 1e3),
        f"{each[0]:,.0f}",
        number(each[1] * 1e3, 1),
        number(each[2] * 1e3, 1),
    ]


def described(lens: NodeLens, rabbit: RabbitServer) -> str:
    """Say what both tell of the node."""
    page = [line for line in rabbit.page().splitlines() if line and not line.startswith("#")]
    names = {line.split("{")[0].split(" ")[0] for line in page}
    aliases = exporters()[0].aliases.values()
    found = sum(alias.metric in names for alias in aliases)
    series = sum(len(family.samples) for family in lens.collect())
    return (
        f"RabbitMQ has {rabbit.run('erlang:system_info(process_count)')} processes. The lens gives {series} series; the page has "
        f"{len(page)}, and cannot be asked for fewer. Of the {len(aliases)} quantities that the alias table knows of this "
        f"exporter, {found} stand on it."
    )


# --- top of a crowd ---


def toolbox(lens: NodeLens) -> Toolbox:
    return Toolbox(BeamTools(lambda: [lens]).all())


def asked(tools: Toolbox, by: SortBy) -> ToolResult:
    """Ask for the top 10 as an investigation does.

    Raises:
        ValueError: there was no answer with 10 processes.

    """
    result = tools.call(_TOP, {"sort_by": by.value, "limit": 10})
    if result.status not in {ToolStatus.DATA, ToolStatus.TRUNCATED} or len(result.data["processes"]) != 10:
        raise ValueError(f"{_TOP} answered {result.status}: {result.note}")
    return result


def tops(folder: Path) -> list[Held]:
    """Ask a node with 100,000 processes for its top 10, each way of sorting in turns."""
    with crowded(folder / "crowd", _CROWD) as node, watched(node.address) as lens:
        tools = toolbox(lens)
        seen: dict[SortBy, list[Spent]] = {by: [] for by in SortBy}
        for _ in range(_ROUNDS):
            for by, each in seen.items():
                each.append(spent(lens.asks, node.pid, partial(asked, tools, by)))
        heading(f"Top 10 of {_CROWD:,} processes, {_ROUNDS} times each")
        head = ("sorted by", "ms, median", "from .. to", "reductions of the node", "by process", "its processor, ms", "ours, ms")
        print(table(head, [top_row(by.value, each, _CROWD) for by, each in seen.items()]), flush=True)
    return [
        (
            Target(f"top 10 of {_CROWD:,} by {by.value}, median ms", TOP_LIMIT, at_most=True),
            median_ms([one.seconds for one in each]),
        )
        for by, each in seen.items()
    ]


def top_row(name: str, seen: Sequence[Spent], processes: int) -> Row:
    seconds = sorted(each.seconds for each in seen)
    reductions = statistics.median(each.reductions for each in seen)
    span = f"{seconds[0] * 1e3:.0f} .. {seconds[-1] * 1e3:.0f}"
    return [
        name,
        number(median_ms(seconds), 0),
        span,
        f"{reductions:,.0f}",
        number(reductions / processes, 1),
        number(median_ms([each.cpu for each in seen]), 0),
        number(median_ms([each.own for each in seen]), 0),
    ]


# --- a million processes ---


def large(folder: Path) -> None:
    """Look at what a node with a million processes feels of the lens."""
    free = psutil.virtual_memory().available
    if free < _NEEDED:
        print(f"SKIPPED: {_LARGE:,} processes need {_NEEDED / 1e9:.0f} GB of memory, {free / 1e9:.1f} GB are free\n")
        return
    with crowded(folder / "large", _LARGE, "+P", "2000000") as node, watched(node.address) as lens:
        phases: list[tuple[str, Felt]] = []
        took: list[float] = []
        for _ in range(2):
            phases.append(("without", felt(node, _PHASE)))
            with collecting(lens, _EVERY) as seconds:
                phases.append((f"lens attached, collecting every {_EVERY:.0f} s", felt(node, _PHASE)))
            took += seconds
        lens.asks.call("erlang", "node")
        own, pid = os.getpid(), node.pid
        before = forget_peak(own), forget_peak(pid)
        with ThreadPoolExecutor(1) as pool:
            meanwhile = pool.submit(felt, node, _PHASE)
            cost, words = top_of_large(lens)
            phases.append((f"{_TOP} asked once", meanwhile.result()))
        after = peak(own), peak(pid)
        heading(f"{_LARGE:,} processes, stretches of {_PHASE} s in this order")
        head = ("", "reductions a second", "run queues, mean", "most", "timers late, ms, median", "99th percentile", "most")
        print(table(head, [felt_row(*phase) for phase in phases]))
        print(f"A collect took {', '.join(f'{each * 1e3:.1f}' for each in took)} ms. {words}")
        print(
            f"It took {cost:.1f} s, up to {(after[0] - before[0]) / 1e6:,.0f} MB more memory here and "
            f"{(after[1] - before[1]) / 1e6:,.0f} MB more on the node, which has {before[1] / 1e9:.1f} GB."
        )
        again = spent(lens.asks, pid, partial(toolbox(lens).call, _TOP, {"sort_by": "reductions"}))
        print(
            f"Asked again, by reductions and with nothing beside it: {again.seconds:.1f} s; {again.reductions:,.0f} reductions and "
            f"{again.cpu:.1f} s of processor on the node, {again.own:.1f} s of processor here.\n"
        )


def top_of_large(lens: NodeLens) -> tuple[float, str]:
    begun = time.perf_counter()
    result = toolbox(lens).call(_TOP, {"sort_by": "memory"})
    seconds = time.perf_counter() - begun
    rows = len(result.data["processes"]) if result.data else 0
    return seconds, f"{_TOP} answered *{result.status}* with {rows} processes ({result.note or 'no note'})."


def felt_row(name: str, each: Felt) -> Row:
    late = (number(seconds * 1e3) for seconds in (each.late, each.late_high, each.late_most))
    return [name, f"{each.reductions:,.0f}", number(each.queue, 3), number(each.queue_most, 0), *late]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="What the BEAM lens costs.")
    parser.add_argument("--without-large", action="store_true", help="leave out the node with a million processes")
    options = parser.parse_args(arguments)
    gc.freeze()  # as the program does: no garbage collection looks at what was imported
    print(provenance(" ".join(["python bench/beam.py", *arguments]), datetime.now(UTC)), flush=True)
    with tempfile.TemporaryDirectory(prefix="lens-beam-") as name:
        folder = Path(name)
        found = [*collects(folder), *tops(folder)]
        if not options.without_large:
            large(folder)
    heading("Against the limits")
    print(table(("", "limit", "measured", ""), [target.row(value) for target, value in found]))
    return int(any(not value <= target.aim for target, value in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
