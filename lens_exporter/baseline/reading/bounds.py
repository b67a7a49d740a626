"""How far a model's word reaches: it may hold a new alert back or lower it, for a while, and nothing else. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from lens_exporter.baseline.reading.contract import Said, SaidAnomaly
from lens_exporter.model.decision import Anomaly, Observation, Rule, Severity

RENEWED_AFTER = 3600.0  # seconds from its first deferral on in which a target and category has one allowance and no second one
_NEVER_WAIT = {Rule.CEILING, Rule.EXHAUSTION}
_RANK = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


class ReadingOutcome(StrEnum):
    """What became of a reading; the label of lens_readings_total."""

    CONFIRMED = "confirmed"  # the model sees an anomaly too
    LOWERED = "lowered"  # the alert begins as info
    DEFERRED = "deferred"  # the alert is held back
    REFUSED = "refused"  # it asked for what the bounds do not allow
    NOTED = "noted"  # nothing is new: its notes are kept
    QUIET = "quiet"  # nothing is new, and it has no notes
    URGENT = "urgent"  # not asked: something new may not wait
    CROWDED = "crowded"  # not asked: too much is new at once
    UNREMEMBERED = "unremembered"  # not asked: the database cannot say what was asked before
    INVALID = "invalid"  # no valid answer, also after a correction
    TIMEOUT = "timeout"
    BUDGET = "budget"
    BREAKER = "breaker"
    FAILED = "failed"


class Urgency(StrEnum):
    """Why an anomaly may not wait, whatever a model says."""

    CRITICAL = "critical"
    RULE = "rule"  # beyond its ceiling, or on its way to the hard limit
    FAR = "far"  # far outside its band, or nobody knows how far


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a model may do to one new anomaly of a target and category."""

    times: int = 3  # how often it may hold the alert back
    within: float = 900.0  # seconds in all for which its word stands
    far: float = 3.0  # a score from which on nothing waits
    at_once: int = 3  # with more new anomalies in one look none is asked about

    @property
    def pause(self) -> float:
        """Seconds until it is asked again about what it holds back."""
        return self.within / max(1, self.times)


@dataclass(frozen=True, slots=True)
class Hold:
    """A model's word that stands, or stood within the last hour."""

    story: str
    since: float  # Unix seconds; when it was first asked
    until: float  # its word stands until then
    times: int = 0  # how often it has held the alert back
    lowered: bool = False  # the alert fires, as info; else it is held back
    active: bool = True
    words: str = ""
    anomaly: Anomaly | None = None  # as last seen; unknown after a restart until the next look
    first: Observation | None = None  # its carrying series when it was first asked about; unknown after a restart


@dataclass(frozen=True, slots=True)
class Ruling:
    """What an answer comes to. hold is None where the alert goes out as the statistics said."""

    outcome: ReadingOutcome
    hold: Hold | None = None
    cooldown_minutes: float | None = None


def urgency(anomaly: Anomaly, bounds: Bounds) -> Urgency | None:
    """Say why an anomaly may not wait; None when it may."""
    if anomaly.severity is Severity.CRITICAL:
        return Urgency.CRITICAL
    if _NEVER_WAIT & {anomaly.rule, *anomaly.rules}:
        return Urgency.RULE
    if not anomaly.furthest < bounds.far:  # also where it is NaN
        return Urgency.FAR
    return None


def renewed(hold: Hold, at: float) -> bool:
    """Whether an allowance is over and a new one may begin; a clock that was set back ends it as well."""
    return not hold.since <= at < hold.since + RENEWED_AFTER


def stands(hold: Hold, bounds: Bounds, at: float, next_look: float) -> bool:
    """Whether a model's word still stands, and the next look comes early enough to end it in time."""
    return hold.since <= at < hold.until and next_look <= hold.since + bounds.within


def may_ask(hold: Hold | None, bounds: Bounds, at: float, next_look: float) -> bool:
    """Whether an answer could still change anything."""
    if hold is None:
        return next_look <= at + bounds.within
    return not hold.lowered and hold.times < bounds.times and next_look <= hold.since + bounds.within


def rule(said: Said, anomaly: Anomaly, hold: Hold, bounds: Bounds, at: float, next_look: float) -> Ruling:
    """Turn an answer into what it may do. `hold` is what stood before, or a fresh one that has held nothing back yet."""
    ends = hold.since + bounds.within
    early = next_look <= ends
    if isinstance(said, SaidAnomaly):
        cooldown = _cooldown(said.cooldown_minutes, anomaly, bounds)
        if _RANK[Severity(said.severity)] >= _RANK[anomaly.severity]:
            return Ruling(ReadingOutcome.CONFIRMED, cooldown_minutes=cooldown)
        if not early:
            return Ruling(ReadingOutcome.REFUSED)
        return Ruling(ReadingOutcome.LOWERED, replace(hold, until=ends, lowered=True, active=True), cooldown)
    if not early or hold.times >= bounds.times:
        return Ruling(ReadingOutcome.REFUSED)
    until = min(ends, at + bounds.pause)
    return Ruling(ReadingOutcome.DEFERRED, replace(hold, until=until, times=hold.times + 1, active=True))


def absorbed(hold: Hold, observations: Iterable[Observation]) -> bool:
    """Whether what was held back only looks normal because its baseline has learnt it: it is still outside its old band."""
    first = hold.first
    if first is None or first.value is None or first.lower is None or first.upper is None:
        return False
    values = [one.value for one in observations if (one.metric, one.target) == (first.metric, first.target)]
    if first.value > first.upper:
        return any(value is not None and value > first.upper for value in values)
    return any(value is not None and value < first.lower for value in values)


def _cooldown(proposed: float | None, anomaly: Anomaly, bounds: Bounds) -> float | None:
    """Clamp a proposal: it must not keep the next alert quiet for longer than a deferral may; nothing proposed changes nothing."""
    if not proposed:
        return None
    return min(proposed, max(anomaly.cooldown_minutes, bounds.within / 60.0))
