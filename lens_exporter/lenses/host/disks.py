"""File systems that can fill up, and how full they are. A server that does not answer must not hold up anybody."""

import os
import re
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from lens_exporter.lenses.attempt import Attempt
from lens_exporter.lenses.emission import Usage
from lens_exporter.lenses.mounts import Mount

# As node_exporter leaves them out: views of the kernel, images that are full by nature, and container layers.
_PSEUDO = frozenset(
    {
        "autofs",
        "binfmt_misc",
        "bpf",
        "cgroup",
        "cgroup2",
        "configfs",
        "debugfs",
        "devpts",
        "devtmpfs",
        "efivarfs",
        "erofs",
        "fusectl",
        "hugetlbfs",
        "iso9660",
        "mqueue",
        "nsfs",
        "nullfs",
        "proc",
        "procfs",
        "pstore",
        "ramfs",
        "rootfs",
        "rpc_pipefs",
        "securityfs",
        "selinuxfs",
        "smackfs",
        "squashfs",
        "sysfs",
        "tracefs",
    }
)
_ELSEWHERE = re.compile(r"/(dev|proc|sys|run/credentials/.+|var/lib/docker/.+|var/lib/containers/.+|var/lib/kubelet/.+)($|/)")


@dataclass(frozen=True, slots=True)
class Space:
    """space in bytes, as df counts: what only root may fill is neither used nor free."""

    space: Usage
    inodes: Usage  # limit None where the file system has no fixed number of them (btrfs)


def real(mounts: Iterable[Mount]) -> list[Mount]:
    """Pick one mount of each file system that can be written to: a mount of its root if there is one, the shortest path."""
    found: dict[str, Mount] = {}
    for mount in sorted(mounts, key=lambda m: (m.root != "/", len(m.mountpoint), m.mountpoint)):
        if mount.fstype in _PSEUDO or "ro" in mount.options or _ELSEWHERE.match(mount.mountpoint):
            continue
        if mount.fstype == "overlay" and mount.mountpoint != "/":
            continue
        # Subvolumes of btrfs have device numbers of their own; the device behind them is what fills up.
        found.setdefault(mount.source if "/" in mount.source else mount.device_id, mount)
    return list(found.values())


Measure = Callable[[str], os.statvfs_result | None]


def statvfs(path: str) -> os.statvfs_result | None:
    """Ask the file system mounted at a directory; None where there is no directory (containers mount single files).

    Raises:
        OSError: it answered an error.

    """
    try:
        return os.statvfs(path) if stat.S_ISDIR(os.stat(path).st_mode) else None  # noqa: PTH116 - called for every mount
    except FileNotFoundError:
        return None  # hidden under a later mount


class Disks:
    """Asks each file system in a thread of its own and shares one deadline. One that is still silent is not asked again."""

    def __init__(self, measure: Measure | None = None, *, deadline: float = 1.0) -> None:
        self._measure = measure or statvfs
        self._deadline = deadline
        self._asked: dict[str, Attempt[Space | None]] = {}

    def ask(self, mountpoints: Sequence[str]) -> dict[str, Space | None]:
        """Give the space of each, None for one that did not answer or answered an error; what cannot fill up is left out."""
        for mountpoint in mountpoints:
            before = self._asked.get(mountpoint)
            if before is None or before.finished or before.lost:
                self._asked[mountpoint] = Attempt(partial(self._space, mountpoint), name="lens-disk")
        self._asked = {path: attempt for path, attempt in self._asked.items() if path in mountpoints or not attempt.finished}
        found: dict[str, Space | None] = {}
        for mountpoint in mountpoints:
            attempt = self._asked[mountpoint]
            attempt.wait(self._deadline)
            silent = not attempt.finished or attempt.error is not None
            if silent or attempt.answer is not None:
                found[mountpoint] = attempt.answer
        return found

    def _space(self, path: str) -> Space | None:
        told = self._measure(path)
        if told is None or told.f_blocks == 0:
            return None
        used = (told.f_blocks - told.f_bfree) * told.f_frsize
        inodes = Usage(float(told.f_files - told.f_ffree), float(told.f_files)) if told.f_files else Usage(None, None)
        return Space(Usage(float(used), float(used + told.f_bavail * told.f_frsize)), inodes)
