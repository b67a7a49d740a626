"""A host: what is used of what may be used, in its band, and what waits for what."""

from dashboards.generate.frame import Board, Panels
from dashboards.generate.parts import OWN, Query, about_target, banded, number, series

_FILES = "{{instance}} {{mountpoint}}"


def board() -> Board:
    """Give the dashboard."""
    return Board(
        uid="lens-host",
        title="lens-exporter / Host",
        description="Machines, and the containers or services around lens-exporter, against their limits.",
        of="lens_host_memory_used_bytes",
        rows=[("Now", _now()), ("Memory and CPU", _work()), ("Disks", _disks()), ("Files, threads, distance from normal", _rest())],
    )


def _now() -> Panels:
    return [
        number(
            "Memory",
            "The fullest of the chosen: used by limit.",
            "percentunit",
            f"max(lens_host_memory_utilization_ratio{{{OWN}}})",
            bad=0.9,
        ),
        number(
            "CPU",
            "The busiest of the chosen, over the last minute.",
            "percentunit",
            f"max(lens_host_cpu_utilization_ratio{{{OWN}}})",
            bad=0.9,
        ),
        number("Disk", "The fullest file system.", "percentunit", f"max(lens_host_disk_utilization_ratio{{{OWN}}})", bad=0.9),
        number(
            "Load",
            "Load of five minutes by core, the highest.",
            "short",
            f'max(lens_host_load_per_cpu{{{OWN},window="5m"}})',
            bad=2,
        ),
        number(
            "Cores", "Cores that may be used, of all chosen.", "short", f'sum(lens_host_cpu_limit_cores{{{OWN},source="host"}})'
        ),
        number(
            "Unreadable",
            "Parts of hosts that could not be read.",
            "short",
            f"count(lens_host_part_up{{{OWN}}} == 0) or vector(0)",
            bad=1,
        ),
    ]


def _work() -> Panels:
    return [
        banded(
            "Memory",
            "Memory that cannot be reclaimed, by its limit.",
            "percentunit",
            "memory_utilization",
            Query(f"lens_host_memory_utilization_ratio{{{OWN}}}", "{{instance}} {{source}}"),
        ),
        series(
            "Memory in bytes",
            "Used, and the limit.",
            "bytes",
            Query(f"lens_host_memory_used_bytes{{{OWN}}}", "{{instance}} {{source}}"),
            Query(f"lens_host_memory_limit_bytes{{{OWN}}}", "{{instance}} {{source}} limit", dashed=True),
        ),
        banded(
            "CPU",
            "CPU time used, by what cores or quota allow.",
            "percentunit",
            "cpu_utilization",
            Query(f"lens_host_cpu_utilization_ratio{{{OWN}}}", "{{instance}} {{source}}"),
        ),
        series(
            "Waiting (pressure)",
            "Share of the last minute in which some work waited for memory, CPU or a disk. Absent where the kernel does not tell.",
            "percentunit",
            Query(f'lens_host_pressure_ratio{{{OWN},kind="some"}}', "{{instance}} {{resource}} {{source}}"),
        ),
        banded(
            "Load by core",
            "Load of five minutes, by the number of cores.",
            "short",
            "load_per_cpu",
            Query(f'lens_host_load_per_cpu{{{OWN},window="5m"}}', "{{instance}}"),
        ),
        series(
            "Cores in use, and held back",
            "CPU time a second; held back is what a quota did not allow.",
            "short",
            Query(f"rate(lens_host_cpu_seconds_total{{{OWN}}}[$__rate_interval])", "{{instance}} {{source}}"),
            Query(f"rate(lens_host_cpu_throttled_seconds_total{{{OWN}}}[$__rate_interval])", "{{instance}} held back"),
        ),
    ]


def _disks() -> Panels:
    return [
        banded(
            "Space",
            "Space of each file system, as df counts it.",
            "percentunit",
            "disk_utilization",
            Query(f"lens_host_disk_utilization_ratio{{{OWN}}}", _FILES),
        ),
        series(
            "Inodes", "Inodes of each file system.", "percentunit", Query(f"lens_host_inodes_utilization_ratio{{{OWN}}}", _FILES)
        ),
    ]


def _rest() -> Panels:
    return [
        series(
            "Open files, threads and swap",
            "By their limits. Without swap there is none.",
            "percentunit",
            Query(f"lens_host_open_files_utilization_ratio{{{OWN}}}", "{{instance}} open files"),
            Query(f"lens_host_threads_utilization_ratio{{{OWN}}}", "{{instance}} threads {{source}}"),
            Query(f"lens_host_swap_utilization_ratio{{{OWN}}}", "{{instance}} swap {{source}}"),
        ),
        series(
            "Score",
            "How far from normal what watchers track of these hosts is; 1 is the edge of the band.",
            "short",
            Query(f"abs({about_target('lens_anomaly_score', _METRICS)})", "{{metric}} {{exported_instance}} {{mountpoint}}"),
            edge=1,
        ),
    ]


_METRICS = 'metric=~"(memory|swap|cpu|disk|inodes|io|open_files|threads)_(utilization|pressure)|load_per_cpu"'
