"""What becomes of open alerts after a look: decided from values, before anything is done about it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from lens_exporter.baseline.analyzer import Conclusion
from lens_exporter.baseline.detector import TAIL
from lens_exporter.baseline.underway import Underway
from lens_exporter.model.decision import Anomaly, Departure, Severity
from lens_exporter.watch.alerting import key_for, key_of, target_of
from lens_exporter.watch.flapping import (
    Course,
    Courses,
    calm_at_last,
    calm_since,
    calm_until,
    ended,
    followed,
    readings_needed,
    rested,
    taken_over,
)
from lens_exporter.watch.ports import OpenAlert, Watched

_RANK = {Severity.INFO.value: 0, Severity.WARNING.value: 1, Severity.CRITICAL.value: 2}
# A server that warns may have left series out of its answer; then absence must last this many times longer.
_PATIENCE_WITH_WARNINGS = 12
_ANOTHER_STORY = 1800.0  # seconds


class OverReason(StrEnum):
    NORMAL = "normal"  # enough normal readings in a row
    MISSING = "missing"  # its series are gone
    SUPERSEDED = "superseded"  # the same anomaly fires with a higher severity
    EXPECTED = "expected"  # somebody has declared it to be in order


@dataclass(frozen=True, slots=True)
class Begin:
    """An anomaly without an open alert; the cooldown has yet to admit it."""

    anomaly: Anomaly


@dataclass(frozen=True, slots=True)
class Update:
    """An open alert gets new annotations; its labels and start stay, also where another metric of its group carries it now."""

    open: OpenAlert
    anomaly: Anomaly


@dataclass(frozen=True, slots=True)
class Escalate:
    """An open alert is replaced by a more severe one of the same story and start."""

    open: OpenAlert
    anomaly: Anomaly


@dataclass(frozen=True, slots=True)
class Over:
    """An open alert ends."""

    open: OpenAlert
    reason: OverReason
    because: str = ""  # in words, where there is more to say


@dataclass(frozen=True, slots=True)
class Rest:
    """An open alert says that it is calm: it came back before, and is over only when that has lasted."""

    open: OpenAlert
    headline: str  # behind the summary
    because: str  # behind the description


Action = Begin | Update | Escalate | Over | Rest


@dataclass(frozen=True, slots=True)
class Memory:
    """What one look leaves for the next, by key of the alert.

    It is lost in a restart, which delays an end, may let a story go on under what another rule told, and costs a page where an
    alert flaps.
    """

    anomalous_at: Mapping[str, float] = field(default_factory=dict)  # newest judged moment that was an anomaly
    missing_since: Mapping[str, float] = field(default_factory=dict)  # first of the unbroken looks that found no value
    own: frozenset[str] = frozenset()  # keys of open alerts that their own rule told last, and not their group
    courses: Courses = field(default_factory=dict)  # of alerts that were over less than an hour ago, or came back so soon
    departures: Mapping[str, tuple[Departure, ...]] = field(default_factory=dict)  # all that half an hour told since they began

    def without_absences(self) -> "Memory":
        """Forget absences: after a look that failed nobody knows whether they lasted."""
        return replace(self, missing_since={})


def plan(
    open_alerts: Sequence[OpenAlert],
    conclusions: Sequence[Conclusion],
    memory: Memory,
    at: float,
    watched: Watched,
    *,
    unreadable: Collection[str] = (),
    warned: bool = False,
) -> tuple[list[Action], Memory]:
    """Decide what to do about each anomaly and each open alert of this watcher.

    unreadable names categories with a metric that could not be read: their alerts do not end. warned: the server warned.
    """
    told = {one.alert.labels.get("category") for one in open_alerts}
    # A key takes its time, and of thousands of targets hardly one is about to change.
    concerned = (one for one in conclusions if isinstance(one.decision, Anomaly) or one.category in told)
    by_key = {key_for(conclusion, watched.name): conclusion for conclusion in concerned}
    opened, actions = _most_severe(open_alerts)
    own = {
        key for key in opened if _speaks_for_itself(by_key.get(key)) or (key in memory.own and not _told_together(by_key.get(key)))
    }
    memory = replace(memory, own=frozenset(own))
    anomalous_at, missing_since, courses = {}, {}, memory.courses
    departures = _told_by_half_an_hour(by_key, opened, memory)
    for key, conclusion in by_key.items():
        if isinstance(conclusion.decision, Anomaly):
            anomalous_at[key] = at
            going_on = carried_on(conclusion.decision, opened, by_key, memory, watched) if key not in opened else []
            anomalous_at |= dict.fromkeys(going_on, at)
            if conclusion.decision.group is not None and key not in opened and not going_on:
                courses = taken_over(courses, key, conclusion.decision.group)
            actions += [_about(opened[one], conclusion.decision) for one in going_on] or [
                _about(opened.get(key), conclusion.decision)
            ]
    courses = followed(courses, opened.keys(), anomalous_at.keys(), at, watched)
    for key, one in opened.items():
        if key in anomalous_at:
            continue
        if memory.anomalous_at.get(key, at + 1) <= at:  # a clock that was set back must not keep an alert open
            anomalous_at[key] = memory.anomalous_at[key]
        if one.alert.labels.get("category") in unreadable:
            continue
        found = by_key.get(key)
        if found is not None and not found.missing:
            # After a restart, or a clock that was set back, nobody knows: then as if the reading before this one had been.
            since = anomalous_at.setdefault(key, at - watched.step)
            actions += _calm(one, found, since, courses.get(key), at, watched)
            continue
        missing_since[key] = min(at, memory.missing_since.get(key, at))
        # Where readings are rare, one that is missing is no absence: as many are asked for as would be of normal ones.
        patience = max(watched.missing_after, watched.resolve_after * watched.step) * (_PATIENCE_WITH_WARNINGS if warned else 1)
        if at - missing_since[key] >= patience:
            actions.append(Over(one, OverReason.MISSING))
    courses |= _left_by(actions, courses, anomalous_at, own, at, watched)
    own |= {key for key in by_key.keys() - opened.keys() if _speaks_for_itself(by_key[key])}  # they begin
    return actions, Memory(anomalous_at, missing_since, frozenset(own), courses, departures)


def underway(open_alerts: Sequence[OpenAlert], memory: Memory) -> tuple[Underway, ...]:
    """Give what open alerts are about, for the next look; memory is what the last one has left."""
    return tuple(
        Underway(one.alert.labels.get("category", ""), target_of(one.alert), memory.departures.get(key_of(one.alert)))
        for one in open_alerts
    )


def _told_by_half_an_hour(
    by_key: Mapping[str, Conclusion], opened: Collection[str], memory: Memory
) -> dict[str, tuple[Departure, ...]]:
    """Give what half an hour has told of each anomaly since it began. Of an alert that a restart has left nobody knows at first."""
    departures = {key: told for key, told in memory.departures.items() if key in opened}
    for key, conclusion in by_key.items():
        decision, known = conclusion.decision, departures.get(key, ())
        if isinstance(decision, Anomaly) and (decision.departures or key in departures or key not in opened):
            departures[key] = (*known, *(one for one in decision.departures if one not in known))
    return departures


def _calm(one: OpenAlert, found: Conclusion, since: float, course: Course | None, at: float, watched: Watched) -> list[Action]:
    """Say what becomes of an open alert whose series are no anomaly; since: when they were last.

    The last readings have to be calm, as many as can be told; where more are needed, the others only were no anomaly. Nor do calm
    readings alone tell: of what is told of many together, or of a trend, each may be inside the band.
    """
    readings = round((at - since) / watched.step)
    if min(found.calm, readings) < watched.resolve_after:
        return []
    if course is None or not course.returns:
        return [Over(one, OverReason.NORMAL)]
    needed = readings_needed(course, watched)
    if readings >= needed:
        return [Over(one, OverReason.NORMAL, calm_at_last(at - since, course))]
    if course.resting:
        return []
    calm_from, until = since + watched.step, since + needed * watched.step
    return [Rest(one, calm_since(calm_from, at), calm_until(until, course, at))]


def _left_by(
    actions: Sequence[Action],
    courses: Courses,
    anomalous_at: Mapping[str, float],
    own: Collection[str],
    at: float,
    watched: Watched,
) -> dict[str, Course]:
    """Give the courses that these actions change."""
    changed = {}
    for action in actions:
        if isinstance(action, Rest):
            key = key_of(action.open.alert)
            changed[key] = rested(courses[key])
        elif isinstance(action, Over) and action.reason is not OverReason.SUPERSEDED:
            key = key_of(action.open.alert)
            about = None if key in own else target_of(action.open.alert)
            changed[key] = ended(courses.get(key), anomalous_at.get(key), at, watched, about=about)
    return changed


def telling_already(anomaly: Anomaly, opened: Mapping[str, OpenAlert]) -> list[str]:
    """Give the keys of open alerts about the group that the anomaly speaks for."""
    if anomaly.group is None:
        return []
    return [key for key, one in opened.items() if anomaly.group.items() <= target_of(one.alert).items()]


def carried_on(
    anomaly: Anomaly,
    opened: Mapping[str, OpenAlert],
    by_key: Mapping[str, Conclusion],
    memory: Memory,
    watched: Watched,
) -> list[str]:
    """Give the keys of the open alerts under which an anomaly's story goes on: those its group's alarm began.

    What carries a group's alarm may change while it lasts. One that an own rule told last, a ceiling for one, tells its own story;
    and what another was about may be over: then this is another story. by_key are this look's conclusions.
    """
    return [
        one
        for one in telling_already(anomaly, opened)
        if one not in memory.own
        and not _speaks_for_itself(by_key.get(one))
        and not _is_over(by_key.get(one), memory.courses.get(one), watched)
    ]


def _is_over(conclusion: Conclusion | None, course: Course | None, watched: Watched) -> bool:
    """Say whether what an alert is about has been in order for so long that what its group does now is another story.

    Half an hour, as long as the group's score remembers it: members that lead in turns would be an alert at each turn. Where the
    alert flaps, as long as that needs. What was not looked at, or is missing, is not in order.
    """
    long = max(readings_needed(course, watched), min(TAIL, round(_ANOTHER_STORY / watched.step)))
    return conclusion is not None and not conclusion.missing and conclusion.calm >= long


def _speaks_for_itself(conclusion: Conclusion | None) -> bool:
    return conclusion is not None and isinstance(conclusion.decision, Anomaly) and conclusion.decision.group is None


def _told_together(conclusion: Conclusion | None) -> bool:
    return conclusion is not None and isinstance(conclusion.decision, Anomaly) and conclusion.decision.group is not None


def _about(one: OpenAlert | None, anomaly: Anomaly) -> Action:
    if one is None:
        return Begin(anomaly)
    if _RANK[anomaly.severity.value] > _rank(one):
        return Escalate(one, anomaly)
    return Update(one, anomaly)


def _most_severe(open_alerts: Sequence[OpenAlert]) -> tuple[dict[str, OpenAlert], list[Action]]:
    """Keep one alert for each key. A crash between firing the severe one and resolving the other leaves two."""
    opened: dict[str, OpenAlert] = {}
    leftovers: list[Action] = []
    for one in sorted(open_alerts, key=_rank, reverse=True):
        key = key_of(one.alert)
        if key in opened:
            leftovers.append(Over(one, OverReason.SUPERSEDED))
        else:
            opened[key] = one
    return opened, leftovers


def _rank(one: OpenAlert) -> int:
    return _RANK.get(one.alert.labels.get("severity", ""), 0)
