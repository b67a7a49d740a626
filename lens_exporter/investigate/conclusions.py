"""What the answers in a notebook say, in the words of somebody who was there. Every number comes out of a receipt."""

import re
from collections.abc import Iterator
from dataclasses import replace

from lens_exporter.investigate import live
from lens_exporter.investigate.causes import Cause, Movement, cause, movement, start_claim, version_claim
from lens_exporter.investigate.course import Course
from lens_exporter.investigate.families import FAMILIES, family_named, family_of, of_host
from lens_exporter.investigate.notebook import Notebook, Noted
from lens_exporter.investigate.own import missing, own_courses, own_families
from lens_exporter.investigate.released import alone_claim, release_claim, same_claim
from lens_exporter.investigate.releases import ReleaseVerdict
from lens_exporter.investigate.summaries import away, course_claim, gap_claim, missing_claim, summarised, usual
from lens_exporter.investigate.wording import apart, change, comes_and_goes, measured, onset, series, span, speed, value, when, word
from lens_exporter.model.analysis import Finding, Health, HealthAnalysis, Hypothesis, HypothesisState, Outcome
from lens_exporter.publish.acceptable import shortened

OFFLINE = "Offline analyst: no model was used."
MODEL_AWAY = "Offline analyst: the model went away."
BY_CODE = "Written by code from the receipts: the model handed in no answer."
_METHOD = (
    "Ranked by onset and strength against each series' own past. A cause is what a receipt names (files of one pattern, a process, "
    "a release, one series of several, a restart, another version, a lowered limit) or another resource that left its normal "
    "earlier and can drive what alerts; what only moved too is told, not blamed."
)
_FINDINGS = 8
_LONGEST = 400  # characters of a claim: names of metrics and labels may be of any length
_RULED_OUT = 3
_ABOUT = 1.5  # times
_ASKED_FIRST = ("traffic", "threads", "garbage collection", "CPU")  # what a person would ask about
_RESTART = "restart"


def conclude(notes: Notebook, signed: str = OFFLINE) -> HealthAnalysis:
    """Draw the conclusion: the cause where one is named, what moved, what stayed, what to look at next.

    Where nothing names a cause the answer is inconclusive, with what moved first as a lead. Nothing is wrong when nothing is
    outside its normal and what alerted is over.
    """
    moved = movement(notes)
    found = cause(notes, moved)
    outcome = _outcome(notes, moved, found)
    if outcome is Outcome.NOTHING_WRONG:
        findings = [*_back_to_normal(notes), *(_had_moved(one, notes) for one in moved.back[:2])]
        findings += [Finding(comes_and_goes(notes), (notes.came.receipt,))] if notes.came else []
    else:
        findings = list(_findings(notes, moved, found))
    return HealthAnalysis(
        status=_status(notes, outcome),
        outcome=outcome,
        summary=summarised(notes, outcome, moved, found, signed),
        findings=tuple(replace(one, claim=shortened(one.claim, _LONGEST)) for one in findings[:_FINDINGS]),
        hypotheses=tuple(_ruled_out(notes)),
        recommendations=tuple(_threshold(notes) if outcome is Outcome.NOTHING_WRONG else _next(notes, moved, found)),
        reasoning=_METHOD,
    )


def _outcome(notes: Notebook, moved: Movement, found: Cause | None) -> Outcome:
    if found is not None:
        return Outcome.CAUSE_FOUND
    quiet = not moved.effects and not moved.others and notes.ranking.judged and not notes.ranking.gone
    return Outcome.NOTHING_WRONG if quiet and _is_over(notes) else Outcome.INCONCLUSIVE


def _is_over(notes: Notebook) -> bool:
    """Whether what alerted is over: its rule answers no more, or its course went away and came back.

    A course that never moved is no sign: the alert may be about a level that is too high all the time. Neither is one that
    ended: a rule answers nothing about a series that is gone, or that nobody looks at.
    """
    if any(missing(notes)) or notes.ranking.unseen_since is not None:
        return False
    if notes.came is not None and (not notes.came.always or notes.came.until is None):
        return False
    courses = own_courses(notes)
    back = bool(courses) and all(one.came_back(notes.task.start) for one in courses)
    if notes.conditions:
        return not any(notes.conditions.values()) and (_all_asked(notes) or back)
    return back or (bool(courses) and not notes.task.firing)


def _all_asked(notes: Notebook) -> bool:
    """Whether the rules that answer no more are those of all that fires, and were asked about what there is."""
    firing = [one for one in notes.task.alerts if one["ends_at"] is None]
    names = {str(one["labels"].get("alertname", "")) for one in firing}
    selecting = {one.query for one in notes.courses}
    narrowed = (forms[0] for forms in notes.task.asked_queries() if len(forms) > 1)
    told = not any(one["annotations"].get("lens_query") for one in firing) and not notes.task.left_out
    return told and len(names) <= len(notes.conditions) and all(query in selecting for query in narrowed)


