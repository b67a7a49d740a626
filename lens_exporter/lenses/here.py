"""Which machine, and which view of its process ids, this is: a pid means nothing anywhere else."""

import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Here:
    hostname: str
    pid_namespace: str  # pid:[4026531836]; "" where it cannot be read

    def elsewhere(self, hostname: str | None, pid_namespace: str | None = None) -> str:
        """Say why a question about that host or pid namespace cannot be answered here, "" when it can."""
        asked = (hostname or "").strip().rstrip(".")
        if asked and not _same(asked.rsplit(":", 1)[0], self.hostname):
            return (
                f"this is host {self.hostname}; {asked} cannot be looked into from here"
                " (hostname is the label of lens_python_info, not an instance address)"
            )
        if pid_namespace and self.pid_namespace and pid_namespace != self.pid_namespace:
            return f"pids of {pid_namespace} are not those seen here ({self.pid_namespace}): another container on this host"
        return ""


def here(proc: Path = Path("/proc")) -> Here:
    """Read where this process runs."""
    try:
        namespace = str((proc / "self/ns/pid").readlink())
    except OSError:
        namespace = ""  # no Linux, or hidden: then only host names are compared
    return Here(socket.gethostname(), namespace)


def _same(asked: str, own: str) -> bool:
    """Compare host names; one without a domain equals the first part of one that has it."""
    left, right = asked.lower(), own.lower()
    return left == right or (("." not in left or "." not in right) and left.partition(".")[0] == right.partition(".")[0])
