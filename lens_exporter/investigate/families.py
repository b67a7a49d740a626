"""What a metric's name says about the resource it counts, and where one looks next. Ours, from running services; order matters."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """name is what prose calls the resource. tools are live tools that show it, best first. advice is the next look at it."""

    name: str
    pattern: re.Pattern[str]
    tools: tuple[str, ...] = ()
    advice: str = ""


def _family(name: str, pattern: str, tools: tuple[str, ...] = (), advice: str = "") -> Family:
    return Family(name, re.compile(pattern), tools, advice)


FAMILIES: tuple[Family, ...] = (
    _family(
        "garbage collection",
        r"(^|_)gc(_|$)|garbage|uncollectable",
        ("get_gc_stats",),
        "look at the garbage collector: collections per generation and uncollectable objects",
    ),
    _family(
        "open files",
        r"(^|_)fds?(_|$)|open_files|descriptor|filefd|file_handles",
        ("get_open_files",),
        "list the open files of the process (lsof -p PID) and find the code that does not close them",
    ),
    _family(
        "threads",
        r"thread|goroutine|(^|_)tasks(_|$)",
        ("get_thread_stacks",),
        "dump the stacks of all threads and see what they wait for",
    ),
    _family(
        "connections",
        r"socket|connection|(^|_)conns?(_|$)|netstat|sockstat",
        ("get_sockets",),
        "list the connections of the process by peer and state (ss -tnp)",
    ),
    _family("errors", r"error|fail|exception|(^|_)5xx", (), "read the log of the target around the first error"),
    _family("CPU", r"cpu|(^|_)load\d*(_|$)|run_queue", ("get_top_processes", "get_thread_stacks"), "profile the busiest process"),
    _family("disk", r"disk|filesystem|inode|(^|_)fs_|volume", ("get_disk_usage",), "find what writes to the disk (df, du, iotop)"),
    _family(
        "memory",
        r"mem|(^|_)rss(_|$)|resident|heap|alloc|(^|_)(p|u)ss(_|$)|swap|blocks",
        ("get_process", "get_memory_stats", "get_tracemalloc_top"),
        "take two heap profiles some minutes apart (tracemalloc, heaptrack) and compare them; a restart only buys time",
    ),
    _family("queues", r"queue|backlog|pending|messages|lag(_|$)", (), "compare the rates of what enters and leaves the queue"),
    _family("latency", r"latency|duration|delay|pause", (), "look at the slowest calls and at what they wait for"),
    _family(
        "traffic",
        r"request|http|grpc|rpc|network|receive|transmit|(^|_)(sent|received)(_|$)",
        (),
        "find who sends the additional traffic",
    ),
)


def family_of(text: str) -> Family | None:
    """Give the family of a metric name (or of the first name in a query that has one)."""
    for name in re.findall(r"[a-zA-Z_:][\w:]*", re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", text)):
        word = re.sub(r"_(total|bucket|count|sum|bytes|ratio)$", "", name.lower())
        if word.endswith("duration_seconds") and name.endswith("_count"):
            return FAMILIES[-1]  # how often something was timed is traffic
        for family in FAMILIES:
            if family.pattern.search(word):
                return family
    return None
