"""Trees of /proc and /sys as the kernel writes them, shortened; each is a host one may meet."""

import os
from collections.abc import Mapping
from pathlib import Path

MIB = 1024 * 1024
GIB = 1024 * MIB

MOUNTS = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
23 27 0:22 / /sys rw,relatime - sysfs sysfs rw
24 27 0:6 / /dev rw,relatime - devtmpfs devtmpfs rw,size=12334492k
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
28 27 254:16 / /srv/my\\040data rw,noatime - xfs /dev/vdb rw
29 27 254:16 /sub /mnt/again rw,noatime - xfs /dev/vdb rw
30 27 7:1 / /snap/core/1 ro,nodev - squashfs /dev/loop1 ro
31 27 0:50 / /mnt/nas rw,relatime - nfs4 nas:/export rw,vers=4.2
32 27 0:51 / /var/lib/docker/overlay2/a/merged rw - overlay overlay rw
34 27 254:32 / /media/disc ro,relatime - ext4 /dev/vdc ro
33 27 0:52 / /tmp rw - tmpfs tmpfs rw,size=1024k
"""
CGROUP2_MOUNT = "35 23 0:29 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
CGROUP1_MOUNTS = """\
36 23 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
37 23 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
38 23 0:32 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
39 23 0:33 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""
MEMINFO = """\
MemTotal:        8388608 kB
MemFree:         1048576 kB
MemAvailable:    2097152 kB
Buffers:            1024 kB
Cached:           900000 kB
SwapTotal:       1048576 kB
SwapFree:         524288 kB
HugePages_Total:       0
"""
STAT = """\
cpu  1000 100 500 90000 300 10 20 70 5 5
cpu0 500 50 250 45000 150 5 10 35 5 5
cpu1 500 50 250 45000 150 5 10 35 0 0
intr 100 1 2 3
ctxt 468610
btime 1795190201
"""
PRESSURE = "some avg10=1.00 avg60=25.00 avg300=0.35 total=27240852\nfull avg10=0.00 avg60=5.00 avg300=0.00 total=0\n"

HOST: Mapping[str, str] = {
    "proc/meminfo": MEMINFO,
    "proc/stat": STAT,
    "proc/loadavg": "1.00 0.50 0.25 4/400 10850\n",
    "proc/vmstat": "nr_free_pages 5\noom_kill 3\n",
    "proc/sys/fs/file-nr": "655\t0\t100000\n",
    "proc/sys/fs/file-max": "100000\n",
    "proc/sys/kernel/pid_max": "32768\n",
    "proc/sys/kernel/threads-max": "4000\n",
    "proc/pressure/cpu": PRESSURE,
    "proc/pressure/io": PRESSURE,
    "proc/pressure/memory": PRESSURE,
    "proc/self/mountinfo": MOUNTS,
    "proc/self/cgroup": "0::/\n",
}

# A service in a slice: the slice is limited too, and fuller.
V2: Mapping[str, str] = {
    **HOST,
    "proc/self/mountinfo": MOUNTS + CGROUP2_MOUNT,
    "proc/self/cgroup": "0::/work.slice/api.service\n",
    "sys/fs/cgroup/work.slice/api.service/cgroup.type": "domain\n",
    "sys/fs/cgroup/work.slice/api.service/memory.current": f"{600 * MIB}\n",
    "sys/fs/cgroup/work.slice/api.service/memory.max": f"{1000 * MIB}\n",
    "sys/fs/cgroup/work.slice/api.service/memory.stat": f"anon {400 * MIB}\nfile {200 * MIB}\ninactive_file {100 * MIB}\n",
    "sys/fs/cgroup/work.slice/api.service/memory.swap.current": "0\n",
    "sys/fs/cgroup/work.slice/api.service/memory.swap.max": "max\n",
    "sys/fs/cgroup/work.slice/api.service/memory.pressure": PRESSURE,
    "sys/fs/cgroup/work.slice/api.service/pids.current": "30\n",
    "sys/fs/cgroup/work.slice/api.service/pids.max": "max\n",
    "sys/fs/cgroup/work.slice/api.service/cpu.max": "400000 100000\n",
    "sys/fs/cgroup/work.slice/api.service/cpu.stat": "usage_usec 1000000\n",
    "sys/fs/cgroup/work.slice/memory.current": f"{1900 * MIB}\n",
    "sys/fs/cgroup/work.slice/memory.max": f"{2000 * MIB}\n",
    "sys/fs/cgroup/work.slice/memory.stat": "inactive_file 0\n",
    "sys/fs/cgroup/work.slice/pids.current": "50\n",
    "sys/fs/cgroup/work.slice/pids.max": "100\n",
    "sys/fs/cgroup/work.slice/cpu.max": "150000 100000\n",
    "sys/fs/cgroup/work.slice/cpu.stat": "usage_usec 90000000\nnr_throttled 7\nthrottled_usec 2500000\n",
}