def _status(notes: Notebook, outcome: Outcome) -> Health:
    if outcome is Outcome.NOTHING_WRONG:
        return Health.HEALTHY
    return Health.CRITICAL if notes.task.severity == "critical" else Health.WARNING


def _findings(notes: Notebook, moved: Movement, found: Cause | None) -> Iterator[Finding]:
    """List the cause first, then what alerts, then whatever else is worth a line."""
    subject = found.subject if found else None
    if found is not None and found.claim:
        yield Finding(found.claim, found.receipts)
    if subject is not None and found is not None and found.driven:
        yield _moved(subject, notes)
    yield from (_moved(one, notes) for one in moved.effects[:2])
    again = comes_and_goes(notes, beside=bool(moved.effects or found))
    if notes.came is not None and again:
        yield Finding(again, (notes.came.receipt,))
    yield from (_moved(one, notes) for one in moved.others[:2] if one is not subject)
    yield from (Finding(missing_claim(one, notes), (one.receipt,)) for one in missing(notes))
    yield from (Finding(gap_claim(*gap, notes), (notes.ranking.receipt,)) for gap in notes.ranking.gaps[-1:])
    told = {one.metric for one in notes.ranking.deploys} | {measured(one) for one in missing(notes)}
    for one in [one for one in notes.ranking.gone if one.metric not in told][:1]:
        yield Finding(f"{notes.ranking.gone_count:,} series end: {one.metric} at {when(one.at, notes)}", (one.receipt,))
    named = {part.claim: part.receipt for part in live.parts(notes) if found is None or part.claim != found.claim}
    yield from (Finding(claim, (receipt,)) for claim, receipt in named.items())
    for each in notes.releases:
        if each.compared.alone:
            yield Finding(alone_claim(each), (each.receipt,))
        elif each.compared.verdict is ReleaseVerdict.OTHERWISE:
            yield Finding(release_claim(each, notes), (each.receipt,))
    events = [(version_claim(one, notes), one) for one in notes.ranking.deploys[:1]]
    events += [(start_claim(one, notes), one) for one in notes.ranking.restarts[:1]]
    yield from (Finding(claim, (one.receipt,)) for claim, one in events if found is None or found.claim != claim)
    yield from (Finding(text, (one.receipt,)) for one in notes.live for text in live.sentences(one, notes))
    yield from (_had_moved(one, notes) for one in moved.back[:1])
    if not notes.ranking.receipt or (not moved.effects and notes.came is None and not (found and found.driven)):
        yield from (Finding(course_claim(one, notes), (one.receipt,)) for one in own_courses(notes)[:2])
    if notes.alert_count > 1:
        names = ", ".join(dict.fromkeys(word(str(row["labels"].get("alertname", ""))) for row in notes.alerts))
        yield Finding(f"{notes.alert_count:,} alerts fire on this target: {names}", (notes.alerts_receipt,))


def _moved(one: Noted, notes: Notebook) -> Finding:
    at = f" from {onset(one, notes)}" if one.onset is not None else ""
    claim = f"{_called(one, notes)} {change(one)}{at}{speed(one, notes.task.at)}"
    if one.alike_moved > 1:
        claim += f"; {one.alike_moved:,} of {one.alike:,} such series moved"
    return Finding(claim, _receipts(one, notes))


def _had_moved(one: Noted, notes: Notebook) -> Finding:
    claim = f"{_called(one, notes)} had moved {span(one.onset, one.until, notes)} ({change(one)}) and is back"
    return Finding(claim, _receipts(one, notes))


def _receipts(one: Noted, notes: Notebook) -> tuple[str, ...]:
    shown = (course.receipt for course in notes.courses if _shows(course, one))
    return tuple(dict.fromkeys((one.receipt, *shown)))


def _shows(course: Course, one: Noted) -> bool:
    metric = f"{one.metric}_sum" if one.mean else one.metric
    reads = re.search(rf"(?<![\w:]){re.escape(metric)}(?![\w:])", course.query) is not None
    return reads and all(course.labels.get(name, text) == text for name, text in one.labels.items())


def _called(one: Noted, notes: Notebook) -> str:
    family = family_of(one.metric, one.labels)
    return f"{family.name} ({series(one, notes)})" if family else series(one, notes)


def _back_to_normal(notes: Notebook) -> Iterator[Finding]:
    judged = notes.ranking.judged
    yield Finding(f"none of {judged:,} judged series is outside its normal", (notes.ranking.receipt,))
    for one in own_courses(notes)[:2]:
        last, most = (value(number, measured(one)) for number in (one.last, one.high))
        yield Finding(f"the alert's own query is at {last}, after {most} at most", (one.receipt,))


