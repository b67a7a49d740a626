"""The golden /metrics pages: what the lenses publish for known readings. LENS_UPDATE_GOLDEN=1 writes them anew."""

import gc
import os
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from lens_exporter.config.beam import Beam
from lens_exporter.lenses.beam.collect import NodeLens
from lens_exporter.lenses.beam.discovery import Found
from lens_exporter.lenses.beam.lens import BeamLens
from lens_exporter.lenses.beam.memory_limit import MemoryLimits
from lens_exporter.lenses.beam.terms import Atom
from lens_exporter.lenses.emission import Usage
from lens_exporter.lenses.here import Here
from lens_exporter.lenses.host.collect import HostLens
from lens_exporter.lenses.python.collect import PythonProcess
from lens_exporter.lenses.python.gc_pauses import GcPauses
from lens_exporter.lenses.python.outside import ProcessLens
from lens_exporter.lenses.python.process import Process, ProcessReader
from lens_exporter.lenses.runner import LensCollector
from tests.recordings.beam import NO_BROKER, RecordedNode
from tests.unit.lenses.trees import HOST, MIB, V2, Hand, filled, plant, process

GOLDEN = Path(__file__).parent


def compare(name: str, lenses: list, scrapes: int = 1) -> None:
    registry = CollectorRegistry()
    registry.register(LensCollector(lenses, clock=Hand(), deadline=60))
    page = b""
    for _ in range(scrapes):
        page = generate_latest(registry)
    path = GOLDEN / name
    if os.environ.get("LENS_UPDATE_GOLDEN"):
        path.write_bytes(page)
    assert page.decode() == path.read_text()


def test_host_page(tmp_path):
    """A service in a limited slice, with disks of which one does not answer, at its second scrape."""
    root = plant(tmp_path, V2)
    clock = Hand()

    def measure(path: str):
        if path == "/mnt/nas":
            raise TimeoutError
        return filled(1000, 400)

    lens = HostLens(proc=root / "proc", sys=root / "sys", measure=measure, clock=clock, ticks=100)
    list(lens.collect())
    clock.now += 60
    (root / "proc/stat").write_text(V2["proc/stat"].replace("cpu  1000", "cpu  4000"))
    (root / "sys/fs/cgroup/work.slice/cpu.stat").write_text("usage_usec 171000000\nthrottled_usec 3000000\n")
    compare("host.prom", [lens])


def test_python_page(monkeypatch):
    """A program with a collector that paused twice."""
    pauses = GcPauses(clock=iter([0.5, 0.503, 1.0, 1.2]).__next__)
    seen = Process(Usage(250.0 * MIB, 1000.0 * MIB), "cgroup", Usage(61, 1024), Usage(18, 4000), 12.5, 1795190201.0)
    lens = PythonProcess("checkout", read=lambda: seen, pauses=pauses, where=lambda: Here("api-7", "pid:[4026531836]"))
    # What this interpreter is and does is not the page's subject.
    monkeypatch.setattr("os.getpid", lambda: 4211)
    monkeypatch.setattr("sys.getallocatedblocks", lambda: 88173)
    monkeypatch.setattr("platform.python_version", lambda: "3.11.7")
    told = [{"collections": 46, "collected": 1, "uncollectable": 0}] * 3
    monkeypatch.setattr("gc.get_stats", lambda: told)
    gc.disable()
    try:
        lens.start()
        for generation in (0, 2):
            pauses("start", {"generation": generation})
            pauses("stop", {"generation": generation})
        compare("python.prom", [lens])
    finally:
        lens.close()
        gc.enable()


@pytest.mark.parametrize("count", [2])
def test_processes_page(tmp_path, count):
    """Two workers from outside, and one other process: every family stands once, with equal label names."""
    files = dict(HOST)
    for pid in range(7, 7 + count):
        files |= process(str(pid), command="python\0worker.py\0", fds=pid)
    root = plant(tmp_path, {**files, **process("20", command="python\0web.py\0")})
    reader = ProcessReader(proc=root / "proc", sys=root / "sys", ticks=100, page=4096, count=lambda path: len(list(path.iterdir())))
    where = lambda: Here("api-7", "pid:[4026531836]")  # noqa: E731
    workers = ProcessLens("worker", match=r"worker\.py", reader=reader, where=where, clock=Hand())
    web = ProcessLens("web", pid=20, reader=reader, where=where, clock=Hand())
    compare("processes.prom", [workers, web])


def test_beam_page():
    """A RabbitMQ that times its schedulers, and a node beside it that does not, at their second scrape: each family stands once.

    The first was named in the configuration, the other by an EPMD; a DNS cannot be asked.
    """
    clock, times = Hand(), "erlang:statistics(scheduler_wall_time_all)"
    rabbit = RecordedNode("rabbit@mq1")
    other = RecordedNode("shop@app1", {**NO_BROKER, times: Atom("undefined")})
    lenses = [
        NodeLens(rabbit, limits=MemoryLimits(hostname=lambda: "lens-1"), clock=clock),
        NodeLens(other, limits=MemoryLimits(64 * MIB), clock=clock),
    ]
    for lens in lenses:
        list(lens.collect())
    clock.now += 60
    told = rabbit.call("erlang", "statistics", Atom("scheduler_wall_time_all"))
    rabbit.changed[times] = [(number, active + 5 * (number % 3), total + 20) for number, active, total in told]
    named = Beam(nodes=(rabbit.name,), cookie_env="COOKIE")
    found = [Found("nodes", named.nodes), Found("epmd app1", (other.name,)), Found("dns shop@shop", (), "try again")]
    clients = {rabbit.name: rabbit, other.name: other}
    nodes = BeamLens([named], lambda name, _: clients[name], lambda _: [(named, each) for each in found])
    compare("beam.prom", [nodes, *lenses])
