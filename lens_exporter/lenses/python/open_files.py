"""Which files a process holds open, grouped so that a leak shows: a thousand paths become one pattern with a count."""

import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lens_exporter.lenses.commandline import shown

_VARYING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # a UUID
    r"|(?<=/tmp)[a-z0-9_]{8}(?![a-z0-9_])"  # what Python's tempfile makes up
    r"|(?<![0-9a-zA-Z])(?=[0-9a-f]*[0-9])[0-9a-f]{8,}(?![0-9a-zA-Z])"  # a digest
    r"|[0-9]+"
)
_BEGINNING = re.compile(r"[^-_.*]+[-_.]")
_DELETED = " (deleted)"
_FEW = 5  # more names than this that differ elsewhere become one pattern


@dataclass(frozen=True, slots=True)
class Group:
    pattern: str
    count: int
    example: str


@dataclass(frozen=True, slots=True)
class OpenFiles:
    total: int  # descriptors of every kind
    kinds: dict[str, int]  # files, sockets, pipes, devices, other, unreadable
    deleted: int  # open files without a name any more: their space is not free
    groups: tuple[Group, ...]  # of files, most first
    unread: int  # descriptors above the bound


def read_open_files(proc: Path, pid: int, *, most: int = 50_000) -> OpenFiles:
    """Read what each descriptor of a process points to; at most so many.

    Raises:
        PermissionError: it is another user's process.
        FileNotFoundError: it has ended.

    """
    path = proc / str(pid) / "fd"
    names = os.listdir(path)  # noqa: PTH208 - thousands of names need no Path each
    targets = []
    for name in names[:most]:
        try:
            targets.append(os.readlink(path / name))  # noqa: PTH115 - as above
        except FileNotFoundError:
            continue  # closed since
    return grouped(targets, unread=max(len(names) - most, 0))


def grouped(targets: Iterable[str], *, unread: int = 0) -> OpenFiles:
    """Sort what descriptors point to into kinds and patterns."""
    kinds: Counter[str] = Counter()
    files: list[str] = []
    deleted = 0
    for target in targets:
        kind = _kind(target)
        kinds[kind] += 1
        if kind == "files":
            deleted += target.endswith(_DELETED)
            files.append(target.removesuffix(_DELETED))
    return OpenFiles(kinds.total() + unread, dict(kinds), deleted, _groups(files), unread)


def _kind(target: str) -> str:
    if target.startswith("/"):
        return "devices" if target.startswith("/dev/") and not target.startswith("/dev/shm/") else "files"  # noqa: S108 - a name seen
    return {"socket": "sockets", "pipe": "pipes"}.get(target.partition(":")[0], "other")


def _groups(files: list[str]) -> tuple[Group, ...]:
    by_pattern: dict[str, list[str]] = {}
    for file in files:
        by_pattern.setdefault(_VARYING.sub("*", file), []).append(file)
    # Names that vary otherwise than by digits: first those that begin alike, then whatever one directory has many of.
    for widen in (_same_beginning, _same_directory):
        wide: dict[str, list[str]] = {}
        for pattern in by_pattern:
            wide.setdefault(widen(pattern), []).append(pattern)
        for wider, patterns in wide.items():
            if len(patterns) > _FEW:
                members = [file for pattern in patterns for file in by_pattern.pop(pattern)]
                by_pattern.setdefault(wider, []).extend(members)
    groups = [Group(shown(pattern), len(members), shown(members[0])) for pattern, members in by_pattern.items()]
    return tuple(sorted(groups, key=lambda group: (-group.count, group.pattern)))


def _same_beginning(pattern: str) -> str:
    directory, name, ending = _parts(pattern)
    beginning = _BEGINNING.match(name)
    return f"{directory}/{beginning[0]}*{ending}" if beginning else pattern


def _same_directory(pattern: str) -> str:
    directory, _, ending = _parts(pattern)
    return f"{directory}/*{ending}"


def _parts(path: str) -> tuple[str, str, str]:
    directory, _, name = path.rpartition("/")
    stem, dot, ending = name.rpartition(".")
    return (directory, stem, dot + ending) if stem else (directory, name, "")