# A container with a cgroup namespace of its own: its group looks like the root.
CONTAINER: Mapping[str, str] = {
    **HOST,
    "proc/self/mountinfo": "1 0 0:60 / / rw - overlay overlay rw\n" + CGROUP2_MOUNT,
    "proc/self/cgroup": "0::/\n",
    "sys/fs/cgroup/cgroup.type": "domain\n",
    "sys/fs/cgroup/memory.current": f"{300 * MIB}\n",
    "sys/fs/cgroup/memory.max": f"{512 * MIB}\n",
    "sys/fs/cgroup/memory.stat": f"inactive_file {44 * MIB}\n",
    "sys/fs/cgroup/cpu.max": "50000 100000\n",
    "sys/fs/cgroup/cpu.stat": "usage_usec 5000000\n",
}

# Version 1 without a cgroup namespace: the path is the host's, but only the container's part of the tree is mounted.
V1: Mapping[str, str] = {
    **HOST,
    "proc/self/mountinfo": MOUNTS
    + "36 23 0:30 /docker/abc /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    + "37 23 0:31 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    + "38 23 0:32 /docker/abc /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n",
    "proc/self/cgroup": "12:pids:/docker/abc\n5:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n0::/docker/abc\n",
    "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{256 * MIB}\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{512 * MIB}\n",
    "sys/fs/cgroup/memory/memory.stat": f"inactive_file 1\ntotal_inactive_file {128 * MIB}\n",
    "sys/fs/cgroup/pids/pids.current": "9\n",
    "sys/fs/cgroup/pids/pids.max": "90\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "200000\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.stat": "nr_periods 1\nnr_throttled 0\nthrottled_time 500000000\n",
    "sys/fs/cgroup/cpu,cpuacct/cpuacct.usage": "7000000000\n",
}

# Version 1 on a plain machine: nothing is limited, and "no limit" is a number.
UNLIMITED_V1: Mapping[str, str] = {
    **HOST,
    "proc/self/mountinfo": MOUNTS + CGROUP1_MOUNTS,
    "proc/self/cgroup": "8:pids:/\n4:memory:/\n2:cpu,cpuacct:/\n0::/\n",
    "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{256 * MIB}\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 0\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    "proc/sys/fs/file-max": "9223372036854775807\n",
}

LIMITS = """\
Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max processes             96365                96365                processes 
Max open files            1024                 524288               files     
Max address space         unlimited            unlimited            bytes     
Max nice priority         0                    0                    
"""  # noqa: W291 - as the kernel writes it


def stat_line(pid: int, *, name: str = "python", state: str = "S", pages: int = 2560, threads: int = 4, start: int = 5000) -> str:
    """Write /proc/PID/stat: 2560 pages of 4096 bytes are 10 MiB; 250 ticks of CPU time."""
    return (
        f"{pid} ({name}) {state} 1 1 1 0 -1 4194304 100 0 0 0 200 50 0 0 20 0 {threads} 0 {start} 3133440 {pages}"
        " 18446744073709551615 1 1 1 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0\n"
    )


def process(pid: str, *, command: str = "python\0app.py\0", fds: int = 3, cgroup: str = "0::/\n", **stat: object) -> dict[str, str]:
    """Write one process's folder."""
    number = 42 if pid == "self" else int(pid)
    return {
        f"proc/{pid}/stat": stat_line(number, **stat),  # type: ignore[arg-type]
        f"proc/{pid}/limits": LIMITS,
        f"proc/{pid}/cgroup": cgroup,
        f"proc/{pid}/cmdline": command,
        **{f"proc/{pid}/fd/{descriptor}": "" for descriptor in range(fds)},
    }


def plant(root: Path, files: Mapping[str, str]) -> Path:
    """Write the files under root and give root."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "proc").mkdir(exist_ok=True)
    (root / "sys").mkdir(exist_ok=True)
    return root


def filled(blocks: int, free: int, *, files: int = 1000, files_free: int = 900) -> os.statvfs_result:
    """A file system of 4 KiB blocks of which a tenth of the free ones is kept for root."""
    return os.statvfs_result((4096, 4096, blocks, free, free - free // 10, files, files_free, files_free, 0, 255))


class Hand:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now
