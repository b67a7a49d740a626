"""The live tools: typed, bounded, honest about what they cannot see."""

import os
import socket
import tempfile
import tracemalloc
from contextlib import ExitStack

import pytest
from pydantic import ValidationError

from lens_exporter.config.settings import Lenses
from lens_exporter.lenses.catalog import build, close, toolbox
from lens_exporter.lenses.here import Here
from lens_exporter.lenses.host.collect import HostLens
from lens_exporter.lenses.host.processes import Row, SortBy, ranked, read_processes
from lens_exporter.lenses.host.tools import DiskUsage, HostTools, TopProcesses
from lens_exporter.lenses.locality import Locality, Where
from lens_exporter.lenses.python.collect import PythonProcess
from lens_exporter.lenses.python.open_files import grouped
from lens_exporter.lenses.python.sockets import Connection, summarise
from lens_exporter.lenses.python.tools import PythonTools, Which, WhichAndLimit
from lens_exporter.model.tool import ToolResult, ToolStatus
from tests.unit.lenses.trees import CONTAINER, GIB, HOST, MIB, Hand, filled, plant

API_7 = Locality(Here("api-7", "pid:[1]"))


def rows(count: int) -> list[Row]:
    return [Row(pid, "p", "p", pid * 1000, 1.0, None, None, 2, 100.0) for pid in range(1, count + 1)]


def host_tools(root, processes=lambda by: ranked(rows(120), by)):
    disks = {"/": filled(1000, 500), "/srv/my data": filled(1000, 100)}
    lens = HostLens(proc=root / "proc", sys=root / "sys", measure=disks.get, clock=Hand(), ticks=100)
    tools = HostTools(lens, where=lambda: API_7, processes=processes, clock=lambda: 1795190301.0)
    return {tool.name: tool for tool in tools.all()}


def ask(tools, name, **arguments) -> ToolResult:
    tool = tools[name]
    return tool.call(tool.arguments(**arguments))


def test_overview(tmp_path):
    """The overview gives the very numbers of the metrics page, under their series' names."""
    told = ask(host_tools(plant(tmp_path, HOST)), "get_overview")
    assert told.status is ToolStatus.DATA
    assert told.seen['lens_host_memory_utilization_ratio{source="host"}'] == 0.75


def test_system_info(tmp_path):
    """The host's size and age, and the quota around lens-exporter."""
    told = ask(host_tools(plant(tmp_path, CONTAINER)), "get_system_info")
    assert told.seen == {
        "cores": 2,
        "memory_bytes": 8 * GIB,
        "booted_at": 1795190201,
        "uptime_seconds": 100,
        "cgroup_cpu_cores": 0.5,
    }


def test_memory_stats(tmp_path):
    """Where memory went, the limits around, and kills by the kernel."""
    told = ask(host_tools(plant(tmp_path, CONTAINER)), "get_memory_stats")
    assert told.seen["MemTotal_bytes"] == 8 * GIB
    assert told.seen["oom_kills"] == 3
    assert told.seen["cgroup0_used"] == 256 * MIB
    assert "Shmem_bytes" not in told.seen  # this kernel's file has no such line


def test_top_processes_pages(tmp_path):
    """Pages are bounded, echo what was asked, and say what is left; behind the end is empty and not an error."""
    tools = host_tools(plant(tmp_path, HOST))
    first = ask(tools, "get_top_processes")
    assert first.status is ToolStatus.TRUNCATED
    assert [row["pid"] for row in first.data["processes"]] == list(range(120, 110, -1))
    assert (first.data["total"], first.data["limit"], first.data["offset"]) == (120, 10, 0)
    assert first.seen["pid:120:memory_bytes"] == 120_000
    assert "offset 10" in first.note
    last = ask(tools, "get_top_processes", limit=50, offset=100)
    assert last.status is ToolStatus.DATA
    assert len(last.data["processes"]) == 20
    assert ask(tools, "get_top_processes", offset=500).status is ToolStatus.EMPTY
    with pytest.raises(ValidationError):
        TopProcesses(limit=51)


def test_top_processes_unknown_last():
    """A process whose descriptors may not be seen comes last, not first and not as zero."""
    known, unknown = rows(2)
    found = ranked(
        [unknown, Row(**{name: getattr(known, name) for name in known.__slots__} | {"open_files": 1})], SortBy.DESCRIPTORS
    )
    assert [row.open_files for row in found] == [1, None]


