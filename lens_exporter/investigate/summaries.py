"""The summary of a conclusion: what a person reads first, and often all they read."""

from lens_exporter.investigate import live, released
from lens_exporter.investigate.causes import Cause, Movement
from lens_exporter.investigate.course import Course
from lens_exporter.investigate.families import family_of
from lens_exporter.investigate.notebook import Notebook, Noted
from lens_exporter.investigate.own import missing, own_courses
from lens_exporter.investigate.wording import (
    apart,
    change,
    comes_and_goes,
    joined,
    measured,
    onset,
    resource,
    sentence,
    series,
    span,
    speed,
    told_apart,
    value,
    when,
    word,
)
from lens_exporter.model import labels as label_sets
from lens_exporter.model.analysis import Outcome

_AWAY = 0.5  # of all series: when so many end, it is the target that is away
_LONGEST = 500
_UNRANKED = "what else moved on this target could not be asked"
_UNPLACED = "no label of the alert says what else to look at"


def summarised(notes: Notebook, outcome: Outcome, moved: Movement, found: Cause | None, signed: str) -> str:
    """Say what was found in a few sentences, the cause first; end with who wrote it, whatever must be cut for that."""
    text = _summary(notes, outcome, moved, found)
    room = _LONGEST - len(signed) - 1
    return f"{text if len(text) <= room else text[: room - 4].rstrip() + ' ...'} {signed}"


def course_claim(one: Course, notes: Notebook) -> str:
    """Write the course of the alert's own query as a claim; of one of several it is said which."""
    several = len(own_courses(notes)) > 1
    extra = told_apart(label_sets.without(one.labels, ["__name__"]), notes.task.target) if several else {}
    of = f" of {label_sets.selector(extra)}" if extra else ""
    first, last, most = (value(number, measured(one)) for number in (one.first, one.last, one.high))
    peak = f", {most} at most" if most not in {first, last} else ""
    # A line through its parts may go down while it ends higher than it began: the one or the other is noise.
    goes = {"rising": one.last > one.first, "falling": one.last < one.first}.get(one.trend, False)
    trend = f" and is {one.trend}" if goes else ""
    return f"the alert's own query{of} went {first} -> {last}{peak}{trend}"


def missing_claim(one: Course, notes: Notebook) -> str:
    """Write that a query of the alerts has no value any more."""
    metric = measured(one)
    return f"{word(metric) if metric else 'the query of the alert'} has no value since {when(one.until, notes)}"


def _summary(notes: Notebook, outcome: Outcome, moved: Movement, found: Cause | None) -> str:
    if outcome is Outcome.NOTHING_WRONG:
        over = comes_and_goes(notes) or "what alerted is over"
        return f"Nothing is wrong now: {over}, and {_none_outside(notes)}{_had_moved(notes, moved)}."
    if found is not None:
        more = () if found.driven else (_explained(found, moved, notes), _beside(notes, moved, found.subject))
        more = (*more[:1], comes_and_goes(notes, beside=True), *more[1:])
        return " ".join(sentence(text) for text in (found.text, *more) if text)
    if unseen(notes):
        return f"Inconclusive: {unseen(notes)}."
    down = away(notes)
    effect = _effect(moved.effects[0], notes) if moved.effects and not down else ""
    absent = down or joined([missing_claim(one, notes) for one in missing(notes)])
    alone = next((released.alone_claim(one) for one in notes.releases if one.compared.alone), "")
    if effect or absent:
        told = [effect, absent, comes_and_goes(notes, beside=True), alone, live.lead(notes), *_leads(notes, moved)]
    else:
        told = [alone, comes_and_goes(notes), _without_effect(notes, moved), live.lead(notes)]
    first, *more_told = filter(None, (*told, *(gap_claim(*gap, notes) for gap in notes.ranking.gaps[-1:] if gap[1])))
    return " ".join((f"Inconclusive: {first}.", *map(sentence, more_told)))


def _explained(found: Cause, moved: Movement, notes: Notebook) -> str:
    """Say how that moved which the cause explains, where several things alert."""
    if not moved.effects:
        return course_claim(own_courses(notes)[0], notes)
    families = ((one, family_of(one.metric, one.labels)) for one in moved.effects)
    return _effect(next((one for one, family in families if family and family.name == found.family), moved.effects[0]), notes)


def _effect(one: Noted, notes: Notebook) -> str:
    return f"{resource(one, notes)} {change(one)} from {onset(one, notes)}{speed(one, notes.task.at)}"


def _leads(notes: Notebook, moved: Movement) -> tuple[str, str]:
    """Say what else there is to go by, where no cause is named."""
    beside = _beside(notes, moved) or _alike(notes, moved)
    if not beside and not notes.ranking.more and not notes.ranking.gone:
        alone = notes.ranking.judged <= len(notes.ranking.suspects)
        beside = "nothing else could be judged" if alone else f"nothing else of {notes.ranking.judged:,} judged series left normal"
    return beside, "no heap profile is published" if notes.no_heap else ""


def _alike(notes: Notebook, moved: Movement) -> str:
    """Say what else moved of the resource that alerts: another metric of it by name, more of its series by how many there are."""
    if not moved.effects:
        return ""
    first = moved.effects[0]
    other = next((one for one in moved.effects if one.metric != first.metric), None)
    if other is not None:
        return f"{series(other, notes)} {_order(other, notes, moved)} ({change(other)})"
    return f"{first.alike_moved:,} of {first.alike:,} such series moved" if first.alike_moved > 1 else ""


