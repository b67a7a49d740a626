"""What may be called a cause. Moving together, or first, is not enough: users forgive "inconclusive" sooner than a wrong cause.

A cause is something a receipt names (files of one pattern, a process, a line of code, a release, one series of several, a restart,
another version, a lowered limit), or another resource that left its normal demonstrably earlier and can drive the one that alerts.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lens_exporter.investigate import live
from lens_exporter.investigate.families import family_named, family_of
from lens_exporter.investigate.limits import is_limit, is_share, resource_of
from lens_exporter.investigate.notebook import Event, Notebook, Noted
from lens_exporter.investigate.own import is_named, is_own, own_courses, own_families, place, reading
from lens_exporter.investigate.part import Part
from lens_exporter.investigate.released import came_with, name, release_claim
from lens_exporter.investigate.wording import (
    change,
    measured_rate,
    onset,
    resource,
    sentence,
    speed,
    told_apart,
    unit_of,
    value,
    when,
)
from lens_exporter.model import labels as label_sets
from lens_exporter.model.labels import Labels

_STRONG = 2.0  # half-widths of the band: what moved less drives nothing
_SCRAPES = 2.0  # of them: who is scraped first is first by as much as one
_AHEAD = 3.0  # steps of the grid: an onset less than this ahead of another is as good as the same
_PART = 0.1  # of the largest of its family: what counts less drives nothing
_SOON = 600.0  # seconds: what began anew longer before the trouble is a coincidence
_MOSTLY = 1200.0  # seconds: a long line's begin may be off by more, and what came further away may well be a coincidence
_BREAKDOWN = (0.5, 2.0)  # of the alert's own rise, the rise of the one series that moved
_WHERE = {"cluster", "namespace", "pod", "container", "process"}
_PORT = re.compile(r"(?<=[^:]):\d+$")
_HOSTS = {"instance", "node", "host", "hostname"}
_WHOLE = {"__name__", "cluster", "namespace", "job", "instance", "node"}  # a query with no other label sums its breakdown up


@dataclass(frozen=True, slots=True)
class Cause:
    """text is for the summary, claim for a finding ("" where the driver's own course says it all).

    family is whose advice to follow, next a better step. subject is the series it is about, where that is not what alerts; driven
    says that text tells how both moved.
    """

    text: str
    claim: str
    receipts: tuple[str, ...]
    family: str = ""
    next: str = ""
    subject: Noted | None = None
    driven: bool = False


@dataclass(frozen=True, slots=True)
class Movement:
    """Everything that moved. effects are the alert's own resource, others all else, both by onset; back is no longer outside."""

    effects: tuple[Noted, ...]
    others: tuple[Noted, ...]
    back: tuple[Noted, ...]

    @property
    def first(self) -> Noted | None:
        """Give what of all that alerts moved first."""
        return _first(self.effects)

    def first_of(self, cause: Noted) -> Noted | None:
        """Give what moved first of what alerts where a cause is: what one pod does is not done to another."""
        return _first([one for one in self.effects if not _elsewhere(one.labels, cause.labels)])


def _elsewhere(one: Labels, other: Labels) -> bool:
    """Whether two series are of different pods, or of different hosts where no pod is named.

    Who tells of a pod is another instance than the pod itself, and who tells of a host has a port of its own.
    """
    both = one.keys() & other.keys()
    if any(one[name] != other[name] for name in both & _WHERE):
        return True
    if "pod" in both:
        return False
    if one.get("job") == other.get("job"):  # of one job, another port is another process
        return any(one[name] != other[name] for name in both & _HOSTS)
    return any(_PORT.sub("", one[name]) != _PORT.sub("", other[name]) for name in both & _HOSTS)


def _first(moved: Sequence[Noted]) -> Noted | None:
    return min((one for one in moved if one.onset is not None), key=lambda one: one.onset or 0.0, default=None)


def movement(notes: Notebook) -> Movement:
    """Sort what left its normal; the used bytes and the utilization of one resource are one thing."""
    merged = sorted(_merged(notes.ranking.suspects), key=lambda one: one.onset or 0.0)
    active = [one for one in merged if not one.over]
    own = [one for one in active if is_own(one, notes) and not is_limit(one.metric)]
    own.sort(key=lambda one: place(one, notes))  # what the first alert's query reads comes first, what none reads last
    return Movement(tuple(own), tuple(one for one in active if one not in own), tuple(one for one in merged if one.over))


def _merged(suspects: Sequence[Noted]) -> list[Noted]:
    """Make one of the series that count one resource: the plain one speaks, the earliest onset holds, over is when all are."""
    groups: dict[tuple[str, str], list[Noted]] = {}
    for one in suspects:
        groups.setdefault((resource_of(one.metric), label_sets.selector(one.labels)), []).append(one)
    merged = []
    for group in groups.values():
        speaks = min(group, key=lambda one: (one.over, is_share(one.metric)))
        earliest = min(group, key=lambda one: float("inf") if one.onset is None else one.onset)
        score = max((one.score for one in group), key=abs)
        merged.append(replace(speaks, onset=earliest.onset, within=earliest.within, score=score))
    return merged


def cause(notes: Notebook, moved: Movement) -> Cause | None:
    """Find the cause, the one that is named most plainly first; None is the honest answer to most alerts."""
    named = _named_part(notes, moved, own_families(notes)) or _part_of_course(notes, moved) or _release(notes)
    if named or not moved.effects:
        return named
    driver = _driver(notes, moved)
    lowered = next(_lowered_limits(notes, moved), None)
    return driver or lowered or _one_of_many(notes, moved) or _new_version(notes, moved) or _restart(notes, moved)


def _named_part(notes: Notebook, moved: Movement, families: Sequence[str]) -> Cause | None:
    for part in reversed(live.parts(notes)):  # what was asked later was asked to know it more exactly
        if part.family not in families:
            continue
        for one in (*moved.effects, *moved.others):
            family = family_of(one.metric, one.labels)
            if part.kind not in {"", one.labels.get("kind"), one.labels.get("usage")}:
                continue
            unit = _counted_in(one.metric, per_second=one.per_second)
            if family and family.name == part.family and unit == part.unit and part.explains(one.before, one.after):
                return _is_part(part)
    return None


def _part_of_course(notes: Notebook, moved: Movement) -> Cause | None:
    """Find the part that is the rise of the alert's own query, where the ranking does not show it: it is too young."""
    families, ranked = own_families(notes), {one.metric for one in moved.effects}
    going = [one for one in own_courses(notes) if not one.flat and not one.came_back(notes.task.start)]
    for part in reversed(live.parts(notes)):
        for course in going if part.family in families and not part.kind else ():
            metric, per_second = measured_rate(course)
            if metric in ranked:
                continue
            unit = _counted_in(metric, per_second=per_second) if metric else None
            if unit == part.unit and part.explains(course.first, course.last):
                return replace(_is_part(part), receipts=(part.receipt, course.receipt))
    return None


def _is_part(part: Part) -> Cause:
    return Cause(f"{part.claim}: {part.meaning}", part.claim, (part.receipt,), part.family, part.step)


def _counted_in(metric: str, *, per_second: bool) -> str:
    """Give the unit of a series as parts have it."""
    if per_second:
        return "cores" if value(1.0, metric, per_second=True).endswith("cores") else ""
    return {"bytes": "bytes", "": "count"}.get(unit_of(metric), "")


def _driver(notes: Notebook, moved: Movement) -> Cause | None:
    """Find another resource that left its normal before the alert's began to move at all, and that can drive it."""
    drivers = {name for own in own_families(notes) for name in family_named(own).drivers}
    most: dict[str, float] = {}
    for one in moved.others:
        if one.per_second and (family := family_of(one.metric, one.labels)) is not None:
            most[family.name] = max(most.get(family.name, 0.0), one.after)
    for one in moved.others:
        family = family_of(one.metric, one.labels)
        if family is None or family.name not in drivers or is_limit(one.metric) or one.onset is None:
            continue
        effect = moved.first_of(one)
        if effect is None or effect.onset is None:
            continue
        if one.score < _STRONG or one.after <= one.before or effect.score < 0:
            continue
        ahead = effect.onset - one.onset
        if ahead < max(_AHEAD * notes.ranking.step, _SCRAPES * notes.ranking.scrape) or ahead <= one.within + effect.within:
            continue
        if not one.per_minute and ahead > _SOON:
            continue  # it went, stood still, and nothing followed for as long as that
        if one.per_second and one.after < _PART * most[family.name]:
            continue  # a mail a minute beside the requests
        return _driven(notes, moved, one, effect, family.name)
    return None


def _driven(notes: Notebook, moved: Movement, one: Noted, first: Noted, family: str) -> Cause:
    name, effect = resource(one, notes), resource(first, notes)
    course = f"{change(one)} from {onset(one, notes)}"
    then = f"followed at {onset(first, notes)} ({change(first)})"
    part = _named_part(notes, moved, [family])
    if part is not None:
        text = f"{part.text}. {sentence(f'{name} {course}; {effect} {then}')}"
        return Cause(text, part.claim, part.receipts, family, part.next, one, driven=True)
    text = f"{name} left normal first ({course}{speed(one, notes.task.at)}) and can drive {effect}, which {then}"
    return Cause(text, "", (one.receipt,), family, subject=one, driven=True)


def _lowered_limits(notes: Notebook, moved: Movement) -> Iterator[Cause]:
    for one in (*moved.effects, *moved.others):
        if is_limit(one.metric) and one.after < one.before and is_own(one, notes):
            text = f"the limit was lowered at {when(one.onset, notes)}: {one.metric} {change(one)}"
            yield Cause(text, text, (one.receipt,), "", f"see who changed the limit at {when(one.onset, notes)}", one)


def _one_of_many(notes: Notebook, moved: Movement) -> Cause | None:
    """Find the only one of several series that moved, where its rise is the rise of what alerts."""
    for one in moved.effects:
        extra = told_apart(one.labels, notes.task.target)
        if one.alike < 2 or one.alike_moved != 1 or not extra or is_limit(one.metric):
            continue
        if any(matcher.name in extra for _, selector in reading(one, notes) for matcher in selector.matchers):
            continue  # the alert asks for it alone: that it is this one says nothing new
        for course in own_courses(notes):
            rise = course.last - course.first
            if course.labels.keys() <= _WHOLE and rise and _BREAKDOWN[0] <= (one.after - one.before) / rise <= _BREAKDOWN[1]:
                text = f"it is {label_sets.selector(extra, metric=one.metric)} alone, of {one.alike:,} such series"
                receipts = tuple(dict.fromkeys((one.receipt, course.receipt)))
                family = family_of(one.metric, one.labels)
                return Cause(text, text, receipts, family.name if family else "")
    return None


def _release(notes: Notebook) -> Cause | None:
    one = came_with(notes)
    if one is None:
        return None
    claim, new, old = release_claim(one, notes), name(one.compared.release), name(one.compared.before)
    back = f", or go back to {old}" if notes.task.firing and one.compared.until is None else ""
    step = f"compare {new} with {old}{back}"
    return Cause(f"it came with a release: {claim}", claim, (one.receipt,), "", step, driven=True)


def _new_version(notes: Notebook, moved: Movement) -> Cause | None:
    event = _shortly_before(notes.ranking.deploys, moved)
    if event is None:
        return None
    claim = version_claim(event, notes)
    step = f"compare with the version before, or roll back what was deployed at {when(event.at, notes)}"
    return Cause(f"{claim}, {_just_before(moved)}", claim, (event.receipt,), "", step)


def _restart(notes: Notebook, moved: Movement) -> Cause | None:
    event = _shortly_before(notes.ranking.restarts, moved)
    if event is None or is_named(event.metric, notes):
        return None  # none, or the alert is about the restart itself
    at = when(event.at, notes)
    text = f"a process started at {at}, {_just_before(moved)}"
    step = f"read the log of the start at {at}, and why there was one"
    return Cause(text, start_claim(event, notes), (event.receipt,), "", step)


def _just_before(moved: Movement) -> str:
    first = moved.first
    if first is None or not first.per_minute:
        return "shortly before what alerts left normal"
    return f"about when what alerts began to {'rise' if first.after > first.before else 'fall'}"


def version_claim(event: Event, notes: Notebook) -> str:
    """Write another version as a claim."""
    version = label_sets.selector(told_apart(event.labels, {}), metric=event.metric)
    return f"another version runs since {when(event.at, notes)}: {version}"


def start_claim(event: Event, notes: Notebook) -> str:
    """Write a start as a claim."""
    return f"a process started at {when(event.at, notes)} ({event.metric})"


def _shortly_before(events: Sequence[Event], moved: Movement) -> Event | None:
    first = moved.first
    if first is None or first.onset is None:
        return None
    began, within = first.onset, min(first.within, _MOSTLY)
    fitting = [one for one in events if began - max(_SOON, within) <= one.at <= began + within]
    return min(fitting, key=lambda one: abs(began - one.at), default=None)
