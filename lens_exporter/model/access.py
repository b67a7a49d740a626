"""Who may do what over HTTP."""

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What a caller may do. None includes another: a token for Alertmanager opens nothing else."""

    WEBHOOK = "webhook"  # bring alerts
    READ = "read"  # metrics, pages, the reading half of the API
    ADMIN = "admin"  # everything that changes something


EVERYTHING = frozenset(Scope)
LOCAL = "local"  # who asks from this machine where nobody is asked for a name
ANYBODY = "anybody"  # who asks from elsewhere


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody whose word has been checked, or anybody where nobody is asked."""

    name: str
    scopes: frozenset[Scope] = EVERYTHING


def needed(method: str, path: str) -> Scope | None:
    """Say which scope a request needs; None: it is for everybody. What is not known is treated as the API is, and never as open."""
    if path in {"/-/healthy", "/-/ready"} and method in {"GET", "HEAD"}:
        return None  # kubelets and load balancers have no credentials
    if method == "POST" and path == "/webhook":
        return Scope.WEBHOOK
    return Scope.READ if method in {"GET", "HEAD", "OPTIONS"} else Scope.ADMIN
