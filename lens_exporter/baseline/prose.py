"""Sentences for people who were just woken: what is wrong, what is normal, since when, and what moved with it."""

import math
import re
from collections.abc import Sequence

from lens_exporter.baseline.beside import Beside
from lens_exporter.baseline.detector import TAIL
from lens_exporter.baseline.naming import quantity, target_name
from lens_exporter.baseline.numbers import clock, interval, number, rate
from lens_exporter.baseline.rules import SeriesVerdict
from lens_exporter.baseline.trend import Trend
from lens_exporter.baseline.unlike import Unlike
from lens_exporter.model.decision import Observation, Phase, Rule
from lens_exporter.model.metric import BaselineMetric, Direction

_MOST_MOVED, _MOST_STILL = 4, 2
_VISIBLE = 0.2  # of what is expected: a smaller change inside the band is not told
_MATTERS = 0.1  # of the metric's min_change: a smaller one is not told either
_NARROW = 0.1  # of the departure: a band narrower than this reads as one number
_WORTH_TELLING = 0.01  # used part of a limit; 61 of 1,048,576 open files are just 61
_USAGE = "_utilization"  # memory_utilization is the used part of a limit; a metric "memory" beside it is what is used
_BY_LIMIT = re.compile(r"\s+(?:by|of) (?:its|their|the) limit$")
# Few of them as long as all is well: that they did not move is worth a word.
_COMPANIONS = re.compile(r"thread|connection|open_f|fds|process|request")


def summary(verdict: SeriesVerdict, others: Sequence[SeriesVerdict] = ()) -> str:
    """Say in one line what the series is at and what is normal.

    "api-7 uses 92 % of its memory; 36 to 48 % is normal", "api-7 uses 49 of its 512 open files (9.6 %); 5 is normal" where
    `others` have the used part too, "api-7: latency p99 at 1.2 s; 180 to 310 ms is normal".
    """
    metric, observation = verdict.metric, verdict.observation
    leads = verdict.group is not None and verdict.group.leads and Rule.GROUP in verdict.rules
    name, words, value = target_name(observation.target), quantity(metric), number(observation.value, metric.unit)
    if observation.value is None:
        return f"{name}: {words} has no value; {_against(verdict, observation, leads=leads)}"
    if verdict.beside is not None and len(verdict.rules) == 1:
        told = f"{words} at about {_for_half_an_hour(verdict.beside, metric.unit)}; {_beside_what(verdict, verdict.beside)}"
        return f"{name}: {told}" if observation.target else told
    if not observation.target:
        return f"{words} at {value}; {_against(verdict, observation, leads=leads)}"
    twin = next((other for other in others if _same_resource(verdict, other)), None)
    pair = _used_of_limit(verdict, twin)
    if pair is not None:
        used, limit, share = pair
        unit = used.metric.unit
        holds = f"{number(used.observation.value, unit)} of its {number(limit, unit)}"
        wrong = _against(verdict, used.observation, leads=leads)
        return f"{name} uses {holds} {_BY_LIMIT.sub('', words)} ({number(share, 'ratio')}); {wrong}"
    if _is_share(metric) and observation.value is not None:
        return f"{name} uses {value} of its {_BY_LIMIT.sub('', words)}; {_against(verdict, observation, leads=leads)}"
    return f"{name}: {words} at {value}; {_against(verdict, observation, leads=leads)}"


def _is_share(metric: BaselineMetric) -> bool:
    return metric.unit == "ratio" and metric.full == 1.0 and metric.direction is not Direction.DOWN


def _used_of_limit(verdict: SeriesVerdict, twin: SeriesVerdict | None) -> tuple[SeriesVerdict, float, float] | None:
    """Give what is used, its limit and the used part, where two series tell them and the part is worth telling."""
    if twin is None or _is_share(verdict.metric) == _is_share(twin.metric):
        return None
    share, used = (verdict, twin) if _is_share(verdict.metric) else (twin, verdict)
    part, value = share.observation.value, used.observation.value
    if not part or not value or part < _WORTH_TELLING:
        return None
    limit = value / part
    return used, limit if used.metric.unit else float(round(limit)), part


def description(verdict: SeriesVerdict, others: Sequence[SeriesVerdict]) -> str:
    """Say how long, how fast, and what moved with it: `others` are the other series of the same thing, most telling first."""
    lines = [" ".join(_how_long(verdict) + _how_fast(verdict))]
    if neighbours := [other for other in others if not _same_resource(verdict, other)]:
        lines.append(_moved(neighbours))
    return "\n".join(line for line in lines if line)


def note(verdict: SeriesVerdict) -> str:
    """Say in one clause what is worth remembering about a series that is no anomaly."""
    text = summary(verdict)
    since = verdict.observation.since
    if verdict.outside and since is not None:
        # Of more readings than are looked at nobody knows here when they began.
        begun = f" since {clock(since, verdict.observation.at)} UTC" if verdict.outside < TAIL else ""
        text += f", outside for {_readings(verdict.outside)}{begun}"
    fast = " ".join(_how_fast(verdict))
    return f"{text}. {fast}" if fast else text