def _ruled_out(notes: Notebook) -> Iterator[Hypothesis]:
    """Say of what could have driven the alert, and of what a person would ask first, that it did not move."""
    same = [one for one in notes.releases if one.compared.as_before]
    for each in same:
        yield Hypothesis(shortened(same_claim(each, notes), _LONGEST), HypothesisState.RULED_OUT, (each.receipt,))
    if len(same) < len(notes.releases) or _always_so(notes):
        return
    own = own_families(notes)
    could = {name for family in own for name in family_named(family).drivers} or {family.name for family in FAMILIES}
    steady = {
        family.name: one
        for one in notes.ranking.steady
        if (family := family_of(one.metric, one.labels)) and family.name not in own and _stayed(one)
    }
    if notes.ranking.starts_known and not notes.ranking.restarts and not notes.ranking.deploys:
        could.add(_RESTART)
    order = (*_ASKED_FIRST[:3], _RESTART, *_ASKED_FIRST[3:], *(family.name for family in FAMILIES))
    chosen = [name for name in dict.fromkeys(order) if name in could and (name in steady or name == _RESTART)]
    for name in chosen[:_RULED_OUT]:
        if name == _RESTART:
            yield Hypothesis("restart (none)", HypothesisState.RULED_OUT, (notes.ranking.receipt,))
        else:
            one = steady[name]
            claim = shortened(f"{name} ({change(one)}, {series(one, notes)})", _LONGEST)
            yield Hypothesis(claim, HypothesisState.RULED_OUT, (one.receipt,))


def _stayed(one: Noted) -> bool:
    """Whether a series that is within its band is about where it was: a wide band rules nothing out."""
    low, high = sorted((abs(one.before), abs(one.after)))
    return high <= _ABOUT * low


def _always_so(notes: Notebook) -> bool:
    """Whether what alerts has been so since there is anything of it: what stayed as it was since then may have come with it."""
    courses = own_courses(notes)
    return bool(courses) and all(one.begun_late and one.begin >= notes.task.start for one in courses)


def _next(notes: Notebook, moved: Movement, found: Cause | None) -> list[str]:
    """Give two steps at most: what follows from the cause, else the usual look at what alerts, where anything was seen of it."""
    if notes.silent:
        return ["see why Prometheus does not answer"]
    if not (notes.ranking.receipt or notes.courses or notes.conditions or notes.live):
        return []
    named = found is not None and bool(found.next)
    steps = [found.next] if found is not None and named else []
    absent, unseen = list(missing(notes)), notes.ranking.unseen_since is not None
    if unseen:
        steps.append("see why Prometheus takes no samples of this target")
    elif absent and not away(notes):
        steps.append(f"see why the target publishes no {word(name) if (name := measured(absent[0])) else 'such series'} any more")
    elif notes.ranking.gone and found is None:
        steps.append("see whether the target runs and answers its scrape")
    if notes.ranking.gaps and not unseen and found is None and not moved.effects:
        steps.append(f"see why Prometheus took no samples of this target {span(*notes.ranking.gaps[-1], notes)}")
    beats = notes.came is not None and notes.came.even and found is None
    if notes.came is not None and beats:
        steps.append(f"see what runs every {apart(notes.came.between)}")
    if not moved.effects:
        steps += _threshold(notes, stays=usual(notes))
    # How to look at what is not there is no advice.
    if (
        not unseen
        and not beats
        and (not absent or len(absent) < len(notes.task.queries))
        and (not named or not (found and found.family))
    ):
        steps += _advice(notes, moved, found)
    return list(dict.fromkeys(steps))[:2]


def _threshold(notes: Notebook, *, stays: bool = False) -> list[str]:
    """Advise where a rule is met by what is usual: all the time, or now and then, in no rhythm, as long as it was looked at."""
    met = stays or (notes.came is not None and notes.came.always and not notes.came.even)
    return ["see whether the alert's threshold fits what is usual here"] if notes.conditions and met else []


def _advice(notes: Notebook, moved: Movement, found: Cause | None) -> Iterator[str]:
    pids = (one.result.data["pid"] for one in notes.live if isinstance(one.result.data, dict) and "pid" in one.result.data)
    pid = str(next(pids, "PID"))
    on_host = any(of_host(query) for query in notes.task.queries)
    for name in [found.family] if found and found.family else own_families(notes):
        family = family_named(name)
        advice = (family.host_advice if on_host else "") or family.advice
        if family.fell_advice:
            went = _went(name, notes, moved)
            advice = family.fell_advice if went < 0 else advice if went > 0 else ""
        if advice:
            yield advice.replace("PID", pid)


def _went(name: str, notes: Notebook, moved: Movement) -> float:
    """Say by how much there is more of what alerts than there was: by its series, else by the course of its query.

    A course with a hole in it shows what was not seen, not what was not there.
    """
    queries = [query for query in notes.task.queries if (family := family_of(query)) and family.name == name]
    ways = {notes.task.direction(query) for query in queries} - {""}
    if len(ways) == 1:  # the rule says which way is worse
        return 1.0 if ways == {"up"} else -1.0
    own = [one for one in (*moved.effects, *moved.others, *moved.back) if _is_of(name, one)]
    if own:
        return own[0].after - own[0].before
    whole = [one for one in own_courses(notes) if not one.begun_late and not notes.ranking.gaps]
    return whole[0].last - whole[0].first if whole else 0.0


def _is_of(name: str, one: Noted) -> bool:
    family = family_of(one.metric, one.labels)
    return family is not None and family.name == name
