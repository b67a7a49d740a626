"""Reading small files of /proc and /sys, and the few text shapes they share."""

import errno
from pathlib import Path

# A feature this kernel does not have, a pressure file that is switched off, or a process that has just ended.
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ESRCH, errno.ENODEV, errno.EOPNOTSUPP}
_ENDLESS = 1 << 60  # the kernel writes "no limit" as a number near 2^63
_DIGITS = 25  # no counter of 64 bits is longer


def read(path: Path) -> str | None:
    """Return the text of a kernel file, or None where there is none.

    Raises:
        OSError: it is there and cannot be read (no permission, an I/O error).

    """
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise


def number(text: str) -> float:
    """Read a counter as the kernel writes it.

    Raises:
        ValueError: it is not one.

    """
    word = text.strip()
    if not (word.isascii() and word.isdigit() and len(word) <= _DIGITS):
        raise ValueError(f"expected a number, got {word[:40]!r}")
    return float(word)


def limit(text: str) -> float | None:
    """Read a limit: None for "max", "unlimited", -1, or a number that stands for no limit.

    Raises:
        ValueError: it is none of these.

    """
    word = text.strip()
    if word in {"max", "unlimited", "-1"}:
        return None
    value = number(word)
    return None if value >= _ENDLESS else value


def keyed(text: str) -> dict[str, float]:
    """Read lines of `name number` (cgroup stat files). Lines of another shape are skipped: newer kernels add some.

    A trailing unit (`kB`) is for the caller to know.
    """
    found: dict[str, float] = {}
    for line in text.splitlines():
        words = line.replace(":", " ").split()
        if len(words) >= 2 and words[1].isascii() and words[1].isdigit():
            found[words[0]] = number(words[1])
    return found
