"""What a watcher of Python processes tracks unless configured otherwise.

Utilizations are judged against their limit; the plain counts beside them see a leak long before it is a visible share of a large
limit. All carry the same labels, so that an alert about one can say what else moved in that process.
"""

from lens_exporter.model.metric import BaselineMetric, Direction

_UP = Direction.UP

BASELINE: tuple[BaselineMetric, ...] = (
    BaselineMetric(
        "memory_utilization",
        "lens_python_memory_utilization_ratio{$selector}",
        unit="ratio",
        category="memory",
        direction=_UP,
        min_change=0.02,
        ceiling=0.9,
        full=1.0,
        words="memory",
    ),
    BaselineMetric(
        "allocated_blocks",
        "lens_python_allocated_blocks{$selector}",
        category="memory",
        direction=_UP,
        min_change=100_000,
        words="allocated blocks",
    ),
    BaselineMetric(
        "open_fds_utilization",
        "lens_python_open_fds_utilization_ratio{$selector}",
        unit="ratio",
        category="files",
        direction=_UP,
        min_change=0.05,
        ceiling=0.9,
        full=1.0,
        words="open files by their limit",
    ),
    BaselineMetric(
        "open_fds", "lens_python_open_fds_used{$selector}", category="files", direction=_UP, min_change=100, words="open files"
    ),
    BaselineMetric(
        "threads_utilization",
        "lens_python_threads_utilization_ratio{$selector}",
        unit="ratio",
        category="threads",
        direction=_UP,
        min_change=0.05,
        ceiling=0.9,
        full=1.0,
        words="threads by their limit",
    ),
    BaselineMetric(
        "threads", "lens_python_threads_used{$selector}", category="threads", direction=_UP, min_change=50, words="threads"
    ),
    BaselineMetric(
        "event_loop_lag_seconds",
        "lens_python_event_loop_lag_seconds{$selector}",
        unit="seconds",
        category="latency",
        direction=_UP,
        min_change=0.1,  # from where asyncio itself calls a callback slow (loop.slow_callback_duration)
        words="event loop lag",
    ),
    BaselineMetric(
        "gc_pause_share",
        "sum without (generation) (rate(lens_python_gc_pause_seconds_sum{$selector}[5m]))",
        unit="ratio",
        category="latency",
        direction=_UP,
        min_change=0.05,
        words="time stopped by the garbage collector",
    ),
    BaselineMetric(
        "cpu_cores",
        "rate(lens_python_cpu_seconds_total{$selector}[5m])",
        category="cpu",
        direction=_UP,
        min_change=0.5,
        words="CPU cores in use",
    ),
)
