"""Sentences for people who were just woken: what is wrong, what is normal, since when, and what moved with it."""

from collections.abc import Sequence

from lens_exporter.baseline.detector import TAIL
from lens_exporter.baseline.naming import quantity, target_name
from lens_exporter.baseline.numbers import clock, interval, number, rate
from lens_exporter.baseline.rules import Verdict
from lens_exporter.model.decision import Observation, Phase, Rule
from lens_exporter.model.metric import Direction

_MOST_MOVED, _MOST_STILL = 4, 2


def summary(verdict: Verdict) -> str:
    """Say in one line what the series is at and what is normal: "api-7: memory at 92 % of its limit; 36 to 48 % is normal"."""
    metric, observation = verdict.metric, verdict.observation
    words = quantity(metric)
    limited = metric.unit == "ratio" and metric.full == 1.0 and "limit" not in words
    value = number(observation.value, metric.unit) + (" of its limit" if limited else "")
    return f"{target_name(observation.target)}: {words} at {value}; {_normal(observation)}"


def description(verdict: Verdict, others: Sequence[Verdict]) -> str:
    """Say how long, how fast, and what moved with it: `others` are the other series of the same thing, most telling first."""
    lines = [" ".join(_how_long(verdict) + _how_fast(verdict))]
    if others:
        lines.append(_moved(others))
    return "\n".join(line for line in lines if line)


def note(verdict: Verdict) -> str:
    """Say in one clause what is worth remembering about a series that is no anomaly."""
    text = summary(verdict)
    since = verdict.observation.since
    if verdict.outside and since is not None:
        text += f", outside for {_readings(verdict.outside)} since {clock(since, verdict.observation.at)} UTC"
    fast = " ".join(_how_fast(verdict))
    return f"{text}. {fast}" if fast else text


def telling(others: Sequence[Verdict]) -> list[Verdict]:
    """Pick and order what moved with an anomaly: what left its band, furthest first, then what moved inside it."""
    left = sorted((v for v in others if v.observation.phase in {Phase.ANOMALY, Phase.DEVIATING}), key=_furthest_first)
    still = sorted((v for v in others if v.observation.phase is Phase.NORMAL and _visibly_moved(v)), key=_furthest_first)
    return [*left[:_MOST_MOVED], *still[:_MOST_STILL]]


def over(reason: str, at: float, starts_at: float) -> str:
    """Say that an anomaly ended, for the resolved notification."""
    return f"Over at {clock(at, at)} UTC after {number(max(0.0, at - starts_at), 'seconds')}: {reason}."


def _normal(observation: Observation) -> str:
    if observation.lower is None or observation.upper is None or observation.expected is None:
        return "no normal range is known yet"
    # Nothing that was never negative has a negative normal range, whatever the arithmetic of the band says.
    lower = max(0.0, observation.lower) if observation.expected >= 0 and (observation.value or 0.0) >= 0 else observation.lower
    return f"{interval(lower, observation.upper, observation.unit)} is normal"


def _how_long(verdict: Verdict) -> list[str]:
    metric, observation = verdict.metric, verdict.observation
    sentences = []
    # Longer than the readings that were judged nobody knows when it began; the alert's start does.
    known = observation.since is not None and max(verdict.outside, verdict.beyond) < TAIL
    since = f", since {clock(observation.since, observation.at)} UTC" if known and observation.since is not None else ""
    if verdict.outside:
        where = "Above" if verdict.side > 0 else "Below"
        sentences.append(f"{where} its band for {_readings(verdict.outside)}{since}.")
    if Rule.JUMP in verdict.rules:
        sentences.append("It jumped: more than twice any departure in the window, and a second reading confirms it.")
    if Rule.CEILING in verdict.rules and metric.ceiling is not None:
        where = "At or below" if metric.direction is Direction.DOWN else "At or above"
        tail = "" if verdict.outside else since
        sentences.append(f"{where} {number(metric.ceiling, metric.unit)} for {_readings(verdict.beyond)}{tail}.")
    return sentences


def _how_fast(verdict: Verdict) -> list[str]:
    metric, trend, observation = verdict.metric, verdict.trend, verdict.observation
    if trend is None:
        return []
    left = trend.full_at - observation.at
    verb, end = ("Grows", "full") if trend.slope > 0 else ("Falls", "exhausted")
    when = f"{end} at about {clock(trend.full_at, observation.at)}" if left > 0 else f"{end} now"
    return [f"{verb} {rate(trend.slope, metric.unit, left)}: {when} UTC."]


def _moved(others: Sequence[Verdict]) -> str:
    chosen = telling(others)
    if not chosen:
        return "Nothing else tracked here moved."
    return f"Moved with it: {', '.join(_move(verdict) for verdict in chosen)}."


def _move(verdict: Verdict) -> str:
    observation, unit = verdict.observation, verdict.metric.unit
    change = f"{number(observation.expected, unit)} -> {number(observation.value, unit)}"
    if observation.phase is Phase.NORMAL:
        how = "normal"
    elif observation.since is None:
        how = "unusual"
    else:
        how = f"first at {clock(observation.since, observation.at)}"
    return f"{quantity(verdict.metric)} ({change}, {how})"


def _visibly_moved(verdict: Verdict) -> bool:
    observation, unit = verdict.observation, verdict.metric.unit
    return observation.expected is not None and number(observation.expected, unit) != number(observation.value, unit)


def _furthest_first(verdict: Verdict) -> float:
    return -abs(verdict.observation.score or 0.0)


def _readings(count: int) -> str:
    if count >= TAIL:
        return f"at least {count} readings"
    return "1 reading" if count == 1 else f"{count} readings"
