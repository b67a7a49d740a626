"""What a metric's name says about the resource it counts, what can drive it, and where one looks. Order matters."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lens_exporter.investigate.failures import asks_for_failed, failed
from lens_exporter.investigate.selectors import BRACES, LONGEST_QUERY


@dataclass(frozen=True, slots=True)
class Question:
    """A live tool to ask, with what it needs beside the place."""

    tool: str
    sort_by: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """name is what prose calls the resource.

    drivers are the families whose rise can make this one rise: nothing else is ever called its cause. process and host are live
    tools that show it in one process or on a whole host, best first. advice is the next look at it, host_advice on a host, and
    fell_advice where there is less of it than usual.
    """

    name: str
    pattern: re.Pattern[str]
    drivers: tuple[str, ...] = ()
    process: tuple[Question, ...] = ()
    host: tuple[Question, ...] = ()
    advice: str = ""
    host_advice: str = ""
    fell_advice: str = ""


# node_load1, system_load_average_1m, collectd_load_shortterm: but pages, queues and batteries have a load as well.
_SYSTEM_LOAD = (
    r"(?<!page)(?<!upload)(?<!download)(^|_)load_?(1|5|15)(m|min)?(_|$)|(?<!page)(^|_)load_?(average|avg|norm)(_|\d|$)|(^|_)load_(short|mid|long)term(_|$)"
    r"|(^|_)(node|host|system|os|machine)_load$"
)

ERRORS, GARBAGE, LATENCY, TRAFFIC = "errors", "garbage collection", "latency", "traffic"
FAMILIES: tuple[Family, ...] = (
    Family(
        "ports",
        re.compile(r"^(lens_beam_port_|erlang_vm_ports?(_|$))"),
        drivers=("traffic", "processes"),
        advice="see which process of the node opens ports (sockets, files, programs) and does not close them",
    ),
    Family(
        "atoms",
        re.compile(r"^(lens_beam_atom_|erlang_vm_atoms?(_|$))"),
        drivers=("traffic",),
        advice="find the code that makes atoms of what comes in (binary_to_atom, list_to_atom); a restart only buys time",
    ),
    Family(
        "processes",
        re.compile(r"^(lens_beam_process_|erlang_vm_process(es)?(_|$))"),
        drivers=("traffic", "queues", "latency"),
        advice="count the processes of the node by what they were started as, and see why those do not end",
    ),
    Family(
        GARBAGE,
        re.compile(r"(^|_)gc(_|$)|garbage|uncollectable"),
        drivers=("memory", "traffic"),
        process=(Question("get_gc_stats"),),
        advice="look at the garbage collector: collections per generation and uncollectable objects",
    ),
    Family(
        "open files",
        re.compile(r"(^|_)fds?(_|$)|open_files|descriptor|filefd|file_handles"),
        drivers=("traffic", "connections", "threads"),
        process=(Question("get_open_files"),),
        host=(Question("get_top_processes", sort_by="descriptors"),),
        advice="list the open files of the process (lsof -p PID) and find the code that does not close them",
        host_advice="see which process holds the open files (lsof -n)",
    ),
    Family(
        "threads",
        re.compile(r"thread|goroutine|(^|_)tasks(_|$)"),
        drivers=("traffic", "connections", "queues", "latency"),
        process=(Question("get_thread_stacks"),),
        advice="dump the stacks of all threads and see what they wait for",
        host_advice="see which process has the threads (ps -eLf)",
    ),
    Family(
        "connections",
        re.compile(r"socket|connection|(^|_)conns?(_|$)|netstat|sockstat"),
        drivers=("traffic", "threads", "latency"),
        process=(Question("get_sockets"),),
        advice="list the connections of the process by peer and state (ss -tnp)",
    ),
    Family(
        ERRORS,
        re.compile(r"error|fail|exception|(^|_)5xx"),
        drivers=("traffic", "open files", "memory", "disk", "connections", "threads", "CPU", "queues", "latency"),
        advice="read the log of the target around the first error",
    ),
    Family(
        "CPU",
        re.compile(rf"cpu|{_SYSTEM_LOAD}|run_queue|(^|_)reductions(_|$)"),
        drivers=("traffic", "garbage collection", "threads", "queues", "memory"),
        process=(Question("get_thread_stacks"),),
        host=(Question("get_top_processes", sort_by="cpu"),),
        advice="profile the process while it is busy",
        host_advice="profile the busiest process",
    ),
    Family(
        "disk",
        re.compile(r"disk|filesystem|inode|(^|_)fs_|volume"),
        drivers=("traffic", "errors"),
        host=(Question("get_disk_usage"),),
        advice="find what writes to the disk (df, du, iotop)",
    ),
    Family(
        "memory",
        re.compile(r"mem|(^|_)rss(_|$)|resident|heap|alloc|(^|_)(p|u)ss(_|$)|swap|blocks"),
        drivers=("traffic", "garbage collection", "threads", "open files", "connections", "queues"),
        process=(Question("get_process"), Question("get_memory_stats")),
        host=(Question("get_top_processes", sort_by="memory"), Question("get_memory_stats")),
        advice="take two heap profiles some minutes apart (tracemalloc, heaptrack) and compare them; a restart only buys time",
        host_advice="see which process grew (ps aux --sort=-rss)",
    ),
    Family(
        "queues",
        re.compile(r"queue|backlog|pending|messages|(?<!loop_)lag(_|$)"),
        drivers=("traffic", "CPU", "latency", "errors", "disk", "memory"),
        advice="compare the rates of what enters and leaves the queue",
    ),
    Family(
        LATENCY,
        re.compile(r"latency|duration|delay|pause|loop_lag"),
        drivers=("traffic", "CPU", "garbage collection", "memory", "disk", "queues", "connections", "threads"),
        advice="look at the slowest calls and at what they wait for",
    ),
    Family(
        TRAFFIC,
        re.compile(r"request|http|grpc|rpc|network|receive|transmit|(^|_)(sent|received)(_|$)"),
        drivers=("errors",),
        advice="find who sends the additional traffic",
        fell_advice="see who sends less, and whether what routes traffic here (load balancer, DNS, service discovery) still does",
    ),
)

_NO_NAMES = re.compile(rf"{BRACES}|\[[^\[\]]*\]")
_HOST = re.compile(r"(?<![\w:])(lens_host|node)_")


def family_of(text: str, labels: Mapping[str, str] | None = None) -> Family | None:
    """Give the family of a metric with its labels (or of the first name in a query that has one).

    What a label says has failed is errors: nobody needs to know who sends additional requests{code="500"}.
    """
    if len(text) > LONGEST_QUERY:
        return None
    found = _named(text)
    counts = found is None or found.name == TRAFFIC
    return family_named(ERRORS) if counts and (failed(labels or {}) or asks_for_failed(text)) else found


def _named(text: str) -> Family | None:
    for name in re.findall(r"[a-zA-Z_:][\w:]*", _NO_NAMES.sub(" ", text)):
        word = re.sub(r"_(total|bucket|count|sum|bytes|ratio)$", "", name.lower())
        if word.endswith("duration_seconds") and name.endswith("_count"):
            return family_named(TRAFFIC)  # how often something was timed is traffic
        for family in FAMILIES:
            if family.pattern.search(word):
                # How long requests took is not how many there were.
                timed = family.name == TRAFFIC and word.endswith("_seconds") and not name.endswith("_count")
                return family_named(LATENCY) if timed else family
    return None


def family_named(name: str) -> Family:
    """Give the family that prose calls so.

    Raises:
        KeyError: there is none.

    """
    found = next((family for family in FAMILIES if family.name == name), None)
    if found is None:
        raise KeyError(name)
    return found


def of_host(text: str) -> bool:
    """Say whether a metric, or a query, is about a whole host: what is true of one process there explains nothing yet."""
    return _HOST.search(text) is not None