def telling(others: Sequence[SeriesVerdict]) -> list[SeriesVerdict]:
    """Pick and order what moved with an anomaly: what left its band, furthest first, then what moved inside it."""
    left = sorted((v for v in others if v.observation.phase in {Phase.ANOMALY, Phase.DEVIATING}), key=_telling_first)
    still = sorted((v for v in others if v.observation.phase is Phase.NORMAL and _visibly_moved(v)), key=_furthest_first)
    return [*left[:_MOST_MOVED], *still[:_MOST_STILL]]


def over(reason: str, at: float, starts_at: float) -> str:
    """Say that an anomaly ended, for the resolved notification."""
    return f"Over at {clock(at, at)} UTC after {number(max(0.0, at - starts_at), 'seconds')}: {reason}."


def _against(verdict: SeriesVerdict, observation: Observation, *, leads: bool) -> str:
    """Say what is wrong with a value: what is normal, or when it will be full where that is normal still."""
    value, lower, upper = observation.value, observation.lower, observation.upper
    inside = value is not None and lower is not None and upper is not None and lower <= value <= upper
    if inside and verdict.trend is not None and Rule.EXHAUSTION in verdict.rules:
        return _until(verdict.trend, verdict.observation.at)
    return _normal(observation, leads=leads)


def _until(trend: Trend, at: float) -> str:
    end = "full" if trend.slope > 0 else "exhausted"
    return f"{end} at about {clock(trend.full_at, at)} UTC" if trend.full_at > at else f"{end} now"


def _normal(observation: Observation, *, leads: bool) -> str:
    if observation.lower is None or observation.upper is None or observation.expected is None:
        return "no normal range is known yet"
    value, lower = observation.value or 0.0, _lower(observation, observation.lower, observation.expected)
    if leads and observation.value is not None and lower <= value <= observation.upper:
        # Off by more than half of its band, together with others: the band as a whole would say that nothing is wrong.
        return f"about {number(observation.expected, observation.unit)} is usual at this hour"
    if observation.upper - lower >= _NARROW * abs(value - observation.expected):
        return f"{interval(lower, observation.upper, observation.unit)} is normal"
    counted = not observation.unit and observation.expected.is_integer()
    return f"{'' if counted else 'about '}{number(observation.expected, observation.unit)} is normal"


def _for_half_an_hour(beside: Beside, unit: str) -> str:
    long = f"{'at least ' if beside.longer else ''}{number(beside.seconds, 'seconds')}"
    return f"{number(beside.value, unit)} for {long}"


def _beside_what(verdict: SeriesVerdict, beside: Beside) -> str:
    unit = verdict.metric.unit
    if verdict.unlike is None:
        return f"about {number(beside.expected, unit)} is usual at this hour"
    return _most_of_peers(verdict.unlike, unit)


def _on_average(verdict: SeriesVerdict, beside: Beside) -> str:
    """Say that readings are unusual together, and that none has to be by itself."""
    observation, unit = verdict.observation, verdict.metric.unit
    lower, upper, expected = observation.lower, observation.upper, observation.expected
    since = "" if beside.longer else f", since {clock(beside.since, observation.at)} UTC"
    mean = f"{number(beside.value, unit)} is the mean of its last {beside.readings} readings{since}"
    if verdict.outside or lower is None or upper is None or expected is None:
        return f"{mean}."
    return f"{mean}; single ones may be within {interval(_lower(observation, lower, expected), upper, unit)}."


def _most_of_peers(unlike: Unlike, unit: str) -> str:
    """Say what those that were there before had, on the side where a new one is."""
    who, most = "its peer" if unlike.peers == 1 else f"its {unlike.peers} peers", "most" if unlike.course.side > 0 else "least"
    return f"half hours of {who} had {number(unlike.bound, unit)} at {most}"


def _new_here(unlike: Unlike, observation: Observation) -> str:
    """Say what a new series is held against, since nothing is known of itself, and how many it speaks for."""
    course, unit, more = unlike.course, observation.unit, unlike.alike
    since = clock(course.since, observation.at)
    which = "the pod of its kind that was" if unlike.peers == 1 else f"the {unlike.peers} pods of its kind that were"
    had = f"{interval(unlike.lower, unlike.upper, unit)}, {number(course.expected, unit)} on average"
    mean = f"{number(course.value, unit)} is the mean of its last {course.readings} readings, since {since} UTC."
    alike = f" {more} more that {'is' if more == 1 else 'are'} new {'is' if more == 1 else 'are'} beyond them too." if more else ""
    ends = "This ends when its own past is known, after a day and a half, whatever it has then."
    return f"{mean} It is new: half hours of {which} there before had {had}.{alike} {ends}"


def _lower(observation: Observation, lower: float, expected: float) -> float:
    """Give the lower end of the band: nothing that was never negative has a negative one, whatever its arithmetic says."""
    return max(0.0, lower) if expected >= 0 and (observation.value or 0.0) >= 0 else lower


