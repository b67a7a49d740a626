"""The course of a query over the time that was asked for: where it came from, where it is, and whether it is there at all."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lens_exporter.investigate.moments import read
from lens_exporter.model.conversation import Answered
from lens_exporter.model.labels import Labels

_FLAT = 0.05  # of its size: a course that moved less did not move
_BACK = 0.25  # of the way it had moved: a value nearer to where it came from is back
_NEARLY = 0.5  # a single value so near is no sign of the contrary
_CLEAR = 4.0  # of the bends from part to part: among twelve parts of mere noise the furthest are half of that apart
_PARTS = 5
_AWAY = 2.0  # of the usual time between two comings: what is away for longer is over, what came so soon was there before
_LONGER = 2.0  # of the longest coming before: what is there for longer has stayed
_LEAD = 600.0  # seconds: a rule waits before it alerts
_DAILY = 6 * 3600.0  # seconds, in which what comes each day goes far
_LONG, _STEPS = 60.0, 2.5  # seconds, and points of the range: a range that lacks less at an end is whole there


@dataclass(frozen=True, slots=True)
class Course:
    """One series of a promql_range answer. Times are Unix seconds."""

    receipt: str
    query: str
    labels: dict[str, str]
    first: float
    last: float
    low: float
    high: float
    trend: str
    per_minute: float
    mean: float
    buckets: tuple[float | None, ...]  # means of equal parts of the range, None where there is nothing
    asked_from: float
    asked_to: float
    begin: float  # when it had its first value
    until: float  # when it had its last value
    begun_late: bool  # the range begins without it, so where it came from is not known
    ended: bool  # the range ends without it

    @property
    def flat(self) -> bool:
        """Whether it hardly moved."""
        return self.high - self.low <= _FLAT * max(abs(self.high), abs(self.low))

    def came_back(self, alerting: float) -> bool:
        """Whether it moved and went back to where it was before what alerts since then: known only of one whole at both ends.

        Noise is somewhere else all the time, and where it came from as often as not: the parts of a course tell that it moved. A
        day's course is where it was a day before, and that is not yet where it was when the alert began.
        """
        parts = [part for part in self.buckets if part is not None]
        if self.begun_late or self.ended or self.flat or len(parts) < _PARTS:
            return False
        means = np.array(parts)
        seconds = self.asked_to - self.asked_from
        begun = max(0, int(len(means) * (alerting - _LEAD - self.asked_from) / seconds)) if seconds >= _DAILY else 0
        came_from, since = means[begun], means[begun:]
        way = float((since - came_from)[np.argmax(np.abs(since - came_from))])
        if abs(way) <= _CLEAR * np.median(np.abs(np.diff(means, 2))):
            return False
        last, lately = (self.last - came_from) / way, (means[-1] - came_from) / way
        return bool(last <= _BACK or (lately <= _BACK and last <= _NEARLY))


@dataclass(frozen=True, slots=True)
class Came:
    """How often the alert's own query, or its rule, came and went. Times are Unix seconds."""

    receipt: str
    query: str
    labels: dict[str, str]
    times: int
    level: float  # where it is otherwise; of a rule 0, and 1 where it is met
    there: float
    first_at: float
    last_at: float
    until: float | None  # None: it is there now
    between: float  # seconds from one to the next, usually
    even: bool
    always: bool  # it did so long before it alerted, and before anybody could have seen it begin
    by_rule: bool


def came(answered: Answered, target: Labels, alerting: float, *, by_rule: bool) -> Came | None:
    """Read the long look at what alerts since `alerting` (Unix seconds); by_rule: it is whether the rule is met.

    None where it does not come and go, or no longer does: it has stayed, or stays away. None, too, where it is of several series:
    the one may stay while the other comes and goes.
    """
    arguments, rows = answered.call.arguments, answered.result.data
    if not isinstance(arguments, dict) or not isinstance(rows, list):
        return None
    own = [one for one in rows if all(target.get(name, text) == text for name, text in one["labels"].items())]
    if len(own) != 1 or "comes_and_goes" not in own[0]:
        return None
    row = own[0]["comes_and_goes"]
    first, last = (read(row[name], float("inf")) for name in ("first_at", "last_at"))
    until = read(row["until"], float("inf")) if "until" in row else None
    between, begin, now = row["seconds_from_one_to_the_next"], answered.result.seen["start_at"], answered.result.seen["end_at"]
    if now - last > (_LONGER * row["longest_seconds"] if until is None else _AWAY * between):
        return None
    return Came(
        answered.receipt,
        str(arguments.get("query", "")),
        own[0]["labels"],
        row["times"],
        row["from"],
        row["to"],
        first,
        last,
        until,
        between,
        even=row["even"],
        always=first - begin < _AWAY * between < alerting - first,
        by_rule=by_rule,
    )


def courses(answered: Answered) -> Iterator[Course]:
    """Read the series of one promql_range answer."""
    arguments, rows = answered.call.arguments, answered.result.data
    if not isinstance(arguments, dict) or not isinstance(rows, list):
        return
    seen = answered.result.seen
    for row in rows:
        begin, until = (read(row[name], float("inf")) for name in ("first_at", "last_at"))
        missing = max(_LONG, _STEPS * float(row.get("step", 0.0)))
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
            row["mean"],
            tuple(row["buckets"]),
            seen["start_at"],
            seen["end_at"],
            begin,
            until,
            begun_late=begin - seen["start_at"] > missing,
            ended=seen["end_at"] - until > missing,
        )
