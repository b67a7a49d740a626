"""Whether a question is about this machine. A process id or a ranking of another machine must never be answered from here."""

import ipaddress
import re
from dataclasses import dataclass

import psutil
from pydantic import BaseModel, Field

from lens_exporter.lenses.here import Here, here

_INSTANCE = re.compile(r"(?:\w+://)?(?:\[([^\]]+)\]|([^/:]+))(?::(\d{1,5}))?(?:/.*)?")


class Where(BaseModel, extra="forbid"):
    """Which machine a question is about; with neither given, the one lens-exporter runs on."""

    instance: str | None = Field(None, max_length=300, description="label instance of the target, like api-7:9000")
    hostname: str | None = Field(None, max_length=300, description="label hostname of lens_python_info")


@dataclass(frozen=True, slots=True)
class Locality:
    """here with its addresses. loopback_is_here: Prometheus runs on this machine, so that its 127.0.0.1 is ours."""

    here: Here
    addresses: frozenset[str] = frozenset()
    loopback_is_here: bool = True

    def elsewhere(self, asked: Where) -> str:
        """Say why a question cannot be answered here, "" when it can."""
        own = self.here.hostname
        if asked.hostname and not _same(asked.hostname, own):
            return f"this is host {own}; {asked.hostname} cannot be looked into from here"
        host, _ = address(asked.instance)
        if host is None or self._is_here(host):
            return ""
        if _loopback(host):
            return f"{host} is the machine Prometheus runs on, which is not known to be this one ({own})"
        return f"this is host {own}; instance {asked.instance} cannot be looked into from here"

    def _is_here(self, host: str) -> bool:
        return self.loopback_is_here if _loopback(host) else host in self.addresses or _same(host, self.here.hostname)


def locality(*, loopback_is_here: bool = True) -> Locality:
    """Read where this process runs."""
    interfaces = psutil.net_if_addrs().values()
    # A link-local address carries its interface after a percent sign, which no instance label has.
    addresses = {found.address.partition("%")[0] for interface in interfaces for found in interface}
    return Locality(here(), frozenset(addresses), loopback_is_here)


def address(instance: str | None) -> tuple[str | None, int | None]:
    """Split an instance label into host and port, (None, None) when there is none."""
    match = _INSTANCE.fullmatch((instance or "").strip())
    if match is None:
        return (instance or None), None
    return match[1] or match[2], int(match[3]) if match[3] else None


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _same(asked: str, own: str) -> bool:
    """Compare host names; one without a domain equals the first part of one that has it."""
    left, right = asked.strip().rstrip(".").lower(), own.lower()
    return left == right or (("." not in left or "." not in right) and left.partition(".")[0] == right.partition(".")[0])
