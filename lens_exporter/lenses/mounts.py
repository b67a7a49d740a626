"""What is mounted where, from /proc/PID/mountinfo (proc(5))."""

import re
from dataclasses import dataclass

_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    device_id: str  # major:minor
    root: str  # the directory of the file system that is mounted here
    mountpoint: str
    options: frozenset[str]  # of this mount and of its file system
    fstype: str
    source: str  # /dev/vda1, nas:/export, tmpfs


def parse(text: str) -> list[Mount]:
    """Read mountinfo. Lines that are not of its form are skipped: the kernel may add fields, a fixture may end in mid-line."""
    found = []
    for line in text.splitlines():
        front, separator, back = line.partition(" - ")
        first, last = front.split(" "), back.split(" ")
        if separator and len(first) >= 6 and len(last) >= 2:
            options = frozenset(first[5].split(",")) | frozenset(last[2].split(",") if len(last) > 2 else ())
            found.append(Mount(first[2], _plain(first[3]), _plain(first[4]), options, last[0], _plain(last[1])))
    return found


def _plain(text: str) -> str:
    """Undo the escapes of space, tab, newline and backslash."""
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)
