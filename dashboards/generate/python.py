"""Python processes: memory, files, threads against their limits, the event loop and the garbage collector."""

from dashboards.generate.frame import Board, Panels, Variable
from dashboards.generate.parts import OWN, Query, about_target, banded, number, series

_PROCESS = f'{OWN},process=~"$process"'
_NAME = "{{process}} {{pid}} {{instance}}"


def board() -> Board:
    """Give the dashboard."""
    return Board(
        uid="lens-python",
        title="lens-exporter / Python",
        description="Python processes, in which the lens runs or which are looked at from outside.",
        of="lens_python_memory_used_bytes",
        variables=(Variable("process", "Process", f"label_values(lens_python_memory_used_bytes{{{OWN}}}, process)"),),
        rows=[("Now", _now()), ("Against their limits", _limits()), ("Inside", _inside())],
    )


def _now() -> Panels:
    return [
        number("Processes", "Processes that are looked at.", "short", f"count(lens_python_start_time_seconds{{{_PROCESS}}})"),
        number(
            "Memory",
            "The fullest: used by limit.",
            "percentunit",
            f"max(lens_python_memory_utilization_ratio{{{_PROCESS}}})",
            bad=0.9,
        ),
        number(
            "Open files",
            "The fullest: used by limit.",
            "percentunit",
            f"max(lens_python_open_fds_utilization_ratio{{{_PROCESS}}})",
            bad=0.9,
        ),
        number(
            "Threads",
            "The fullest: used by limit.",
            "percentunit",
            f"max(lens_python_threads_utilization_ratio{{{_PROCESS}}})",
            bad=0.9,
        ),
        number(
            "Event loop",
            "The longest delay of a timer in the last minute.",
            "s",
            f"max(lens_python_event_loop_lag_seconds{{{_PROCESS}}})",
            bad=0.5,
        ),
        number(
            "Youngest", "Since the last start of one of them.", "s", f"min(time() - lens_python_start_time_seconds{{{_PROCESS}}})"
        ),
    ]


def _limits() -> Panels:
    return [
        banded(
            "Memory",
            "Resident memory, by the lowest limit that holds for the process.",
            "percentunit",
            "memory_utilization",
            Query(f"lens_python_memory_utilization_ratio{{{_PROCESS}}}", _NAME),
        ),
        series(
            "Memory in bytes",
            "Resident memory, and the limit.",
            "bytes",
            Query(f"lens_python_memory_used_bytes{{{_PROCESS}}}", _NAME),
            Query(f"lens_python_memory_limit_bytes{{{_PROCESS}}}", f"{_NAME} limit", dashed=True),
        ),
        banded(
            "Open files",
            "Open file descriptors.",
            "short",
            "open_fds",
            Query(f"lens_python_open_fds_used{{{_PROCESS}}}", _NAME),
        ),
        banded(
            "Threads",
            "Threads of the process.",
            "short",
            "threads",
            Query(f"lens_python_threads_used{{{_PROCESS}}}", _NAME),
        ),
    ]


def _inside() -> Panels:
    return [
        banded(
            "Event loop",
            "Longest delay of a timer of the event loop in the last minute: what every request waits for.",
            "s",
            "event_loop_lag_seconds",
            Query(f"lens_python_event_loop_lag_seconds{{{_PROCESS}}}", _NAME),
        ),
        series(
            "Stopped by the garbage collector",
            "Share of the time, by generation.",
            "percentunit",
            Query(
                f"rate(lens_python_gc_pause_seconds_sum{{{_PROCESS}}}[$__rate_interval])", f"{_NAME} generation {{{{generation}}}}"
            ),
        ),
        banded(
            "Allocated blocks",
            "Memory blocks the interpreter holds: its own objects. Memory that grows without them is held elsewhere.",
            "short",
            "allocated_blocks",
            Query(f"lens_python_allocated_blocks{{{_PROCESS}}}", _NAME),
        ),
        series(
            "CPU",
            "Cores in use.",
            "short",
            Query(f"rate(lens_python_cpu_seconds_total{{{_PROCESS}}}[$__rate_interval])", _NAME),
        ),
        series(
            "Collections",
            "Garbage collections a second, by generation; objects that cannot be collected leak.",
            "ops",
            Query(
                f"rate(lens_python_gc_collections_total{{{_PROCESS}}}[$__rate_interval])", f"{_NAME} generation {{{{generation}}}}"
            ),
            Query(
                f"rate(lens_python_gc_uncollectable_total{{{_PROCESS}}}[$__rate_interval])",
                f"{_NAME} generation {{{{generation}}}} uncollectable",
            ),
        ),
        series(
            "Score",
            "How far from normal what watchers track of these processes is; 1 is the edge of the band.",
            "short",
            Query(f"abs({about_target('lens_anomaly_score', _METRICS)})", "{{metric}} {{process}} {{pid}} {{exported_instance}}"),
            edge=1,
        ),
    ]


_METRICS = 'process=~"$process",process!=""'
