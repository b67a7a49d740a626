"""A model that says what it was told to say, a target whose series are functions of time, and an alert on it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydantic import BaseModel

from lens_exporter.baseline.robust import RobustDetector
from lens_exporter.foundation.database import Database, metadata
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.investigate.agent import AgentLimits
from lens_exporter.investigate.investigator import Investigator
from lens_exporter.investigate.records import read, written
from lens_exporter.investigate.toolbox import Toolbox
from lens_exporter.investigate.tools_alerts import alert_tools
from lens_exporter.investigate.tools_promql import promql_tools
from lens_exporter.investigate.tools_releases import release_tool
from lens_exporter.investigate.tools_suspects import suspect_tool
from lens_exporter.model.alert import Alert, AlertGroup
from lens_exporter.model.analysis import Cost, Investigated
from lens_exporter.model.conversation import Reply, ToolCall, ToolSpec, Trail
from lens_exporter.model.tool import Tool, ToolResult, ToolStatus
from lens_exporter.model.window import FloatArray
from lens_exporter.prometheus.answers import MetricMetadata, QueryAnswer, Series, SeriesAnswer

AT = 1_795_184_100.0  # 2026-11-20 14:15:00 UTC
MINUTE = 60.0
API_7 = {"instance": "api-7:9000", "job": "api"}
CORRELATION = "01JD0000000000000000000000"
Course = Callable[[FloatArray], FloatArray]


def at_once(_name: str, work: Callable[[], Any]) -> Any:
    return work()


def call(tool: str, **arguments: Any) -> ToolCall:
    return ToolCall(f"call-{tool}", tool, arguments)


def says(*calls: ToolCall, text: str = "", cost: Cost | None = None) -> Reply:
    return Reply(calls, text, "scripted-1", cost or Cost(100, 10, 0.001, 1))


def submits(**changes: Any) -> Reply:
    """A valid final answer."""
    answer = {"status": "warning", "outcome": "inconclusive", "summary": "Nothing else moved on this target."}
    return says(call("submit_analysis", **answer | changes))


@dataclass
class Scripted:
    """A ModelClient: gives its replies in turn and raises those that are errors."""

    replies: Sequence[Reply | Exception]
    name: str = "scripted"
    asked: list[tuple[Trail, tuple[str, ...], str, bool]] = field(default_factory=list)

    def ask(self, system: str, trail: Trail, tools: Sequence[ToolSpec], *, role: str, critical: bool = False) -> Reply:
        self.asked.append((trail, tuple(tool.name for tool in tools), role, critical))
        reply = self.replies[len(self.asked) - 1]
        if isinstance(reply, Exception):
            raise reply
        return reply


class Number(BaseModel, extra="forbid"):
    value: float = 1.0
    limit: int = 10


def counter_tool(*, repeatable: bool = False) -> tuple[Tool, list[float]]:
    """A tool that answers with the number it was given, and the list of what it was asked."""
    asked: list[float] = []

    def answer(arguments: Number) -> ToolResult:
        asked.append(arguments.value)
        return ToolResult(ToolStatus.DATA, {"value": arguments.value}, seen={"value": arguments.value})

    return Tool("get_number", "Gives a number.", answer, Number, repeatable), asked


class Target:
    """A Prometheus in memory: every metric is a function of time, on one target."""

    def __init__(self, metrics: dict[str, Course], labels: dict[str, str] | None = None) -> None:
        self.metrics = metrics
        self.labels = API_7 if labels is None else labels

    def query_range(self, query: str, start: float, end: float, step: float) -> QueryAnswer:
        times = np.arange(start, end + step / 2, step)
        name = query.removeprefix("rate(").partition("{")[0].strip()
        found = []
        for metric, course in self.metrics.items():
            if name not in {"", metric} or (not name and not self._matches(query)):
                continue
            values = course(times).astype(float)
            if query.startswith("rate("):
                values = np.gradient(values, times)
            there = np.isfinite(values)
            found.append(Series({"__name__": metric, **self.labels}, times[there], values[there]))
        return QueryAnswer(ToolStatus.DATA if found else ToolStatus.EMPTY, tuple(found))

    def query(self, query: str, at: float | None = None) -> QueryAnswer:
        return self.query_range(query, at or AT, at or AT, 1.0)

    def series(self, match: str, start: float, end: float) -> SeriesAnswer:
        return SeriesAnswer(ToolStatus.DATA, tuple({"__name__": metric, **self.labels} for metric in self.metrics))

    def metadata(self, metric: str = "") -> dict[str, MetricMetadata]:
        return {"http_requests_total": MetricMetadata("counter", "Requests served.", "")}

    def _matches(self, query: str) -> bool:
        return all(f'{name}="{value}"' in query for name, value in self.labels.items() if f"{name}=" in query) and any(
            f'{name}="{value}"' in query for name, value in self.labels.items()
        )


def steady(level: float, wobble: float = 0.0) -> Course:
    return lambda times: level + wobble * np.sin(times / 7.0)


def leak(level: float, begins: float, per_minute: float, wobble: float = 0.0) -> Course:
    return lambda times: (
        level + np.where(times > begins, (times - begins) * per_minute / 60.0, 0.0).round() + wobble * np.sin(times / 7.0)
    )


def counting(per_second: float) -> Course:
    return lambda times: (times - 1.79e9) * per_second


def leaking_api() -> Target:
    """Open files leak from 14:01, memory follows two minutes later, all else is steady."""
    return Target(
        {
            "process_open_fds": leak(61, AT - 14 * MINUTE, 100),
            "process_resident_memory_bytes": leak(1e9, AT - 12 * MINUTE, 38e6, wobble=1e6),
            "process_threads": steady(18),
            "http_requests_total": counting(212),
            "process_start_time_seconds": steady(1_790_000_000),
            "lens_ticks_total": leak(0, AT - 14 * MINUTE, 1000),
        }
    )


def memory_alert(**changes: Any) -> Alert:
    labels = {"alertname": "LensMemory", "severity": "warning", "watcher": "python", "category": "memory", **API_7}
    query = 'process_resident_memory_bytes{instance="api-7:9000"}'
    return Alert(**{"labels": labels, "annotations": {"lens_query": query}, "starts_at": AT - 11 * MINUTE} | changes)


def toolbox(target: Target, *more: Tool, alerts: Sequence[Alert] = (), clock: Callable[[], float] = lambda: AT) -> Toolbox:
    tools = [
        *promql_tools(target),
        suspect_tool(target, RobustDetector()),
        release_tool(target),
        *alert_tools(lambda: alerts, lambda: ()),
        *more,
    ]
    return Toolbox(tools, clock)


class Site:
    """An investigator on a target, with real events and telemetry on a database in memory."""

    def __init__(self, target: Target, client: Any, *more: Tool, reviewer: Any = None, **settings: Any) -> None:
        database = Database("sqlite://")
        metadata.create_all(database.engine)
        self.telemetry = Telemetry()
        self.events = Events(database, self.telemetry, clock=lambda: AT)
        self.now = AT + 5.0
        self.steps: list[str] = []
        self.toolbox = toolbox(target, *more, alerts=[memory_alert()], clock=lambda: AT)
        self.investigator = Investigator(
            client=lambda: client,
            reviewer=lambda: reviewer,
            toolbox=lambda _group: self.toolbox,
            events=self.events,
            telemetry=self.telemetry,
            limits=settings.pop("limits", AgentLimits()),
            clock=lambda: self.now,
            **settings,
        )

    def investigate(self, *alerts: Alert) -> Investigated:
        group = AlertGroup("group", alerts or (memory_alert(),))
        return self.investigator.run("01JD0000000000000000000001", CORRELATION, group, self._step)

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [event.data for event in self.events.query(kind=kind, correlation=CORRELATION)]

    def _step(self, name: str, work: Callable[[], Any]) -> Any:
        self.steps.append(name)
        return read(written(work()))  # what a step returns is stored