@pytest.mark.parametrize("by", list(SortBy))
def test_real_processes(by):
    """Every ranking reads this machine and finds this process in it."""
    found = {row.pid: row for row in read_processes(by, sleep=lambda seconds: None)}
    assert os.getpid() in found
    assert (found[os.getpid()].open_files is not None) == (by is SortBy.DESCRIPTORS)
    assert (found[os.getpid()].cpu_cores is not None) == (by is SortBy.CPU)


def test_disk_usage(tmp_path):
    """Each file system with its space; one that is asked for by name alone."""
    tools = host_tools(plant(tmp_path, HOST))
    assert ask(tools, "get_disk_usage").seen["/srv/my data:used"] == 900 * 4096
    only = ask(tools, "get_disk_usage", mountpoint="/")
    assert [row["mountpoint"] for row in only.data["file_systems"]] == ["/"]
    assert ask(tools, "get_disk_usage", mountpoint="/nowhere").status is ToolStatus.EMPTY
    with pytest.raises(ValidationError):
        DiskUsage(mountpoint="x" * 5000)


def test_another_host_is_never_looked_up(tmp_path):
    """No tool of either lens answers for a host, instance or pid namespace that is not this one."""
    tools = host_tools(plant(tmp_path, HOST)) | python_tools()
    for name in tools:
        for asked in ({"hostname": "api-8"}, {"instance": "api-8:9000"}, {"instance": "10.1.2.3:1"}):
            told = ask(tools, name, **asked)
            assert told.status is ToolStatus.UNAVAILABLE, name
            assert "api-7" in told.note
            assert not told.seen
    told = ask(tools, "get_process", pid=os.getpid(), pid_namespace="pid:[2]")
    assert told.status is ToolStatus.UNAVAILABLE
    assert "another container" in told.note


def python_tools(named=None):
    return {tool.name: tool for tool in PythonTools(PythonProcess("lens"), named or {}, where=lambda: API_7).all()}


def test_open_files_of_a_leak():
    """A thousand leaked files become one pattern with a count, next to the total that the metric shows."""
    with ExitStack() as leak:
        folder = leak.enter_context(tempfile.TemporaryDirectory())
        for _ in range(100):
            leak.enter_context(tempfile.NamedTemporaryFile(prefix="export-", suffix=".csv", dir=folder))
        told = ask(python_tools(), "get_open_files", process="lens")
    pattern = next(row for row in told.data["patterns"] if row["count"] == 100)
    assert pattern["pattern"].endswith("/export-*.csv")
    assert told.seen[f"pattern:{pattern['pattern']}"] == 100
    assert told.seen["open_files"] > 100
    assert told.data["pid"] == os.getpid()
    assert told.data["hostname"] == "api-7"


def test_patterns():
    """Numbers, digests, UUIDs and made-up names vary; a word does not; deleted files are counted."""
    found = grouped(
        [
            "/tmp/export-1.csv",
            "/tmp/export-22.csv (deleted)",
            "/var/lib/x/0f8fad5b-d9cb-469f-a165-70867728950e/data",
            "/var/lib/x/7c9e6679-7425-40de-944b-e07fc1f90ae7/data",
            "/etc/hosts",
            "socket:[123]",
            "socket:[124]",
            "pipe:[1]",
            "anon_inode:[eventpoll]",
            "/dev/null",
            *(f"/logs/{name}.log" for name in ("a", "b", "c", "d", "e", "f")),
        ]
    )
    assert {group.pattern: group.count for group in found.groups} == {
        "/logs/*.log": 6,
        "/tmp/export-*.csv": 2,
        "/var/lib/x/*/data": 2,
        "/etc/hosts": 1,
    }
    assert found.kinds == {"files": 11, "sockets": 2, "pipes": 1, "other": 1, "devices": 1}
    assert (found.total, found.deleted) == (16, 1)


def test_sockets_by_direction():
    """Of connections to a port it serves the other side's port says nothing; of its own connections it does."""
    found = summarise(
        [
            Connection("LISTEN", ("0.0.0.0", 80), None),
            Connection("ESTABLISHED", ("10.0.0.7", 80), ("10.0.0.9", 50001)),
            Connection("ESTABLISHED", ("10.0.0.7", 80), ("10.0.0.9", 50002)),
            Connection("CLOSE_WAIT", ("10.0.0.7", 40001), ("10.0.0.5", 5432)),
            Connection("NONE", ("0.0.0.0", 53), None),
        ]
    )
    assert found.incoming == {"10.0.0.9": 2}
    assert found.outgoing == {"10.0.0.5:5432": 1}
    assert found.states == {"LISTEN": 1, "ESTABLISHED": 2, "CLOSE_WAIT": 1, "NONE": 1}


