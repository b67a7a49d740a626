"""Erlang nodes for bench/beam.py: with a crowd of processes, what an action costs them, and what is felt on them meanwhile."""

import re
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import psutil

from lens_exporter.lenses.beam.asks import Asks
from lens_exporter.lenses.beam.collect import NodeLens
from lens_exporter.lenses.beam.node import NodeClient
from lens_exporter.lenses.beam.opening import Address
from lens_exporter.lenses.beam.terms import Atom
from tests.servers.erlang import COOKIE, ErlangNode

# Every 10 ms: how much waits in all run queues, and how many microseconds too late the one who asks was woken.
_SAMPLE = """
Loop = fun Again(End, Seen) ->
  Asked = erlang:monotonic_time(microsecond), timer:sleep(10), Now = erlang:monotonic_time(microsecond),
  More = [{erlang:statistics(total_run_queue_lengths_all), Now - Asked - 10000} | Seen],
  if Now < End -> Again(End, More); true -> More end end,
Begun = erlang:monotonic_time(microsecond), {Before, _} = erlang:statistics(reductions),
Samples = Loop(Begun + $SECONDS * 1000000, []),
{After, _} = erlang:statistics(reductions),
{After - Before, erlang:monotonic_time(microsecond) - Begun, Samples}
"""


@dataclass(frozen=True, slots=True)
class Felt:
    """A stretch of a node's life: reductions a second, the run queues' mean and most, lateness of timers in seconds."""

    reductions: float
    queue: float
    queue_most: float
    late: float  # median
    late_high: float  # 99th percentile
    late_most: float


@dataclass(frozen=True, slots=True)
class Spent:
    """What an action took: seconds; reductions and processor seconds of the node, less what it does by itself meanwhile; ours."""

    seconds: float
    reductions: float
    cpu: float
    own: float  # processor seconds of this process


@contextmanager
def crowded(folder: Path, count: int, *flags: str) -> Iterator[ErlangNode]:
    """Run a node with so many processes that sleep."""
    with ErlangNode(folder, name="bench@127.0.0.1", flags=flags) as node:
        if count:
            node.run(f"[spawn(timer, sleep, [infinity]) || _ <- lists:seq(1, {count})], ok", timeout=120)
        yield node


@contextmanager
def watched(address: Address) -> Iterator[NodeLens]:
    """Connect to a node as the lens does, and hang up at the end."""
    client = NodeClient(address, lambda: COOKIE)
    try:
        yield NodeLens(client)
    finally:
        client.close()


def felt(node: ErlangNode, seconds: int) -> Felt:
    """Let the node itself look at how it fares for so long."""
    said = node.run(_SAMPLE.replace("$SECONDS", str(seconds)), timeout=seconds + 60)
    reductions, took, *samples = [int(word) for word in re.findall(r"-?\d+", said)]
    queues, late = samples[::2], sorted(each / 1e6 for each in samples[1::2])
    high = late[int(len(late) * 0.99)]
    return Felt(reductions / took * 1e6, statistics.mean(queues), max(queues), statistics.median(late), high, late[-1])


def spent(asks: Asks, pid: int, action: Callable[[], object]) -> Spent:
    """Do something to a node, then nothing for as long, and give the difference."""
    busy = _stretch(asks, pid, action)
    idle = _stretch(asks, pid, lambda: time.sleep(busy.seconds))
    return Spent(busy.seconds, busy.reductions - idle.reductions, busy.cpu - idle.cpu, busy.own - idle.own)


def _stretch(asks: Asks, pid: int, action: Callable[[], object]) -> Spent:
    before, cpu, own, begun = _reductions(asks), _cpu(pid), time.process_time(), time.perf_counter()
    action()
    seconds, own = time.perf_counter() - begun, time.process_time() - own
    return Spent(seconds, _reductions(asks) - before, _cpu(pid) - cpu, own)


def _reductions(asks: Asks) -> int:
    match asks.call("erlang", "statistics", Atom("reductions")):
        case (int(total), int()):
            return total
        case other:
            raise ValueError(f"erlang:statistics(reductions) answered {other!r}")


def _cpu(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


@contextmanager
def collecting(lens: NodeLens, every: float) -> Iterator[list[float]]:
    """Collect at once and then every so many seconds until the end of the block; the list grows by the seconds of each collect."""
    over, took = Event(), list[float]()

    def collect() -> None:
        while True:
            begun = time.perf_counter()
            list(lens.collect())
            took.append(time.perf_counter() - begun)
            if over.wait(every):
                return

    thread = Thread(target=collect, daemon=True)
    thread.start()
    try:
        yield took
    finally:
        over.set()
        thread.join()


def forget_peak(pid: int) -> float:
    """Begin to look for a process's largest memory anew; give its resident bytes now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return float(psutil.Process(pid).memory_info().rss)


def peak(pid: int) -> float:
    """Give the largest resident bytes since forget_peak."""
    rows = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(rows["VmHWM"].split()[0]) * 1024.0
