"""What the answers in a notebook say, in the words of somebody who was there. Every number comes out of a receipt."""

import re
from collections.abc import Iterator

from lens_exporter.baseline import numbers as words
from lens_exporter.investigate.families import Family, family_of
from lens_exporter.investigate.notebook import Course, Notebook, Noted
from lens_exporter.model import labels as label_sets
from lens_exporter.model.analysis import Finding, Health, HealthAnalysis, Hypothesis, HypothesisState, Outcome
from lens_exporter.model.conversation import Answered

OFFLINE = "Offline analyst: statistics only, no model was used."
MODEL_AWAY = "Offline analyst: statistics only, the model went away."
BY_CODE = "Written by code from the receipts: the model handed in no answer."
_METHOD = "Ranked by onset and strength against each series' own past; a cause must have moved no later than the alert's metric."
_CAUSE_SCORE = 2.0  # half-widths of the band: a weaker one is a suspect, not a cause
_FINDINGS = 8
_LABELS = 3  # of a series in a claim
_LABEL_VALUE = re.compile(r"[^{}\"\\\s]{1,60}")
_BACK = 0.25  # of the way it had moved: a value nearer to where it came from is back
_LONGEST_SUMMARY = 500


def conclude(notes: Notebook, signed: str = OFFLINE) -> HealthAnalysis:
    """Draw the conclusion: what moved first and what followed; what stayed; what to look at next.

    A cause is something else than what alerts, outside its normal no later than that. Where only the alert's own resource moved
    the answer is inconclusive. Nothing is wrong when nothing is outside its normal and the alert's query is back.
    """
    active = [one for one in notes.suspects if not one.over]
    own = _own_families(notes)
    effects = [one for one in active if _is_own(one, notes, own)]
    followed = min((one.onset or 0.0 for one in effects), default=notes.task.start)
    slack = max(60.0, 0.1 * (notes.task.at - notes.task.start))
    others = [one for one in active if one not in effects]
    causes = [one for one in others if (one.onset or 0.0) <= followed + slack and abs(one.score) >= _CAUSE_SCORE]
    restarted = [one for one in notes.restarts if one.at <= followed + slack]

    findings = [_moved(one, notes) for one in causes[:3]]
    findings += [Finding(f"a process started at {_clock(one.at, notes)} ({one.metric})", (one.receipt,)) for one in restarted[:1]]
    findings += [_moved(one, notes) for one in effects[:2]]
    findings += [_moved(one, notes) for one in others if one not in causes][:2]
    findings += list(_further(notes))
    outcome = _outcome(notes, active, cause=bool(causes or restarted))
    if outcome is Outcome.NOTHING_WRONG:
        findings = list(_back_to_normal(notes))
    return HealthAnalysis(
        status=_status(notes, outcome),
        outcome=outcome,
        summary=_summary(notes, outcome, causes, effects, signed),
        findings=tuple(findings[:_FINDINGS]),
        hypotheses=tuple(_ruled_out(notes, own)),
        recommendations=tuple(_next(notes, causes, effects, own)) if outcome is not Outcome.NOTHING_WRONG else (),
        reasoning=_METHOD,
    )


def _outcome(notes: Notebook, active: list[Noted], *, cause: bool) -> Outcome:
    if active and cause:
        return Outcome.CAUSE_FOUND
    if not active and notes.judged and not notes.gone and _is_back(notes):
        return Outcome.NOTHING_WRONG
    return Outcome.INCONCLUSIVE


def _is_back(notes: Notebook) -> bool:
    courses = _own_courses(notes)
    return bool(courses) and all(
        abs(one.last - one.first) <= _BACK * (one.high - one.low) or one.high - one.low <= 0.05 * abs(one.high) for one in courses
    )


def _own_courses(notes: Notebook) -> list[Course]:
    """Give the courses of the alerts' own queries, of the target's series where the query has those of others too."""
    asked = [query for pair in notes.task.asked_queries() for query in pair]
    own = [one for one in notes.courses if one.query in asked]
    target = notes.task.target
    return [one for one in own if all(target.get(name, value) == value for name, value in one.labels.items())] or own


def _own_families(notes: Notebook) -> set[str]:
    texts = notes.task.queries or notes.task.names
    return {family.name for text in texts if (family := family_of(text))}


def _is_own(one: Noted, notes: Notebook, own: set[str]) -> bool:
    family = family_of(one.metric)
    return (family is not None and family.name in own) or any(_reads(query, one.metric) for query in notes.task.queries)


def _status(notes: Notebook, outcome: Outcome) -> Health:
    if outcome is Outcome.NOTHING_WRONG:
        return Health.HEALTHY
    return Health.CRITICAL if notes.task.severity == "critical" else Health.WARNING


def _moved(one: Noted, notes: Notebook) -> Finding:
    receipts = [one.receipt, *(course.receipt for course in notes.courses if _shows(course, one))]
    at = f" from {_clock(one.onset, notes)}" if one.onset is not None else ""
    return Finding(f"{_named(one, notes)} {_way(one)}{at}{_speed(one, notes)}", tuple(dict.fromkeys(receipts)))


def _speed(one: Noted, notes: Notebook) -> str:
    """Say how fast it goes since its onset, where it goes along a line."""
    if not one.per_minute or one.per_second or one.onset is None:
        return ""
    speed = words.rate(one.per_minute / 60.0, _unit(one.metric), notes.task.at - one.onset)
    return f", {'up' if one.per_minute > 0 else 'down'} {speed}"


def _shows(course: Course, one: Noted) -> bool:
    return _reads(course.query, one.metric) and all(course.labels.get(name, value) == value for name, value in one.labels.items())


def _reads(query: str, metric: str) -> bool:
    return re.search(rf"(?<![\w:]){re.escape(metric)}(?![\w:])", query) is not None