def test_a_process_is_found_by_its_port():
    """An instance label names the process that serves its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        instance = f"127.0.0.1:{server.getsockname()[1]}"
        told = ask(python_tools(), "get_sockets", instance=instance)
        assert told.data["pid"] == os.getpid()
        assert instance in told.data["listening"]
    assert ask(python_tools(), "get_sockets", instance=instance).status is ToolStatus.EMPTY


def test_names():
    """A name is looked up among configured ones first; many, none and no question at all have answers that help."""
    tools = python_tools({"api": lambda: (11, 12), "one": lambda: (os.getpid(),)})
    assert ask(tools, "get_process", process="one").data["pid"] == os.getpid()
    many = ask(tools, "get_process", process="api")
    assert many.status is ToolStatus.ERROR
    assert "11, 12" in many.note
    none = ask(tools, "get_process", process="no such program \x1b[31m")
    assert none.status is ToolStatus.EMPTY
    assert "\x1b" not in none.note
    assert ask(tools, "get_process").status is ToolStatus.ERROR


def test_process_that_is_gone():
    """A pid that does not run is an empty answer."""
    told = ask(python_tools(), "get_process", pid=2**22 + 1)
    assert told.status is ToolStatus.EMPTY
    assert "does not run on api-7" in told.note


def test_process():
    """A process shows its numbers next to their limits."""
    told = ask(python_tools(), "get_process", pid=os.getpid())
    assert told.seen["memory_bytes"] > 1e6
    assert 0 < told.seen["open_files"] < told.seen["open_files_limit"]
    assert told.data["command"]


@pytest.mark.parametrize("name", ["get_thread_stacks", "get_gc_stats", "get_tracemalloc_top"])
def test_inside_of_another_process(name):
    """What only the process itself knows is unavailable for others, and it is said how to get it."""
    told = ask(python_tools(), name, pid=1)
    assert told.status is ToolStatus.UNAVAILABLE
    assert "lens_exporter.instrument()" in told.note


def test_thread_stacks_and_gc():
    """The own process shows where its threads stand and what its collector did."""
    stacks = ask(python_tools(), "get_thread_stacks", process="lens")
    assert stacks.seen["threads"] >= 1
    assert any("test_live_tools.py" in frame for stack in stacks.data["stacks"] for frame in stack["frames"])
    collector = ask(python_tools(), "get_gc_stats", process="lens")
    assert collector.seen["generation0_collections"] >= 0
    assert collector.seen["allocated_blocks"] > 0


def test_tracemalloc_top():
    """Off it is unavailable and says how to switch it on; on it is bounded."""
    tools = python_tools()
    off = ask(tools, "get_tracemalloc_top", process="lens")
    assert (off.status, "PYTHONTRACEMALLOC" in off.note) == (ToolStatus.UNAVAILABLE, True)
    tracemalloc.start()
    try:
        kept = bytearray(1_000_000)
        told = ask(tools, "get_tracemalloc_top", process="lens", limit=3)
    finally:
        tracemalloc.stop()
    assert len(told.data["top"]) <= 3
    assert told.seen["traced_bytes"] >= len(kept)


def test_arguments_are_closed():
    """Unknown and senseless arguments are refused by the models, which also tell a client what there is."""
    for wrong in ({"pid": 0}, {"shell": "ls"}, {"pid": "x"}):
        with pytest.raises(ValidationError):
            Which(**wrong)
    with pytest.raises(ValidationError):
        WhichAndLimit(limit=1000)
    assert {"instance", "hostname"} <= Where.model_json_schema()["properties"].keys()


def test_one_toolbox():
    """The tools of all lenses live in one toolbox: each name once, each with a description and read-only by nature."""
    settings = Lenses.model_validate({"python_processes": [{"name": "api", "pid": os.getpid()}]})
    lenses = build(settings)
    try:
        tools = toolbox(lenses)
        names = [tool.name for tool in tools]
        assert len(names) == len(set(names))
        assert {"get_overview", "get_top_processes", "get_open_files", "get_thread_stacks", "get_sockets"} <= set(names)
        assert all(name.startswith("get_") for name in names)
        assert all(tool.description and not tool.repeatable for tool in tools)
        by_name = {tool.name: tool for tool in tools}
        assert ask(by_name, "get_process", process="api").data["pid"] == os.getpid()
    finally:
        close(lenses)
