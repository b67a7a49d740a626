"""Where a process stands in the cgroup trees, and what limits it there: versions 1, 2 and both at once.

A process may be limited at its own group and at every group around it, so each reading goes from its own group up to the
root. Source: the kernel's admin-guide/cgroup-v2.rst and cgroup-v1/.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lens_exporter.lenses.emission import Usage
from lens_exporter.lenses.mounts import Mount, parse
from lens_exporter.lenses.reading import keyed, limit, number, read

_NANOSECONDS = 1e9
_MICROSECONDS = 1e6


@dataclass(frozen=True, slots=True)
class Place:
    """A process's group in one hierarchy. controllers is empty for version 2."""

    controllers: frozenset[str]
    path: str


@dataclass(frozen=True, slots=True)
class Quota:
    """CPU time a group may use, and has used."""

    cores: float
    seconds: float | None
    throttled_seconds: float | None


def places(text: str) -> list[Place]:
    """Read /proc/PID/cgroup; lines of another form are skipped."""
    found = []
    for line in text.splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3 and parts[2].startswith("/"):
            found.append(Place(frozenset(filter(None, parts[1].split(","))), parts[2]))
    return found


def groups(placed: Sequence[Place], mounts: Sequence[Mount], controller: str) -> tuple[int, list[PurePosixPath]]:
    """Find the version that holds a controller and the directories from the process's own group up to the mount's root.

    Version 1 goes first: where both are mounted, a controller that version 1 holds is absent from version 2. Gives (0, []) when
    neither is mounted, or the process stands outside what is mounted here.
    """
    for version, fstype in ((1, "cgroup"), (2, "cgroup2")):
        place = next((p for p in placed if (controller in p.controllers if version == 1 else not p.controllers)), None)
        mount = next((m for m in mounts if m.fstype == fstype and (version == 2 or controller in m.options)), None)
        if place is not None and mount is not None:
            return version, _upwards(place.path, mount)
    return 0, []


def _upwards(path: str, mount: Mount) -> list[PurePosixPath]:
    below = PurePosixPath(path)
    if ".." in below.parts:
        return []  # outside of our cgroup namespace: its files cannot be seen from here
    root = PurePosixPath(mount.root)
    # A container without a cgroup namespace is told the host's path, while only its own part of the tree is mounted.
    below = below.relative_to(root) if below.is_relative_to(root) else below.relative_to("/")
    top = PurePosixPath(mount.mountpoint)
    full = top / below
    return [full, *(parent for parent in full.parents if parent.is_relative_to(top))]


def fullest(levels: Sequence[Usage]) -> Usage | None:
    """Pick the limit that is hit first: the level with the highest ratio. None when nothing limits."""
    limited = [level for level in levels if level.ratio is not None]
    return max(limited, key=lambda level: level.ratio or 0.0) if limited else None


def tightest(levels: Sequence[Usage]) -> float | None:
    """Pick the lowest limit of all levels."""
    return min((level.limit for level in levels if level.limit is not None), default=None)


class Cgroup:
    """The groups of one process. `sys` stands for /sys, so that a test or a container may point it elsewhere."""

    def __init__(self, placed: Sequence[Place], mounts: Sequence[Mount], sys: Path = Path("/sys")) -> None:
        self._places = placed
        self._mounts = mounts
        self._sys = sys

    @classmethod
    def of(cls, process: str = "self", *, proc: Path = Path("/proc"), sys: Path = Path("/sys")) -> "Cgroup":
        """Find the groups of a process. The mounts are always our own: those of another mount namespace mean nothing here.

        Raises:
            OSError: they cannot be read.

        """
        return cls(places(read(proc / process / "cgroup") or ""), parse(read(proc / "self" / "mountinfo") or ""), sys)

    def memory(self) -> list[Usage]:
        """Give used (working set, as the kubelet counts: without inactive file pages) and limit of each level, bytes."""
        version, levels = self._levels("memory")
        names = ("memory.current", "memory.max") if version == 2 else ("memory.usage_in_bytes", "memory.limit_in_bytes")
        field = "inactive_file" if version == 2 else "total_inactive_file"
        found = []
        for level in levels:
            usage, stat = _usage(level, *names), read(level / "memory.stat")
            if usage is not None and usage.used is not None and stat is not None:
                found.append(Usage(max(usage.used - keyed(stat).get(field, 0.0), 0.0), usage.limit))
        return found

    def swap(self) -> list[Usage]:
        """Give used and limit of swap of each level, bytes; version 2 only (version 1 counts memory and swap together)."""
        version, levels = self._levels("memory")
        if version != 2:
            return []
        return [u for level in levels if (u := _usage(level, "memory.swap.current", "memory.swap.max")) is not None]

    def pids(self) -> list[Usage]:
        """Give threads and their limit of each level."""
        _, levels = self._levels("pids")
        return [u for level in levels if (u := _usage(level, "pids.current", "pids.max")) is not None]

    def cpu(self) -> Quota | None:
        """Give the tightest quota with the time used at its level; None when no level has one."""
        version, levels = self._levels("cpu")
        limited = [(cores, level) for level in levels if (cores := _cores(level, version)) is not None]
        if not limited:
            return None
        cores, level = min(limited, key=lambda pair: pair[0])
        stat = keyed(read(level / "cpu.stat") or "")
        if version == 2:
            return Quota(cores, _scaled(stat.get("usage_usec"), _MICROSECONDS), _scaled(stat.get("throttled_usec"), _MICROSECONDS))
        _, accounting = self._levels("cpuacct")
        same = dict(zip(levels, accounting, strict=False)).get(level)  # version 1 counts time in a hierarchy of its own
        used = read(same / "cpuacct.usage") if same is not None and len(accounting) == len(levels) else None
        return Quota(
            cores,
            None if used is None else number(used) / _NANOSECONDS,
            _scaled(stat.get("throttled_time"), _NANOSECONDS),
        )

    def pressure(self, resource: str) -> str | None:
        """Give the text of the pressure file of the process's own group (version 2), None for the root group."""
        place = next((p for p in self._places if not p.controllers), None)
        mount = next((m for m in self._mounts if m.fstype == "cgroup2"), None)
        if place is None or mount is None:
            return None
        own = [self._here(path) for path in _upwards(place.path, mount)][:1]
        # cgroup.type exists in every group but the root, whose pressure is the host's own.
        return next((read(path / f"{resource}.pressure") for path in own if (path / "cgroup.type").exists()), None)

    def _levels(self, controller: str) -> tuple[int, list[Path]]:
        version, paths = groups(self._places, self._mounts, controller)
        return version, [self._here(path) for path in paths]

    def _here(self, path: PurePosixPath) -> Path:
        """Move a path of /sys under the given root."""
        return self._sys / path.relative_to("/sys") if path.is_relative_to("/sys") else Path(path)


def _usage(level: Path, used: str, most: str) -> Usage | None:
    """Read a level's two files; None where they are missing (the root group, or a controller that is not switched on)."""
    current, maximum = read(level / used), read(level / most)
    return None if current is None or maximum is None else Usage(number(current), limit(maximum))


def _cores(level: Path, version: int) -> float | None:
    if version == 2:
        words = (read(level / "cpu.max") or "max").split()
        quota, period = (words[0] if words else "max"), (words[1] if len(words) > 1 else "100000")
    else:
        quota, period = read(level / "cpu.cfs_quota_us") or "max", read(level / "cpu.cfs_period_us") or "100000"
    allowed = limit(quota)
    length = number(period)
    return None if allowed is None or length == 0 else allowed / length


def _scaled(value: float | None, divisor: float) -> float | None:
    return None if value is None else value / divisor
