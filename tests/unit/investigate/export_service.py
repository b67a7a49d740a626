"""A service called export-service on a host called vm, in all its troubles, and the live tools that could look into it."""

from urllib.parse import quote

import numpy as np
from pydantic import BaseModel

from lens_exporter.investigate.offline import OfflineAnalyst
from lens_exporter.model.alert import Alert
from lens_exporter.model.tool import Tool, ToolResult, ToolStatus
from tests.unit.investigate.fleet import Fleet
from tests.unit.investigate.scripted import AT, MINUTE, Site, leak, steady, toolbox

SERVICE = {"instance": "127.0.0.1:59763", "job": "export-service", "process": "export-service"}
DAY_AGO = AT - 90_000
FILES_QUERY = 'lens_python_open_fds_utilization_ratio{instance="127.0.0.1:59763",job="export-service",process="export-service"}'
MEMORY_QUERY = FILES_QUERY.replace("open_fds", "memory")


def one(name, course, **labels):
    return ({"__name__": name, **SERVICE, **labels}, course)


def used(what, course, limit, suffix=""):
    """Used, limit and utilization of one resource."""
    return (
        one(f"lens_python_{what}_used{suffix}", course),
        one(f"lens_python_{what}_limit{suffix}", steady(limit)),
        one(f"lens_python_{what}_utilization_ratio", lambda times: course(times) / limit),
    )


def began(at, level=1.0, before=np.nan):
    """A course that steps to `level` at a moment."""
    return lambda times: np.where(times < at, before, level)


CALM = (
    one("lens_python_info", steady(1), hostname="vm", pid="4211"),
    one("lens_python_start_time_seconds", steady(DAY_AGO)),
    one("lens_python_cpu_seconds_total", lambda times: (times - 1.79e9) * 0.0003),
    one("lens_python_gc_collections_total", lambda times: (times - 1.79e9) * 0.1),
    one("lens_collect_duration_seconds", steady(0.0014, 0.0001), lens="python"),
    *used("threads", steady(2), 32_768),
)
FILES_LEAK = used("open_fds", leak(5, AT - 6 * MINUTE, 80), 512)
FILES_CALM = used("open_fds", steady(5), 512)
MEMORY_LEAK = used("memory", leak(27.8e6, AT - 8 * MINUTE, 40e6), 671e6, "_bytes")
MEMORY_BURST = used(
    "memory", lambda t: 27.8e6 + np.where((t > AT - 8 * MINUTE) & (t < AT - 2 * MINUTE), 200e6, 0.0), 671e6, "_bytes"
)


def own_alert(name, query, age=11 * MINUTE, **labels):
    known = {"alertname": name, "severity": "warning", "watcher": "python", **SERVICE}
    return Alert(known | labels, {"lens_query": query}, AT - age)


def their_alert(name, rule, labels=None, age=5 * MINUTE, **changes):
    known = {"alertname": name, "severity": "warning", **(SERVICE if labels is None else labels)}
    return Alert(known, {}, AT - age, generator_url=f"http://p/graph?g0.expr={quote(rule)}", **changes)


LENS_FILES = own_alert("LensFiles", FILES_QUERY)
LENS_MEMORY = own_alert("LensMemory", MEMORY_QUERY)
TOO_MANY = their_alert("TooManyOpenFiles", 'lens_python_open_fds_used{job="export-service"} > 150')


class OfProcess(BaseModel, extra="forbid"):
    instance: str | None = None
    hostname: str | None = None
    pid: int | None = None
    process: str | None = None
    pid_namespace: str | None = None


class OfHost(BaseModel, extra="forbid"):
    instance: str | None = None
    hostname: str | None = None
    sort_by: str = ""


def live(name, seen, data=None, of=OfProcess, asked=None):
    """A live tool with one answer; whom it was asked about is kept in `asked`."""

    def answer(arguments):
        if asked is not None:
            asked.append(arguments)
        pid = {"pid": arguments.pid} if isinstance(arguments, OfProcess) else {}
        return ToolResult(ToolStatus.DATA, {**pid, **(data or {}), **seen}, seen=seen)

    return Tool(name, "", answer, of)


def open_files(total=488.0, asked=None, **counts):
    patterns = {f"pattern:{name}": float(count) for name, count in (counts or {"/tmp/export-*.csv": 484, "/x.log": 2}).items()}
    return live("get_open_files", {"open_files": total, "limit": 512.0, "sockets": 1.0, **patterns}, asked=asked)


PROCESS = live("get_process", {"memory_bytes": 138e6, "memory_limit_bytes": 671e6, "open_files": 4.0, "started_at": DAY_AGO})
MEMORY_STATS = live("get_memory_stats", {"MemTotal_bytes": 2.5e10, "oom_kills": 0.0}, of=OfHost)
TOOLS = (open_files(), PROCESS, MEMORY_STATS)


def investigated(series, *alerts, tools=TOOLS, firing=(), **scraped):
    """Let the offline analyst investigate; everything it says must hold."""
    fleet = Fleet(*series, **scraped)
    site = Site(fleet, OfflineAnalyst(), *tools)
    site.toolbox = toolbox(fleet, *tools, alerts=firing or alerts)
    answer = site.investigate(*alerts)
    assert answer.verdict.issues == ()
    assert [finding for finding in answer.analysis.findings if not finding.holds] == []
    return answer


def claims(answer):
    return [finding.claim for finding in answer.analysis.findings]


def asked(answer):
    return [receipt.tool for receipt in answer.receipts]
