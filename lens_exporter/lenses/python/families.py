"""Every metric the python lens publishes; docs/metrics.md is generated from here."""

from lens_exporter.foundation.catalogue import Kind, MetricSpec
from lens_exporter.lenses.emission import usage_specs

# pid is empty where the process name alone identifies the process, so that a restart goes on with the same series.
PROCESS = ("pid", "process")
GC_PAUSES = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)

FAMILIES: tuple[MetricSpec, ...] = (
    MetricSpec(
        "lens_python_info",
        Kind.GAUGE,
        "Constant 1: which process this is, and on which host and in which pid namespace its pid counts.",
        ("hostname", "implementation", "pid", "pid_namespace", "process", "version"),
    ),
    *usage_specs("lens_python_memory", "Resident memory, against the lowest limit that holds for the process", PROCESS, "_bytes"),
    MetricSpec(
        "lens_python_memory_limit_info",
        Kind.GAUGE,
        "Constant 1: where the memory limit comes from (cgroup, rlimit, host).",
        ("pid", "process", "source"),
    ),
    *usage_specs("lens_python_open_fds", "Open file descriptors, against RLIMIT_NOFILE", PROCESS),
    *usage_specs("lens_python_threads", "Threads, against the lowest limit that holds for the process", PROCESS),
    MetricSpec("lens_python_cpu_seconds_total", Kind.COUNTER, "CPU time used, user and system.", PROCESS),
    MetricSpec("lens_python_start_time_seconds", Kind.GAUGE, "When the process started, Unix time.", PROCESS),
    MetricSpec("lens_python_allocated_blocks", Kind.GAUGE, "Memory blocks the interpreter holds.", PROCESS),
    MetricSpec(
        "lens_python_gc_pause_seconds",
        Kind.HISTOGRAM,
        "Pauses by the garbage collector since the lens watches.",
        ("generation", *PROCESS),
        GC_PAUSES,
    ),
    MetricSpec("lens_python_gc_collections_total", Kind.COUNTER, "Garbage collections.", ("generation", *PROCESS)),
    MetricSpec(
        "lens_python_gc_uncollectable_total", Kind.COUNTER, "Objects found that cannot be collected.", ("generation", *PROCESS)
    ),
    MetricSpec(
        "lens_python_event_loop_lag_seconds",
        Kind.GAUGE,
        "Longest delay of a timer of the event loop in the last minute; the present delay while it is blocked.",
        PROCESS,
    ),
    MetricSpec("lens_python_tracemalloc_traced_bytes", Kind.GAUGE, "Memory traced by tracemalloc, while it is on.", PROCESS),
    MetricSpec("lens_python_tracemalloc_peak_bytes", Kind.GAUGE, "Most memory traced by tracemalloc.", PROCESS),
    MetricSpec("lens_python_tracemalloc_overhead_bytes", Kind.GAUGE, "Memory tracemalloc itself uses.", PROCESS),
    MetricSpec(
        "lens_python_tracemalloc_top_bytes",
        Kind.GAUGE,
        "Memory held by the ten lines of code that hold most, read once a minute while tracemalloc is on.",
        ("location", *PROCESS),
    ),
    MetricSpec("lens_python_processes", Kind.GAUGE, "Processes that match, for a process watched from outside.", ("process",)),
)
