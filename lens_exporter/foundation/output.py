"""Files that people name for output: whole in their place, or what was there before."""

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lens_exporter.errors import TableUnwritable
from lens_exporter.foundation.signals import ended_by_signals

_NAMED = 40  # characters of the file's name in that of the unfinished one, which may not be longer than a name can be
_NO_NEW_FILES = {errno.EACCES, errno.EPERM, errno.EROFS}  # what a folder says that takes none
_ESCAPED = re.compile(rb"\\(\d{3})")  # how mountinfo writes a blank
# Names of what this process has open. A plain file among them is somebody's standard output: it is not ours to replace.
_OPEN_ALREADY = ("/dev/std", "/dev/fd/", "/proc/")


@dataclass(frozen=True, slots=True)
class Output:
    """Where to write. replaces: nothing of it is seen before all is written; else it is written as it goes."""

    stream: BinaryIO
    replaces: bool


@contextmanager
def output(path: Path) -> Iterator[Output]:
    """Give a stream that becomes the file when the block ends, and is removed when anything is raised in it.

    It is written beside the file, and synced. Links are followed; a file that is there keeps its mode, owner and group. What is no
    plain file (a pipe, a device), is a standard stream of ours, somebody else's, mounted by itself, or has several names, or lies
    in a folder that takes no new file, is written as it goes.

    Raises:
        TableUnwritable: with the reason of the operating system. BrokenPipeError: nobody reads on.

    """
    try:
        with ended_by_signals():
            there = _status(path)
            beside = None if _is_written_directly(path, there) else _beside(path, there)
            opened = path.open("wb") if beside is None else _replacing(*beside, there)
            with opened as stream:
                yield Output(stream, replaces=beside is not None)
    except BrokenPipeError:
        raise  # head and its like have seen enough: the command line ends without a word
    except OSError as error:
        raise TableUnwritable(where=path, reason=error.strerror or error) from error


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _is_written_directly(path: Path, there: os.stat_result | None) -> bool:
    if str(path.absolute()).startswith(_OPEN_ALREADY):
        return True
    if there is None:
        return False
    several = there.st_nlink > 1 or _is_mounted(path)
    return not stat.S_ISREG(there.st_mode) or several or _is_open(there) or not _is_ours(there)


def _is_mounted(path: Path) -> bool:
    """Tell whether a container has the file mounted by itself: it can be written, not replaced."""
    try:
        mounts = Path("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:
        return False
    place = os.fsencode(os.path.realpath(path))
    return any(_ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), mount.split()[4]) == place for mount in mounts)


def _is_open(there: os.stat_result) -> bool:
    """Tell whether a standard stream leads there, by whatever link it was named."""
    for descriptor in (0, 1, 2):
        with contextlib.suppress(OSError):  # one that is closed
            if os.path.samestat(there, os.fstat(descriptor)):
                return True
    return False


def _is_ours(there: os.stat_result) -> bool:
    """Tell whether a new file can have the same owner and group."""
    if os.geteuid() == 0:
        return True
    return there.st_uid == os.geteuid() and there.st_gid in (os.getegid(), *os.getgroups())


def _beside(path: Path, there: os.stat_result | None) -> tuple[Path, Path, int] | None:
    """Give the file behind all links, a new one beside it, and that one's descriptor; None where the folder takes none."""
    place = Path(os.path.realpath(path))
    if there is not None and not os.access(place, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))  # replacing it would go round its mode
    unfinished = place.with_name(f"{place.name[:_NAMED]}.{secrets.token_hex(4)}.new")
    try:
        return place, unfinished, os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if there is not None and error.errno in _NO_NEW_FILES:
            return None
        raise


@contextmanager
def _replacing(place: Path, unfinished: Path, descriptor: int, there: os.stat_result | None) -> Iterator[BinaryIO]:
    try:
        with os.fdopen(descriptor, "wb") as stream:
            if there is not None:
                os.fchown(descriptor, there.st_uid, there.st_gid)
                os.fchmod(descriptor, stat.S_IMODE(there.st_mode))
            yield stream
            stream.flush()
            os.fsync(descriptor)
        unfinished.replace(place)
    finally:
        unfinished.unlink(missing_ok=True)  # there is one only if it failed
