"""What the offline analyst reads out of a trail: its task, what was asked, and what was answered."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lens_exporter.investigate import task as tasks
from lens_exporter.investigate.course import Came, Course, came, courses
from lens_exporter.investigate.moments import read
from lens_exporter.investigate.receipts import ANSWERS
from lens_exporter.investigate.releases import Compared, ReleaseVerdict
from lens_exporter.investigate.task import Task
from lens_exporter.model.conversation import Answered, Instruction, Trail
from lens_exporter.model.tool import ToolStatus

PROCESS_INFO = "lens_python_info"  # tells on which host, and as which process, a target runs
_PROMETHEUS = {"rank_suspects", "compare_releases", "promql_range", "promql_instant"}
HEAP = "topk(3, lens_python_tracemalloc_top_bytes{"  # begins the question which lines of code hold memory


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
    mean: bool = False  # of what its _sum and _count count
    onset: float | None = None
    until: float | None = None  # it left its normal and is back since then
    per_minute: float | None = None  # slope since the onset
    within: float = 0.0  # seconds that the onset of a line may be off by
    limit: float | None = None
    full_at: float | None = None  # when it reaches its limit, going on like this
    alike: int = 1  # judged series of its metric on this target
    alike_moved: int = 1  # how many of them left their normal

    @property
    def over(self) -> bool:
        return self.until is not None


@dataclass(frozen=True, slots=True)
class Event:
    """A series that disappeared, a process that started, or another version."""

    receipt: str
    metric: str
    labels: dict[str, str]
    at: float


@dataclass(frozen=True, slots=True)
class Held:
    """A line of code and the bytes it holds, most first."""

    receipt: str
    location: str
    value: float


@dataclass(frozen=True, slots=True)
class Ranked:
    """What rank_suspects answered. suspects are in its order; judged counts the series that had enough history."""

    receipt: str = ""  # "" where it never answered with series
    judged: int = 0
    looked_at: int = 0
    step: float = 0.0  # seconds: onsets are known to about one of them
    scrape: float = 0.0  # seconds between two samples, 0 where they are not known
    suspects: tuple[Noted, ...] = ()
    more: int = 0  # weaker suspects that were not shown
    steady: tuple[Noted, ...] = ()
    gone: tuple[Event, ...] = ()
    gone_count: int = 0
    restarts: tuple[Event, ...] = ()
    deploys: tuple[Event, ...] = ()
    starts_known: bool = False  # some process of the target says when it started
    gaps: tuple[tuple[float, float | None], ...] = ()  # from when to when nothing was sampled, None for until now

    @property
    def unseen_since(self) -> float | None:
        """Since when nothing has been sampled, None where there are samples."""
        return self.gaps[-1][0] if self.gaps and self.gaps[-1][1] is None else None


@dataclass(frozen=True, slots=True)
class Released:
    """A release of a Deployment beside the one before, in a query of what alerts."""

    receipt: str
    query: str
    compared: Compared


@dataclass(frozen=True, slots=True)
class Notebook:
    """asked are the calls made. processes are the labels of lens_python_info: process, pid, hostname, pid_namespace."""

    task: Task
    asked: frozenset[str]
    ranking: Ranked = field(default_factory=Ranked)
    unranked: bool = False  # the ranking was asked for and failed
    silent: bool = False  # and so did every other question to Prometheus
    courses: tuple[Course, ...] = ()
    came: Came | None = None  # how what alerts comes and goes
    releases: tuple[Released, ...] = ()
    conditions: dict[str, bool] = field(default_factory=dict)  # rules' expressions, and whether they still answered anything
    heap: tuple[Held, ...] = ()
    no_heap: bool = False  # it was asked which lines of code hold memory, and nothing publishes that
    alerts: tuple[dict[str, Any], ...] = ()
    alert_count: int = 0
    alerts_receipt: str = ""
    processes: tuple[dict[str, str], ...] = ()
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
    task = tasks.parse(first)
    answered = [one for one in trail if isinstance(one, Answered)]
    ran = [one for one in answered if one.receipt and one.result.holds]
    rankings = [one for one in ran if one.call.name == "rank_suspects" and isinstance(one.result.data, dict)]
    # A later ranking was asked for because the one before it showed too little.
    best = next((one for one in reversed(rankings) if one.result.data["suspects"]), rankings[-1] if rankings else None)
    alerts = next((one for one in reversed(ran) if one.call.name == "list_active_alerts"), None)
    known = {
        "rank_suspects",
        "compare_releases",
        "promql_range",
        "promql_instant",
        "find_metrics",
        "list_rules",
        "list_active_alerts",
    }
    failed = [one for one in answered if one.call.name == "rank_suspects" and one.result.status is ToolStatus.ERROR and one.receipt]
    ranges = [one for one in ran if one.call.name == "promql_range"]
    looked = next((one for one in ranges if one.call.arguments == task.long_look()), None)
    heaps = [one for one in answered if one.receipt and _query(one).startswith(HEAP)]
    return Notebook(
        task=task,
        asked=frozenset(key(one.call.name, one.call.arguments) for one in answered),
        ranking=_ranked(best) if best else Ranked(),
        unranked=bool(failed) and best is None,
        silent=bool(failed) and not any(one.call.name in _PROMETHEUS and one.result.status in ANSWERS for one in answered),
        courses=tuple(course for one in ranges if one is not looked for course in courses(one)),
        came=None if looked is None else came(looked, task.target, task.start, by_rule=bool(task.conditions)),
        releases=tuple(_released(one) for one in ran if one.call.name == "compare_releases"),
        conditions=dict(_conditions(answered, task)),
        heap=tuple(held for one in heaps if one.result.holds for held in _held(one)),
        no_heap=any(one.result.status is ToolStatus.EMPTY for one in heaps),
        alerts=tuple(alerts.result.data) if alerts and isinstance(alerts.result.data, list) else (),
        alert_count=int(alerts.result.seen.get("alerts", 0)) if alerts else 0,
        alerts_receipt=alerts.receipt if alerts else "",
        processes=tuple(row["labels"] for one in ran if one.call.name == "promql_instant" for row in _processes(one)),
        live=tuple(one for one in ran if one.call.name not in known),
    )


def _released(answered: Answered) -> Released:
    data = answered.result.data
    names = ("release", "before", "beside", "pods", "level", "own", "was", "most", "least")
    verdict, since = ReleaseVerdict(data["verdict"]), read(data["since"], float("inf"))
    until = read(data["until"], float("inf")) if data.get("until") else None
    compared = Compared(verdict, since=since, until=until, **{name: data[name] for name in names})
    return Released(answered.receipt, _query(answered), compared)


def _ranked(answered: Answered) -> Ranked:
    data, receipt = answered.result.data, answered.receipt
    suspects = tuple(_noted(receipt, row) for row in data["suspects"])
    return Ranked(
        receipt=receipt,
        judged=int(data["judged"]),
        looked_at=int(data["looked_at"]),
        step=float(data["step"]),
        scrape=float(data.get("scrape", 0.0)),
        suspects=suspects,
        more=int(data["deviating"]) - len(suspects),
        steady=tuple(_noted(receipt, row) for row in data["steady"]),
        gone=tuple(_event(receipt, row) for row in data["gone"]),
        gone_count=int(data["gone_count"]),
        restarts=tuple(_event(receipt, row) for row in data["restarts"]),
        deploys=tuple(_event(receipt, row) for row in data["deploys"]),
        starts_known=bool(data["starts_known"]),
        gaps=tuple((read(row["begin"], float("inf")), _time(row, "end")) for row in data.get("gaps", ())),
    )


def _query(answered: Answered) -> str:
    arguments = answered.call.arguments
    return str(arguments.get("query", "")) if isinstance(arguments, dict) else ""


def _conditions(answered: list[Answered], task: Task) -> Iterator[tuple[str, bool]]:
    asked = task.asked_conditions()
    for one in answered:
        if one.call.name == "promql_instant" and one.receipt and _query(one) in asked and one.result.status in ANSWERS:
            yield _query(one), one.result.status is ToolStatus.TRUNCATED or any(_of(row, task) for row in one.result.data)


def _of(row: dict[str, Any], task: Task) -> bool:
    """Whether a series is of the target: a rule that could not be narrowed answers for others too."""
    return all(task.target.get(name, value) == value for name, value in row["labels"].items())


def _held(answered: Answered) -> Iterator[Held]:
    for row in answered.result.data if isinstance(answered.result.data, list) else ():
        if row["labels"].get("location"):
            yield Held(answered.receipt, row["labels"]["location"], row["value"])


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
        row.get("mean", False),
        onset=_time(row, "onset"),
        until=_time(row, "until"),
        per_minute=row.get("per_minute"),
        within=row.get("onset_within", 0.0),
        limit=row.get("limit"),
        full_at=_time(row, "full"),
        alike=row.get("alike", 1),
        alike_moved=row.get("alike_moved", 1),
    )


def _time(row: dict[str, Any], name: str) -> float | None:
    return read(row[name], float("inf")) if name in row else None


def _event(receipt: str, row: dict[str, Any]) -> Event:
    return Event(receipt, row["metric"], row["labels"], read(row["at"], float("inf")))
