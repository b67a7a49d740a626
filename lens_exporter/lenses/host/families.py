"""Every metric the host lens publishes; docs/metrics.md is generated from here."""

from lens_exporter.foundation.catalogue import Kind, MetricSpec
from lens_exporter.lenses.emission import usage_specs

_SOURCE = ("source",)
_DISK = ("device", "fstype", "mountpoint")
_BY_SOURCE = 'source="host" is the machine, source="cgroup" the container or service limit around lens-exporter'


FAMILIES: tuple[MetricSpec, ...] = (
    *usage_specs("lens_host_memory", f"Memory that cannot be reclaimed ({_BY_SOURCE})", _SOURCE, "_bytes"),
    *usage_specs("lens_host_swap", "Swap space; absent where there is none", _SOURCE, "_bytes"),
    MetricSpec(
        "lens_host_cpu_utilization_ratio",
        Kind.GAUGE,
        "CPU time used by what the cores or the quota allow, over the last 60 s; absent at the first scrape.",
        _SOURCE,
    ),
    MetricSpec("lens_host_cpu_seconds_total", Kind.COUNTER, "CPU time used, of all cores; stolen time included.", _SOURCE),
    MetricSpec("lens_host_cpu_limit_cores", Kind.GAUGE, "Cores that may be used: their number, or the cgroup's quota.", _SOURCE),
    MetricSpec("lens_host_cpu_throttled_seconds_total", Kind.COUNTER, "Time the quota held work back.", _SOURCE),
    *usage_specs("lens_host_open_files", "Open files in the kernel's count; without limit where fs.file-max sets none", ()),
    *usage_specs("lens_host_threads", "Threads of all processes, against pids.max or the kernel's own limits", _SOURCE),
    *usage_specs("lens_host_disk", "Space of a file system, as df counts it", _DISK, "_bytes"),
    *usage_specs("lens_host_inodes", "Inodes of a file system", _DISK),
    MetricSpec("lens_host_disk_readable", Kind.GAUGE, "Whether the file system answered within a second.", _DISK),
    MetricSpec("lens_host_load_per_cpu", Kind.GAUGE, "Load average by the number of cores.", ("window",)),
    MetricSpec(
        "lens_host_pressure_ratio",
        Kind.GAUGE,
        "Share of the last minute in which some work, or all of it (full), waited for the resource.",
        ("kind", "resource", "source"),
    ),
    MetricSpec("lens_host_part_up", Kind.GAUGE, "Whether this part of the host could be read.", ("part",)),
)
