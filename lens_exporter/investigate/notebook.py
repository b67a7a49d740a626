"""What the offline analyst reads out of a trail: its task, what was asked, and what was answered."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lens_exporter.investigate import task as tasks
from lens_exporter.investigate.moments import read
from lens_exporter.investigate.task import Task
from lens_exporter.model.conversation import Answered, Instruction, Trail

PROCESS_INFO = "lens_python_info"  # tells on which host, and as which process, a target runs


@dataclass(frozen=True, slots=True)
class Noted:
    """One line of rank_suspects: a series that left its normal, or one that did not. Times are Unix seconds."""

    receipt: str
    metric: str
    labels: dict[str, str]
    before: float
    after: float
    score: float
    per_second: bool
    onset: float | None = None
    over: bool = False  # it left its normal and is back
    per_minute: float | None = None  # slope since the onset


@dataclass(frozen=True, slots=True)
class Event:
    """A series that disappeared, or a process that started."""

    receipt: str
    metric: str
    labels: dict[str, str]
    at: float


@dataclass(frozen=True, slots=True)
class Course:
    """One series of a promql_range answer."""

    receipt: str
    query: str
    labels: dict[str, str]
    first: float
    last: float
    low: float
    high: float
    trend: str
    per_minute: float
    until: float  # Unix seconds of its last value


@dataclass(frozen=True, slots=True)
class Notebook:
    """suspects are in the order of the ranking. judged counts the series that had enough history. asked are the calls made."""

    task: Task
    asked: frozenset[str]
    ranked: bool  # some rank_suspects answered with series
    judged: int = 0
    judged_receipt: str = ""
    suspects: tuple[Noted, ...] = ()
    steady: tuple[Noted, ...] = ()
    gone: tuple[Event, ...] = ()
    restarts: tuple[Event, ...] = ()
    courses: tuple[Course, ...] = ()
    alerts: tuple[dict[str, Any], ...] = ()
    alerts_receipt: str = ""
    processes: tuple[dict[str, str], ...] = ()  # labels of lens_python_info: process, pid, hostname, pid_namespace
    live: tuple[Answered, ...] = ()  # other tools that answered


def key(name: str, arguments: dict[str, Any] | str) -> str:
    """Identify a call as it was written."""
    return json.dumps([name, arguments], sort_keys=True, default=str)


def notebook(trail: Trail) -> Notebook:
    """Read a trail.

    Raises:
        ValueError: it does not begin with a task.

    """
    first = next((one.text for one in trail if isinstance(one, Instruction)), "")
    answered = [one for one in trail if isinstance(one, Answered)]
    ran = [one for one in answered if one.receipt and one.result.holds]
    rankings = [one for one in ran if one.call.name == "rank_suspects" and isinstance(one.result.data, dict)]
    # A later ranking was asked for because the one before it showed too little.
    best = next((one for one in reversed(rankings) if one.result.data["suspects"]), rankings[-1] if rankings else None)
    alerts = next((one for one in reversed(ran) if one.call.name == "list_active_alerts"), None)
    known = {"rank_suspects", "promql_range", "promql_instant", "find_metrics", "list_rules", "list_active_alerts"}
    data = best.result.data if best else {}
    receipt = best.receipt if best else ""
    return Notebook(
        task=tasks.parse(first),
        asked=frozenset(key(one.call.name, one.call.arguments) for one in answered),
        ranked=best is not None,
        judged=int(data.get("judged", 0)),
        judged_receipt=receipt,
        suspects=tuple(_noted(receipt, row) for row in data.get("suspects", ())),
        steady=tuple(_noted(receipt, row) for row in data.get("steady", ())),
        gone=tuple(_event(receipt, row) for row in data.get("gone", ())),
        restarts=tuple(_event(receipt, row) for row in data.get("restarts", ())),
        courses=tuple(course for one in ran if one.call.name == "promql_range" for course in _courses(one)),
        alerts=tuple(alerts.result.data) if alerts and isinstance(alerts.result.data, list) else (),
        alerts_receipt=alerts.receipt if alerts else "",
        processes=tuple(row["labels"] for one in ran if one.call.name == "promql_instant" for row in _processes(one)),
        live=tuple(one for one in ran if one.call.name not in known),
    )


def _processes(answered: Answered) -> list[dict[str, Any]]:
    rows = answered.result.data if isinstance(answered.result.data, list) else []
    return [row for row in rows if row["labels"].get("__name__") == PROCESS_INFO]


def _noted(receipt: str, row: dict[str, Any]) -> Noted:
    return Noted(
        receipt,
        row["metric"],
        row["labels"],
        row["before"],
        row["after"],
        row["score"],
        row["per_second"],
        read(row["onset"], float("inf")) if "onset" in row else None,
        "until" in row,
        row.get("per_minute"),
    )


def _event(receipt: str, row: dict[str, Any]) -> Event:
    return Event(receipt, row["metric"], row["labels"], read(row["at"], float("inf")))


def _courses(answered: Answered) -> Iterator[Course]:
    arguments, rows = answered.call.arguments, answered.result.data
    if not isinstance(arguments, dict) or not isinstance(rows, list):
        return
    for row in rows:
        yield Course(
            answered.receipt,
            str(arguments.get("query", "")),
            row["labels"],
            row["first"],
            row["last"],
            row["min"]["value"],
            row["max"]["value"],
            row["trend"],
            row["per_minute"],
            read(row["last_at"], float("inf")),
        )