def _beside(notes: Notebook, moved: Movement, told: Noted | None = None) -> str:
    """Say what moved beside what alerts first: what else alerts, what does not; before it, with it, after it; and what is back."""
    others = [one for one in (*_alerting_too(moved), *moved.others) if one is not told][:2]
    clauses = [f"{resource(one, notes)} {_order(one, notes, moved)} ({change(one)})" for one in others]
    if moved.back:
        clauses.append(_was(notes, moved))
    return "; ".join(clauses)


def _alerting_too(moved: Movement) -> list[Noted]:
    """Give one series of each other resource that alerts as well."""
    first: dict[str, Noted] = {}
    for one in moved.effects:
        family = family_of(one.metric, one.labels)
        first.setdefault(family.name if family else one.metric, one)
    return list(first.values())[1:]


def _order(one: Noted, notes: Notebook, moved: Movement) -> str:
    first = moved.effects[0] if one in moved.effects else moved.first
    if first is None or first.onset is None or one.onset is None:
        return f"left normal at {onset(one, notes)}"
    ahead = first.onset - one.onset
    if abs(ahead) <= max(notes.ranking.step, notes.ranking.scrape):
        return "moved at the same time"
    if abs(ahead) <= one.within + first.within:
        return f"moved at {onset(one, notes)}, which of them first is not known"
    return f"left normal {apart(ahead)} earlier" if ahead > 0 else f"followed at {onset(one, notes)}"


def _had_moved(notes: Notebook, moved: Movement) -> str:
    return f"; {_was(notes, moved)}" if moved.back else ""


def _was(notes: Notebook, moved: Movement) -> str:
    """Say what had moved and is back: each resource with its own time, two at most."""
    first: dict[str, Noted] = {}
    for one in moved.back:
        first.setdefault(resource(one, notes), one)
    clauses = [f"{name} had moved {span(one.onset, one.until, notes)}" for name, one in first.items()][:2]
    return f"{joined(clauses)} and {'is' if len(clauses) == 1 else 'are'} back"


def _ended(notes: Notebook) -> float:
    return min((one.at for one in notes.ranking.gone), default=notes.task.start)


def gap_claim(begin: float, end: float | None, notes: Notebook) -> str:
    """Write that nothing was sampled for a time: what it looks like then is not what it was."""
    if end is None:
        return f"nothing of this target has been sampled since {when(begin, notes)}"
    return f"nothing of this target was sampled {span(begin, end, notes)}"


def unseen(notes: Notebook) -> str:
    """Say that nobody looks at the target, "" where somebody does."""
    since = notes.ranking.unseen_since
    return "" if since is None else f"{gap_claim(since, None, notes)}: how it is now is not known"


def away(notes: Notebook) -> str:
    """Say that the target is away, where most of its series end; "" where they do not."""
    ranking = notes.ranking
    if not ranking.gone or ranking.gone_count < _AWAY * ranking.looked_at:
        return ""
    ended = f"{ranking.gone_count:,} of {ranking.looked_at:,} series of this target end at {when(_ended(notes), notes)}"
    return f"{ended}: it is down, or is not scraped any more"


def _none_outside(notes: Notebook) -> str:
    return f"none of {notes.ranking.judged:,} judged series is outside its normal"


def usual(notes: Notebook) -> bool:
    """Whether the alert's own query has stayed where it always was: a new pod that is not as those before it has no always."""
    as_before = any(one.compared.as_before and not one.compared.alone for one in notes.releases)
    known = not released.of_deployments(notes) or as_before
    return known and all(one.flat and not one.begun_late for one in own_courses(notes))


def _without_effect(notes: Notebook, moved: Movement) -> str:
    """Say what is known where the alert's own resource is not outside its normal, or could not be judged."""
    ranking, courses = notes.ranking, own_courses(notes)
    if notes.silent:
        return "Prometheus did not answer, so nothing could be judged"
    if not ranking.receipt:
        why = _UNRANKED if notes.unranked else _UNPLACED
        return f"{course_claim(courses[0], notes)}; {why}" if courses else why
    if not ranking.judged:
        return "no series of this target has enough history to be judged"
    if moved.others:
        first = moved.others[0]
        moving = courses and not courses[0].flat and not courses[0].came_back(notes.task.start)
        own = course_claim(courses[0], notes) if moving else "what alerts is not outside its normal"
        return f"{own}; {resource(first, notes)} {change(first)} from {onset(first, notes)}"
    if courses and all(one.flat for one in courses):
        level = value(courses[0].last, measured(courses[0]))
        why = "it alerts on a level that is usual here" if usual(notes) else "what alerts has been so for as long as it is known"
        return f"the alert's own query stays at {level}, and {_none_outside(notes)}: {why}"
    if notes.came is not None:
        return _none_outside(notes)
    if not courses:
        return f"{_none_outside(notes)}{_had_moved(notes, moved)}"
    now, low, high = (value(number, measured(courses[0])) for number in (courses[0].last, courses[0].low, courses[0].high))
    since = when(max(courses[0].begin, courses[0].asked_from), notes)
    course = f"the alert's own query is at {now}, between {low} and {high} since {since}"
    return f"{course}; {_none_outside(notes)}{_had_moved(notes, moved)}"
