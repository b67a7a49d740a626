"""The host lens over trees of hosts one may meet."""

import os
import threading
from pathlib import Path

import pytest

from lens_exporter.errors import LensUnavailable
from lens_exporter.lenses.host.collect import HostLens
from lens_exporter.lenses.host.disks import Disks
from tests.unit.lenses.samples import values
from tests.unit.lenses.trees import CONTAINER, GIB, HOST, MIB, UNLIMITED_V1, V1, V2, Hand, filled, plant


def lens(root: Path, clock: Hand | None = None) -> HostLens:
    disks = {
        "/": filled(1000, 500),
        "/srv/my data": filled(1000, 100),
        "/mnt/nas": filled(10, 10, files=0),
        "/tmp": filled(256, 256),
    }
    return HostLens(proc=root / "proc", sys=root / "sys", measure=disks.get, clock=clock or Hand(), ticks=100)


def read(root: Path) -> dict[str, float]:
    return values(lens(root).collect())


def test_plain_host(tmp_path):
    """A machine without cgroups is measured against itself, and what is reclaimable is not use."""
    seen = read(plant(tmp_path, HOST))
    assert seen['lens_host_memory_used_bytes{source="host"}'] == 6 * GIB
    assert seen['lens_host_memory_limit_bytes{source="host"}'] == 8 * GIB
    assert seen['lens_host_memory_utilization_ratio{source="host"}'] == 0.75
    assert seen['lens_host_swap_utilization_ratio{source="host"}'] == 0.5
    assert seen['lens_host_cpu_seconds_total{source="host"}'] == 17.0  # all but idle and iowait
    assert seen['lens_host_cpu_limit_cores{source="host"}'] == 2
    assert seen["lens_host_open_files_utilization_ratio"] == pytest.approx(0.00655)
    assert seen['lens_host_threads_utilization_ratio{source="host"}'] == 0.1  # threads-max is the lower limit
    assert seen['lens_host_load_per_cpu{window="5m"}'] == 0.25
    assert seen['lens_host_pressure_ratio{kind="some",resource="io",source="host"}'] == 0.25
    assert 'lens_host_pressure_ratio{kind="full",resource="cpu",source="host"}' not in seen
    assert not [name for name in seen if 'source="cgroup"' in name]
    assert {seen[name] for name in seen if name.startswith("lens_host_part_up")} == {1.0}


def test_disks(tmp_path):
    """Each file system that can fill up is shown once; space kept for root is neither used nor free."""
    seen = read(plant(tmp_path, HOST))
    root = 'device="/dev/vda",fstype="ext4",mountpoint="/"'
    assert seen[f"lens_host_disk_used_bytes{{{root}}}"] == 500 * 4096
    assert seen[f"lens_host_disk_limit_bytes{{{root}}}"] == 950 * 4096
    assert seen[f"lens_host_inodes_utilization_ratio{{{root}}}"] == 0.1
    mounted = sorted(name.partition('mountpoint="')[2] for name in seen if name.startswith("lens_host_disk_readable"))
    assert mounted == ['/"}', '/mnt/nas"}', '/srv/my data"}', '/tmp"}']
    assert not [name for name in seen if name.startswith("lens_host_inodes") and "nas" in name]  # it has no fixed number


def test_limits_of_cgroup_2(tmp_path):
    """Every level limits: the fullest memory and pids, the tightest quota; the working set leaves inactive file pages out."""
    seen = read(plant(tmp_path, V2))
    assert seen['lens_host_memory_used_bytes{source="cgroup"}'] == 1900 * MIB
    assert seen['lens_host_memory_limit_bytes{source="cgroup"}'] == 2000 * MIB
    assert seen['lens_host_memory_used_bytes{source="host"}'] == 6 * GIB
    assert seen['lens_host_threads_utilization_ratio{source="cgroup"}'] == 0.5
    assert seen['lens_host_cpu_limit_cores{source="cgroup"}'] == 1.5
    assert seen['lens_host_cpu_seconds_total{source="cgroup"}'] == 90
    assert seen['lens_host_cpu_throttled_seconds_total{source="cgroup"}'] == 2.5
    assert seen['lens_host_pressure_ratio{kind="full",resource="memory",source="cgroup"}'] == 0.05
    assert 'lens_host_swap_used_bytes{source="cgroup"}' not in seen  # max is no limit


def test_working_set(tmp_path):
    """A container's root group is its limit, and inactive file pages are not use."""
    seen = read(plant(tmp_path, CONTAINER))
    assert seen['lens_host_memory_used_bytes{source="cgroup"}'] == 256 * MIB
    assert seen['lens_host_memory_utilization_ratio{source="cgroup"}'] == 0.5
    assert seen['lens_host_cpu_limit_cores{source="cgroup"}'] == 0.5
    assert 'lens_host_threads_used{source="cgroup"}' not in seen


def test_limits_of_cgroup_1(tmp_path):
    """Version 1 without a namespace is found below the part of the tree that is mounted."""
    seen = read(plant(tmp_path, V1))
    assert seen['lens_host_memory_utilization_ratio{source="cgroup"}'] == 0.25
    assert seen['lens_host_threads_utilization_ratio{source="cgroup"}'] == 0.1
    assert seen['lens_host_cpu_limit_cores{source="cgroup"}'] == 2
    assert seen['lens_host_cpu_seconds_total{source="cgroup"}'] == 7
    assert seen['lens_host_cpu_throttled_seconds_total{source="cgroup"}'] == 0.5


