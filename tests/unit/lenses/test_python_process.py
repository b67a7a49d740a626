"""One process as the kernel shows it, from fixture trees."""

from pathlib import Path

import pytest

from lens_exporter.errors import LensUnavailable
from lens_exporter.lenses.python.outside import ProcessLens
from lens_exporter.lenses.python.process import ProcessReader, count_descriptors
from tests.unit.lenses.samples import values
from tests.unit.lenses.trees import CONTAINER, GIB, HOST, LIMITS, MIB, V2, Hand, plant, process, stat_line


def reader(root, count=lambda path: len(list(path.iterdir()))) -> ProcessReader:
    return ProcessReader(proc=root / "proc", sys=root / "sys", ticks=100, page=4096, count=count)


def test_reading(tmp_path):
    """Memory against the host, descriptors against the soft limit, threads against the kernel's, times in seconds."""
    seen = reader(plant(tmp_path, {**HOST, **process("7", name="my (odd) name")})).read("7")
    assert (seen.memory.used, seen.memory.limit, seen.memory_limit_source) == (10 * MIB, 8 * GIB, "host")
    assert (seen.open_fds.used, seen.open_fds.limit) == (3, 1024)
    assert (seen.threads.used, seen.threads.limit) == (4, 4000)
    assert seen.cpu_seconds == 2.5
    assert seen.started_at == 1795190201 + 50


def test_lowest_memory_limit(tmp_path):
    """Of host, cgroup and address space limit the lowest holds, whichever it is."""
    files = {**V2, **process("7", cgroup="0::/work.slice/api.service\n")}
    seen = reader(plant(tmp_path, files)).read("7")
    assert (seen.memory.limit, seen.memory_limit_source) == (1000 * MIB, "cgroup")
    assert seen.threads.limit == 100
    limits = LIMITS.replace("Max address space         unlimited", f"Max address space         {200 * MIB}")
    seen = reader(plant(tmp_path, {"proc/7/limits": limits})).read("7")
    assert (seen.memory.limit, seen.memory_limit_source) == (200 * MIB, "rlimit")


def test_unlimited_descriptors(tmp_path):
    """Without a limit there is no ratio; the count stays."""
    limits = LIMITS.replace("Max open files            1024 ", "Max open files            unlimited ")
    seen = reader(plant(tmp_path, {**HOST, **process("7"), "proc/7/limits": limits})).read("7")
    assert (seen.open_fds.used, seen.open_fds.limit, seen.open_fds.ratio) == (3, None, None)


def test_process_of_another_user(tmp_path):
    """Descriptors that may not be seen are unknown, not zero; the rest is shown."""

    def denied(path):
        raise PermissionError(13, "Permission denied")

    seen = reader(plant(tmp_path, {**HOST, **process("7")}), denied).read("7")
    assert seen.open_fds.used is None
    assert seen.memory.used == 10 * MIB


@pytest.mark.parametrize(("state", "reason"), [("Z", "has exited"), ("X", "has exited"), (None, "does not exist")])
def test_no_process(tmp_path, state, reason):
    """A zombie is no process any more, whatever numbers the kernel still shows."""
    root = plant(tmp_path, {**HOST, **(process("7", state=state) if state else {})})
    with pytest.raises(LensUnavailable, match=reason):
        reader(root).read("7")


@pytest.mark.parametrize("after", [None, stat_line(7, start=9999), stat_line(7, state="Z")])
def test_process_that_ends_while_it_is_read(tmp_path, after):
    """A process that ends between two files is gone: its limits must not seem to have changed."""
    root = plant(tmp_path, {**HOST, **process("7")})

    def end(path):
        (root / "proc/7/stat").unlink()
        if after:
            (root / "proc/7/stat").write_text(after)
        raise FileNotFoundError

    with pytest.raises(LensUnavailable):
        reader(root, end).read("7")


