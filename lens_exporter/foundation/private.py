"""Files that only this user may read: they hold parts of command lines, stack traces and findings."""

import os
from contextlib import suppress
from pathlib import Path


def private_folder(path: Path) -> None:
    """Make a folder for this user alone. One that is there stays as it is: it may hold what others need. Raises OSError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def private_file(path: Path) -> None:
    """Make a file for this user alone, and take it from everybody else where it is there already. Raises OSError.

    What is there is not opened: closing it again would free every lock of SQLite's that this process holds on it (POSIX).
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        _narrow(path)


def private_database(path: Path) -> None:
    """Do so with an SQLite file, and with what is beside it: SQLite makes those as it finds the file. Raises OSError."""
    private_file(path.resolve())  # a link may lead to what is not there yet
    for beside in (path.with_name(path.name + suffix) for suffix in ("-wal", "-shm")):
        with suppress(FileNotFoundError):  # also where the last other reader closes just now
            _narrow(beside)


def _narrow(path: Path) -> None:
    with suppress(PermissionError):  # another user's, who lets this one write: theirs to say
        if not path.is_dir():  # whoever opens a folder as a file says so
            path.chmod(0o600)
