"""The texts of /proc that tell how full a host is, read into values. Pure: text in, numbers out.

Every function raises ValueError when the text is not of its form. Source: proc(5), Documentation/accounting/psi.rst.
"""

from dataclasses import dataclass

from lens_exporter.lenses.emission import Usage
from lens_exporter.lenses.reading import keyed, limit, number

_KIB = 1024


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes. swap has limit 0 where there is none."""

    usage: Usage
    swap: Usage
    fields: dict[str, float]  # every line of meminfo, in bytes


@dataclass(frozen=True, slots=True)
class Cpu:
    busy_seconds: float  # all but idle and waiting for disks; stolen time counts, since it is not free either
    cores: int


@dataclass(frozen=True, slots=True)
class Load:
    averages: tuple[float, float, float]  # over 1, 5 and 15 minutes
    threads: float  # all that exist, of every process


def memory(text: str) -> Memory:
    """Read /proc/meminfo. Used is what is not available: free memory and reclaimable caches are not use."""
    fields = {name: value * _KIB for name, value in keyed(text).items()}
    total, available = fields.get("MemTotal"), fields.get("MemAvailable")
    if not total or available is None:
        raise ValueError("meminfo has no MemTotal or no MemAvailable")
    swap = fields.get("SwapTotal", 0.0)
    return Memory(Usage(max(total - available, 0.0), total), Usage(max(swap - fields.get("SwapFree", swap), 0.0), swap), fields)


def cpu(text: str, ticks: int) -> Cpu:
    """Read /proc/stat; ticks is the kernel's clock ticks a second."""
    lines = [line.split() for line in text.splitlines() if line.startswith("cpu")]
    total = next((words[1:] for words in lines if words[0] == "cpu"), [])
    cores = sum(1 for words in lines if words[0] != "cpu")
    if len(total) < 8 or not cores:
        raise ValueError("stat has no line cpu with eight numbers, or no cores")
    user, nice, system, _idle, _iowait, irq, softirq, steal = (number(word) for word in total[:8])
    return Cpu((user + nice + system + irq + softirq + steal) / ticks, cores)


def open_files(file_nr: str, file_max: str) -> Usage:
    """Read /proc/sys/fs/file-nr and file-max: the kernel's open files. Recent systemd sets file-max to no limit."""
    words = file_nr.split()
    if len(words) != 3:
        raise ValueError("file-nr has not three numbers")
    return Usage(number(words[0]), limit(file_max))


def load(text: str) -> Load:
    """Read /proc/loadavg."""
    words = text.split()
    if len(words) < 4 or "/" not in words[3]:
        raise ValueError("loadavg has not three averages and a count of threads")
    one, five, fifteen = (_decimal(word) for word in words[:3])
    return Load((one, five, fifteen), number(words[3].partition("/")[2]))


def pressure(text: str) -> dict[str, float]:
    """Read a pressure file: "some" and "full" as the share of the last minute in which some or all work waited."""
    found = {}
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        averages = dict(part.partition("=")[::2] for part in rest.split())
        if kind in {"some", "full"} and "avg60" in averages:
            found[kind] = _decimal(averages["avg60"]) / 100
    if not found:
        raise ValueError("no line with avg60")
    return found


def _decimal(text: str) -> float:
    """Read digits with a point. float() alone would also take nan, inf and 1_0."""
    whole, _, fraction = text.partition(".")
    if not (whole + fraction).isascii() or not (whole + fraction).isdigit() or len(text) > 25:
        raise ValueError(f"expected a number, got {text[:40]!r}")
    return float(f"{whole or 0}.{fraction or 0}")