def test_no_limit_written_as_a_number(tmp_path):
    """Limits near 2^63 are none: no cgroup series, and open files without a limit or a ratio."""
    seen = read(plant(tmp_path, UNLIMITED_V1))
    assert not [name for name in seen if 'source="cgroup"' in name]
    assert seen["lens_host_open_files_used"] == 655
    assert "lens_host_open_files_limit" not in seen
    assert "lens_host_open_files_utilization_ratio" not in seen


def test_limit_above_the_machine(tmp_path):
    """A memory limit larger than the machine limits nothing."""
    files = {**CONTAINER, "sys/fs/cgroup/memory.max": f"{9 * GIB}\n"}
    assert 'lens_host_memory_limit_bytes{source="cgroup"}' not in read(plant(tmp_path, files))


def test_no_swap_and_no_pressure(tmp_path):
    """What a host does not have is absent, never zero, and nothing is wrong with it."""
    files = {name: text for name, text in HOST.items() if not name.startswith("proc/pressure")}
    files["proc/meminfo"] = "MemTotal: 8 kB\nMemAvailable: 4 kB\n"
    seen = read(plant(tmp_path, files))
    assert not [name for name in seen if "swap" in name or "pressure_ratio" in name]
    assert seen['lens_host_part_up{part="pressure"}'] == 1
    assert seen['lens_host_part_up{part="memory"}'] == 1


@pytest.mark.parametrize("broken", ["", "garbage", "MemTotal: many kB", "\0\xff"])
def test_a_broken_part_costs_itself(tmp_path, broken):
    """A file that is not of its form takes down its own part only."""
    seen = read(plant(tmp_path, {**HOST, "proc/meminfo": broken}))
    assert seen['lens_host_part_up{part="memory"}'] == 0
    assert seen['lens_host_part_up{part="cpu"}'] == 1
    assert not [name for name in seen if name.startswith("lens_host_memory")]


def test_missing_file(tmp_path):
    """A host without loadavg still shows its memory."""
    files = {name: text for name, text in HOST.items() if name != "proc/loadavg"}
    seen = read(plant(tmp_path, files))
    assert seen['lens_host_part_up{part="load"}'] == 0
    assert seen['lens_host_part_up{part="threads"}'] == 0
    assert seen['lens_host_memory_utilization_ratio{source="host"}'] == 0.75


def test_nothing_to_read(tmp_path):
    """Where no part can be read, the lens says so instead of publishing nothing."""
    with pytest.raises(LensUnavailable, match="does not exist"):
        list(lens(plant(tmp_path, {})).collect())


def test_permission_denied(tmp_path):
    """A folder in place of a file, like a file one may not read, is an error of its part and not an absence."""
    root = plant(tmp_path, {name: text for name, text in HOST.items() if name != "proc/loadavg"})
    (root / "proc/loadavg").mkdir()
    assert read(root)['lens_host_part_up{part="load"}'] == 0


def test_cpu_over_a_fixed_window(tmp_path):
    """CPU utilization is over the last minute however often and by however many servers it is scraped."""
    root, clock = plant(tmp_path, HOST), Hand()
    watched = lens(root, clock)
    name = 'lens_host_cpu_utilization_ratio{source="host"}'
    assert name not in values(watched.collect())
    busy = 1000
    for _ in range(20):  # one core busy: a hundred ticks a second
        clock.now += 6
        busy += 600
        (root / "proc/stat").write_text(f"cpu  {busy} 0 0 0 0 0 0 700\ncpu0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0\n")
        assert values(watched.collect())[name] == pytest.approx(0.5, abs=0.01)
    for _ in range(10):
        clock.now += 6
        seen = values(watched.collect())[name]
    assert seen == 0.0  # the last minute was idle, the busy one before is forgotten


def test_hanging_file_system():
    """A file system that does not answer costs its own series; it is waited for once and not asked again while it hangs."""
    release, calls = threading.Event(), []

    def measure(path: str) -> os.statvfs_result | None:
        calls.append(path)
        if path == "/mnt/nas":
            release.wait(30)
        return filled(100, 50)

    disks = Disks(measure, deadline=0.05)
    for _ in range(3):
        told = disks.ask(["/", "/mnt/nas"])
        assert told["/mnt/nas"] is None
        assert told["/"] is not None
    assert calls.count("/mnt/nas") == 1
    release.set()
    disks._asked["/mnt/nas"].wait(30)
    assert disks.ask(["/", "/mnt/nas"])["/mnt/nas"] is not None


def test_failing_file_system(tmp_path):
    """A file system that answers an error is shown as not readable."""

    def measure(path: str) -> os.statvfs_result | None:
        if path == "/":
            raise OSError(5, "Input/output error")
        return filled(100, 50)

    root = plant(tmp_path, HOST)
    seen = values(HostLens(proc=root / "proc", sys=root / "sys", measure=measure, ticks=100).collect())
    assert seen['lens_host_disk_readable{device="/dev/vda",fstype="ext4",mountpoint="/"}'] == 0
    assert seen['lens_host_disk_readable{device="tmpfs",fstype="tmpfs",mountpoint="/tmp"}'] == 1


def test_mount_point_that_is_no_text(tmp_path):
    """A mount point of bytes that are no UTF-8 is asked for by its bytes and written with a question mark."""
    root = plant(tmp_path, HOST)
    (root / "proc/self/mountinfo").write_bytes(b"27 1 254:0 / /mnt/\xff rw - ext4 /dev/vda rw\n")
    asked = []

    def measure(path: str) -> os.statvfs_result:
        asked.append(os.fsencode(path))
        return filled(100, 50)

    seen = values(HostLens(proc=root / "proc", sys=root / "sys", measure=measure, ticks=100).collect())
    assert asked == [b"/mnt/\xff"]
    assert seen['lens_host_disk_readable{device="/dev/vda",fstype="ext4",mountpoint="/mnt/?"}'] == 1