def test_descriptors_of_this_process():
    """The count of this process's descriptors rises by the files it opens."""
    own, null = Path("/proc/self/fd"), Path("/dev/null")
    before = count_descriptors(own)
    with null.open(), null.open():
        assert count_descriptors(own) == before + 2


def outside(root, clock=None, **which) -> ProcessLens:
    return ProcessLens("api", reader=reader(root), clock=clock or Hand(), **which)


def test_one_match_has_no_pid_label(tmp_path):
    """A single process is known by its name alone, so that its series go on after a restart."""
    root = plant(tmp_path, {**HOST, **process("7"), **process("8", command="bash\0")})
    seen = values(outside(root, match=r"app\.py").collect())
    assert seen['lens_python_memory_used_bytes{process="api"}'] == 10 * MIB
    assert seen['lens_python_processes{process="api"}'] == 1
    assert any(name.startswith("lens_python_info") and 'pid="7"' in name for name in seen)
    assert not [name for name in seen if "gc" in name or "allocated" in name or "lag" in name]


def test_several_matches_are_told_apart(tmp_path):
    """Of several processes every sample carries the pid."""
    root = plant(tmp_path, {**HOST, **process("7"), **process("9", pages=1)})
    seen = values(outside(root, match=r"app\.py").collect())
    assert seen['lens_python_memory_used_bytes{pid="7",process="api"}'] == 10 * MIB
    assert seen['lens_python_memory_used_bytes{pid="9",process="api"}'] == 4096
    assert 'lens_python_memory_used_bytes{process="api"}' not in seen


def test_interpreters_win_over_what_only_names_the_program(tmp_path):
    """A shell or an editor with the program's name in its command line is not the program."""
    shell = process("6", command="sh\0-c\0python app.py\0")
    root = plant(tmp_path, {**HOST, **shell, **process("7", command="/usr/bin/python3\0app.py\0")})
    assert outside(root, match=r"app\.py").pids() == (7,)
    assert outside(root, match="sh -c").pids() == (6,)


def test_restart_is_found(tmp_path):
    """When the known process is gone it is searched again, but not at every scrape."""
    root, clock = plant(tmp_path, {**HOST, **process("7")}), Hand()
    lens = outside(root, clock, match=r"app\.py")
    list(lens.collect())
    (root / "proc/7/stat").unlink()
    (root / "proc/7/cmdline").unlink()
    plant(tmp_path, process("12"))
    with pytest.raises(LensUnavailable, match="no process matches"):
        list(lens.collect())  # searched a moment ago
    clock.now += 6
    seen = values(lens.collect())
    assert any('pid="12"' in name for name in seen)


def test_new_worker_is_found(tmp_path):
    """A process that appears beside the known one is found within half a minute."""
    root, clock = plant(tmp_path, {**HOST, **process("7")}), Hand()
    lens = outside(root, clock, match=r"app\.py")
    assert values(lens.collect())['lens_python_processes{process="api"}'] == 1
    plant(tmp_path, process("12"))
    clock.now += 31
    assert values(lens.collect())['lens_python_processes{process="api"}'] == 2


def test_reused_pid(tmp_path):
    """A configured pid that went to another process is not published under the old name."""
    root = plant(tmp_path, {**HOST, **process("7")})
    lens = outside(root, pid=7)
    list(lens.collect())
    plant(tmp_path, process("7", start=999999))
    with pytest.raises(LensUnavailable, match="no process with pid 7"):
        list(lens.collect())


def test_container_limit_of_another_process(tmp_path):
    """A process outside of our cgroup namespace has no cgroup limit that could be read; the host's holds."""
    files = {**CONTAINER, **process("7", cgroup="0::/../other.service\n")}
    seen = reader(plant(tmp_path, files)).read("7")
    assert seen.memory_limit_source == "host"


def test_pid_or_match():
    """A process is given by pid or by pattern, not by both or neither."""
    with pytest.raises(ValueError, match="either"):
        ProcessLens("api")
    with pytest.raises(ValueError, match="either"):
        ProcessLens("api", pid=1, match="x")
