"""Which machine, and which view of its process ids, this is: a pid means nothing anywhere else."""

import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Here:
    hostname: str
    pid_namespace: str  # pid:[4026531836]; "" where it cannot be read


def here(proc: Path = Path("/proc")) -> Here:
    """Read where this process runs."""
    try:
        namespace = str((proc / "self/ns/pid").readlink())
    except OSError:
        namespace = ""  # no Linux, or hidden: then only host names are compared
    return Here(socket.gethostname(), namespace)
