"""Alerts that end and come back: how long each has to be calm before it is over. Decided from values."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from lens_exporter.baseline.numbers import clock, number
from lens_exporter.model.labels import Labels
from lens_exporter.watch.ports import Watched

SOON = 3600.0  # seconds; what comes back within them is not over, and none has to be calm for longer


@dataclass(frozen=True, slots=True)
class Course:
    """How the alert of one key comes and goes: kept from its end on, for as long as it comes back soon. Times are Unix seconds."""

    last: float  # newest judged moment that was an anomaly, told or not
    over_at: float | None = None  # when its alert ended; None while it is open
    returns: int = 0  # how often it came back after it was calm for long enough to be over
    returned_at: float = 0.0  # the newest of those
    calm: float = 0.0  # seconds that it has to be without an anomaly before it is over
    paused: bool = False  # a look since then found no anomaly
    gap: float = 0.0  # seconds that it was without one before an anomaly that no open alert has told yet
    resting: bool = False  # its alert says that it is calm
    about: Labels | None = None  # the target of an alert that a group's alarm told last


Courses = Mapping[str, Course]  # by key of the alert


def usual(watched: Watched) -> float:
    """Give the seconds for which an alert that does not flap has to be calm."""
    return watched.resolve_after * watched.step


def readings_needed(course: Course | None, watched: Watched) -> int:
    """Give how many readings without an anomaly an alert has to have before it is over."""
    return watched.resolve_after if course is None else max(watched.resolve_after, round(course.calm / watched.step))


def followed(
    courses: Courses, opened: Collection[str], anomalous: Collection[str], at: float, watched: Watched
) -> dict[str, Course]:
    """Bring courses up to a look: opened and anomalous are keys of open alerts and of anomalies, told or not, of this look.

    An alert that was over and comes back within an hour of calm has to be calm for as long as it was then, and three readings more;
    if that was too little as well, for twice as long; never for more than an hour. One that was calm for an hour is forgotten when
    it is over, and one that has been on for an hour without a break: it does not flap any more.
    """
    soon = max(SOON, usual(watched))
    kept = {}
    for key, course in courses.items():
        if max(course.last, course.over_at or 0.0) > at:
            continue  # the clock was set back
        if at - course.last > soon and (key in anomalous or key not in opened):
            continue
        now = _now(course, key in anomalous, at, usual(watched))
        if key in opened:
            if now.gap:
                now = _returned(now, at, soon, usual(watched))
            if key in anomalous and at - now.returned_at >= soon:
                continue
        elif now.over_at is None:
            now = replace(now, over_at=at)  # somebody else has ended it: it is declared to be expected, for one
        kept[key] = now
    return kept


def ended(course: Course | None, last: float | None, at: float, watched: Watched, *, about: Labels | None) -> Course:
    """Give the course of an alert that ends now; last: when it was last an anomaly, None where nobody knows.

    about is its target where a group's alarm told it last.
    """
    known = course or Course(at - usual(watched) if last is None else last)
    return replace(known, over_at=at, about=about, paused=True, resting=False)


def taken_over(courses: Courses, key: str, group: Labels) -> dict[str, Course]:
    """Give the courses where a group's alarm begins under this key: it goes on with what the group's last alert has left.

    What carries a group's alarm may be another metric each time it comes back.
    """
    if key in courses:
        return dict(courses)
    left = {
        one: course.over_at
        for one, course in courses.items()
        if course.over_at is not None and course.about is not None and group.items() <= course.about.items()
    }
    if not left:
        return dict(courses)
    newest = max(left, key=left.__getitem__)
    return {key if one == newest else one: course for one, course in courses.items()}


def rested(course: Course) -> Course:
    """Give the course of an open alert that says that it is calm."""
    return replace(course, resting=True)


def calm_since(since: float, at: float) -> str:
    """Say in a headline that what it says is over; since: the first reading without an anomaly."""
    return f"calm since {clock(since, at)} UTC"


def calm_until(until: float, course: Course, at: float) -> str:
    """Say why an alert is on while its series are calm; until: when they have been for long enough."""
    return f"It came back {_returns(course)}: it is over when it stays calm until {clock(until, at)} UTC."


def calm_at_last(seconds: float, course: Course) -> str:
    """Say why an alert that flapped is over."""
    return f"it came back {_returns(course)}, and is calm for {number(seconds, 'seconds')} now"


def _now(course: Course, is_anomalous: bool, at: float, usual_calm: float) -> Course:
    if not is_anomalous:
        return course if course.paused else replace(course, paused=True)
    gap = at - course.last
    came_back = course.paused and gap > usual_calm
    return replace(course, last=at, paused=False, gap=gap if came_back else course.gap, resting=False)


def _returned(course: Course, at: float, soon: float, usual_calm: float) -> Course:
    """Count a return. Only one after an end shows that the calm that was asked for is too short."""
    calm = course.calm
    if course.over_at is not None:
        calm = min(max(2 * calm, course.gap + usual_calm), soon)
    return replace(course, over_at=None, returns=course.returns + 1, returned_at=at, calm=calm, gap=0.0)


def _returns(course: Course) -> str:
    if course.returns == 1:
        return "within an hour"
    return f"{'twice' if course.returns == 2 else f'{course.returns} times'}, each time within an hour"