def _named(one: Noted, notes: Notebook) -> str:
    family = family_of(one.metric)
    # Labels that the target does not have tell its series apart. Values that would not read as one label are left to the receipt.
    own = [name for name, value in sorted(one.labels.items()) if name not in notes.task.target and _LABEL_VALUE.fullmatch(value)]
    metric = label_sets.selector({name: one.labels[name] for name in own[:_LABELS]}, metric=one.metric)
    return f"{family.name} ({metric})" if family else metric


def _way(one: Noted) -> str:
    return f"{_number(one.before, one.metric, one.per_second)} -> {_number(one.after, one.metric, one.per_second)}"


def _number(value: float, metric: str, per_second: bool = False) -> str:
    unit = _unit(metric)
    if not per_second:
        return words.number(value, unit)
    return f"{words.number(value, 'bytes')}/s" if unit == "bytes" else words.number(value, "per_second")


def _unit(metric: str) -> str:
    name = metric.removesuffix("_total")
    return next(
        (unit for ending, unit in (("_bytes", "bytes"), ("_ratio", "ratio"), ("_seconds", "seconds")) if name.endswith(ending)), ""
    )


def _further(notes: Notebook) -> Iterator[Finding]:
    if notes.gone:
        first = notes.gone[0]
        yield Finding(f"{first.metric} has no values after {_clock(first.at, notes)}", (first.receipt,))
    for answered in notes.live:
        claim = _live_claim(answered)
        if claim:
            yield Finding(f"{claim} ({answered.call.name})", (answered.receipt,))
    if len(notes.alerts) > 1:
        names = ", ".join(dict.fromkeys(_one_word(str(row["labels"].get("alertname", ""))) for row in notes.alerts))
        yield Finding(f"{len(notes.alerts)} alerts fire on this target: {names}"[:400], (notes.alerts_receipt,))


def _live_claim(answered: Answered) -> str:
    """Say the most telling of a live tool's answer: the largest group where it has groups, else its first numbers."""
    seen = answered.result.seen
    groups = {name.partition(":")[2]: value for name, value in seen.items() if name.startswith(("pattern:", "outgoing:", "at:"))}
    total = next((name for name in ("open_files", "sockets", "threads") if name in seen), None)
    if groups and total is not None:
        name, count = max(groups.items(), key=lambda item: item[1])
        name = _one_word(name)
        what = total.replace("_", " ")
        return f"{count:,.0f} of {seen[total]:,.0f} {what}: {name}" if count > 1 else f"{seen[total]:,.0f} {what}, no two alike"
    plain = [f"{name} {_number(value, name)}" for name, value in seen.items() if re.fullmatch(r"[a-z_]+", name) and value < 1e9]
    return ", ".join(plain[:4])


def _one_word(name: str) -> str:
    """Keep a name one word, so that digits in it stay part of a name."""
    return re.sub(r"\s", "_", name)[:120]


def _back_to_normal(notes: Notebook) -> Iterator[Finding]:
    yield Finding(f"none of {notes.judged:,} judged series is outside its normal", (notes.judged_receipt,))
    for one in _own_courses(notes)[:2]:
        name = one.labels.get("__name__", "")
        yield Finding(
            f"the alert's own query is at {_number(one.last, name)}, after {_number(one.high, name)} at most", (one.receipt,)
        )


def _ruled_out(notes: Notebook, own: set[str]) -> Iterator[Hypothesis]:
    for one in notes.steady:
        family = family_of(one.metric)
        if family is not None and family.name not in own:
            yield Hypothesis(f"{_named(one, notes)} {_way(one)}", HypothesisState.RULED_OUT, (one.receipt,))


def _next(notes: Notebook, causes: list[Noted], effects: list[Noted], own: set[str]) -> list[str]:
    families: list[Family] = [family for one in [*causes[:1], *effects[:1]] if (family := family_of(one.metric))]
    families += [family for name in sorted(own) if (family := family_of(name.replace(" ", "_")))]
    pid = next(
        (str(one.result.data["pid"]) for one in notes.live if isinstance(one.result.data, dict) and "pid" in one.result.data), "PID"
    )
    return list(dict.fromkeys(family.advice.replace("PID", pid) for family in families if family.advice))[:2]


def _summary(notes: Notebook, outcome: Outcome, causes: list[Noted], effects: list[Noted], signed: str) -> str:
    if outcome is Outcome.NOTHING_WRONG:
        text = "Nothing is wrong now: no judged series is outside its normal, and the alert's own query is back."
    elif causes:
        first = causes[0]
        text = f"{_named(first, notes)} left normal first: {_way(first)} from {_clock(first.onset, notes)}."
        if effects:
            text += f" Then {_named(effects[0], notes)}: {_way(effects[0])} from {_clock(effects[0].onset, notes)}."
    elif outcome is Outcome.CAUSE_FOUND:
        text = f"A process started at {_clock(notes.restarts[0].at, notes)}, and what alerts changed with it."
    elif effects:
        first = effects[0]
        alone = (
            "nothing else moved" if len(effects) == sum(not one.over for one in notes.suspects) else "nothing else moved before it"
        )
        text = f"Inconclusive: {_named(first, notes)} {_way(first)} from {_clock(first.onset, notes)}, {alone}."
    elif notes.ranked:
        text = (
            "Inconclusive: nothing on this target is clearly outside its normal, yet the alert has not gone back to where it was."
        )
    else:
        text = "Inconclusive: no series of this target could be judged."
    text = text[0].upper() + text[1:]
    return f"{text[: _LONGEST_SUMMARY - len(signed) - 1]} {signed}"


def _clock(at: float | None, notes: Notebook) -> str:
    return words.clock(at, notes.task.at) if at is not None else "an unknown time"