def _how_long(verdict: SeriesVerdict) -> list[str]:
    metric, observation = verdict.metric, verdict.observation
    sentences = []
    # Longer than the readings that were judged nobody knows when it began; the alert's start does.
    known = observation.since is not None and max(verdict.outside, verdict.beyond) < TAIL
    since = f", since {clock(observation.since, observation.at)} UTC" if known and observation.since is not None else ""
    if verdict.group is not None and verdict.group.leads:
        alarm = verdict.group
        together = f", since {clock(alarm.since, observation.at)} UTC" if alarm.readings < TAIL else ""
        score, most, long = number(alarm.score), number(alarm.threshold), _readings(alarm.readings)
        sentences.append(f"All its metrics together score {score}, where {most} is the most that is normal, for {long}{together}.")
        # Its own run of readings may have begun before its group was told, so that moment is none of the run's.
        since = ""
    if verdict.beside is not None:
        since = ""  # likewise
    if verdict.outside and verdict.unlike is None:  # its own band says little
        where = "Above" if verdict.side > 0 else "Below"
        sentences.append(f"{where} its band for {_readings(verdict.outside)}{since}.")
    if verdict.missed:
        sentences.append(f"Without a value for {_readings(verdict.missed)}{since}; it nearly always has one.")
    if Rule.JUMP in verdict.rules:
        sentences.append("It jumped to a value unlike any that is remembered.")
    if verdict.unlike is not None:
        sentences.append(_new_here(verdict.unlike, observation))
    elif verdict.beside is not None:
        sentences.append(_on_average(verdict, verdict.beside))
    if verdict.recurs:
        sentences.append(f"It did the same about this hour on {verdict.recurs} of the last 7 days.")
    if Rule.CEILING in verdict.rules and metric.ceiling is not None:
        where = "At or below" if metric.direction is Direction.DOWN else "At or above"
        tail = "" if verdict.outside else since
        sentences.append(f"{where} {number(metric.ceiling, metric.unit)} for {_readings(verdict.beyond)}{tail}.")
    return sentences


def _how_fast(verdict: SeriesVerdict) -> list[str]:
    metric, trend, observation = verdict.metric, verdict.trend, verdict.observation
    if trend is None:
        return []
    verb, pace = "Grows" if trend.slope > 0 else "Falls", rate(trend.slope, metric.unit, trend.full_at - observation.at)
    return [f"{verb} {pace}: {_until(trend, observation.at)}."]


def _moved(others: Sequence[SeriesVerdict]) -> str:
    chosen, gone = telling(others), [quantity(v.metric) for v in others if v.observation.phase is Phase.MISSING]
    if not chosen and not gone:
        return "Nothing else tracked here moved."
    moved = f"Moved with it: {', '.join(_move(verdict) for verdict in chosen)}." if chosen else ""
    more = f" and {len(gone) - _MOST_MOVED} more" if len(gone) > _MOST_MOVED else ""
    lost = f"Without a value too: {', '.join(gone[:_MOST_MOVED])}{more}." if gone else ""
    return " ".join(filter(None, (moved, lost)))


def _move(verdict: SeriesVerdict) -> str:
    observation, unit = verdict.observation, verdict.metric.unit
    change = f"{number(observation.expected, unit)} -> {number(observation.value, unit)}"
    if observation.phase is not Phase.NORMAL:
        how = "unusual" if observation.since is None else f"first at {clock(observation.since, observation.at)}"
    else:
        how = "" if _left_its_band(observation) else "normal"
    return f"{quantity(verdict.metric)} ({', '.join(filter(None, (change, how)))})"


def _visibly_moved(verdict: SeriesVerdict) -> bool:
    """Whether a reading that is no deviation is still worth a word: it moved by a part that a person would see in a graph."""
    metric, observation = verdict.metric, verdict.observation
    expected, value = observation.expected, observation.value
    if expected is None or value is None or number(expected, metric.unit) == number(value, metric.unit):
        return False
    change = abs(value - expected)
    if _COMPANIONS.search(metric.name) and not metric.unit:
        return True
    return change >= _MATTERS * metric.min_change and (change >= _VISIBLE * abs(expected) or _left_its_band(observation))


def _left_its_band(observation: Observation) -> bool:
    return observation.score is not None and abs(observation.score) > 1.0


def _same_resource(one: SeriesVerdict, other: SeriesVerdict) -> bool:
    """Whether both count the same thing of the same target: memory and memory_utilization."""
    alike = one.metric.name.removesuffix(_USAGE) == other.metric.name.removesuffix(_USAGE)
    return alike and one.observation.target == other.observation.target


def _telling_first(verdict: SeriesVerdict) -> tuple[float, float]:
    """Order by share in the alarm of the group, then by distance."""
    return (math.inf if verdict.group is None else verdict.group.place, _furthest_first(verdict))


def _furthest_first(verdict: SeriesVerdict) -> float:
    return -abs(verdict.observation.score or 0.0)


def _readings(count: int) -> str:
    if count >= TAIL:
        return f"at least {count} readings"
    return "1 reading" if count == 1 else f"{count} readings"
