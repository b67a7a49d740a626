"""What a watcher of a host tracks unless configured otherwise: quiet defaults, one for each way a host runs full.

`max without (source)` judges a host by the limit it is nearest to, its own or its cgroup's, and leaves one target per host, so
that an alert can say what else moved there.
"""

from lens_exporter.model.metric import BaselineMetric, Direction


def _rising(
    name: str, query: str, category: str, words: str, *, min_change: float, ceiling: float | None = None, full: float | None = None
) -> BaselineMetric:
    return BaselineMetric(name, query, "ratio", category, Direction.UP, min_change, ceiling, full, words)


def _pressure(resource: str, category: str, words: str) -> BaselineMetric:
    query = f'max without (source) (lens_host_pressure_ratio{{resource="{resource}",kind="some",$selector}})'
    return _rising(f"{resource}_pressure", query, category, words, min_change=0.1)


BASELINE: tuple[BaselineMetric, ...] = (
    _rising(
        "memory_utilization",
        "max without (source) (lens_host_memory_utilization_ratio{$selector})",
        "memory",
        "memory",
        min_change=0.05,
        ceiling=0.9,
        full=1.0,
    ),
    _rising(
        "swap_utilization",
        "max without (source) (lens_host_swap_utilization_ratio{$selector})",
        "swap",
        "swap",
        min_change=0.1,
        full=1.0,
    ),
    _rising(
        "cpu_utilization", "max without (source) (lens_host_cpu_utilization_ratio{$selector})", "cpu", "CPU time", min_change=0.2
    ),
    _rising(
        "open_files_utilization",
        "lens_host_open_files_utilization_ratio{$selector}",
        "files",
        "open files by their limit",
        min_change=0.05,
        ceiling=0.9,
        full=1.0,
    ),
    _rising(
        "threads_utilization",
        "max without (source) (lens_host_threads_utilization_ratio{$selector})",
        "threads",
        "threads by their limit",
        min_change=0.05,
        ceiling=0.9,
        full=1.0,
    ),
    _rising(
        "disk_utilization",
        "max without (device, fstype) (lens_host_disk_utilization_ratio{$selector})",
        "disk",
        "disk space",
        min_change=0.02,
        ceiling=0.9,
        full=1.0,
    ),
    _rising(
        "inodes_utilization",
        "max without (device, fstype) (lens_host_inodes_utilization_ratio{$selector})",
        "disk",
        "inodes",
        min_change=0.02,
        ceiling=0.9,
        full=1.0,
    ),
    BaselineMetric(
        "load_per_cpu",
        'lens_host_load_per_cpu{window="5m",$selector}',
        category="load",
        direction=Direction.UP,
        min_change=1.0,
        words="load per core over 5 minutes",
    ),
    _pressure("memory", "memory", "time in which work waited for memory"),
    _pressure("cpu", "cpu", "time in which work waited for a core"),
    _pressure("io", "disk", "time in which work waited for disks"),
)
