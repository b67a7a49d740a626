"""From scores to decisions: one for each target and category of a watcher."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from lens_exporter.baseline import prose
from lens_exporter.baseline.detector import TAIL
from lens_exporter.baseline.naming import category, narrowed, projected, related, target_name
from lens_exporter.baseline.rules import Judged, Reading, SeriesVerdict, Thresholds, at_rest, judge
from lens_exporter.baseline.underway import Underway
from lens_exporter.model.decision import (
    Anomaly,
    Confidence,
    ContinueObserving,
    Decision,
    Departure,
    Healthy,
    Observation,
    Phase,
    Rule,
    Severity,
)
from lens_exporter.model.labels import Labels

_MANY_READINGS = 6  # a run twice as long as needed, or two rules at once, make an anomaly certain
_MOST_NOTES = 10
# Which rule speaks for an anomaly that several made: the one that says most about what happens next.
_WEIGHT = (Rule.PEERS, Rule.SUSTAINED, Rule.CONSECUTIVE, Rule.JUMP, Rule.GROUP, Rule.MISSING, Rule.CEILING, Rule.EXHAUSTION)


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The decision about one target in one category, and what hysteresis needs to know beside it."""

    category: str
    target: Labels
    decision: Decision
    calm: int  # readings in a row in which no present series was outside its band or beyond its ceiling
    missing: bool  # no series of it has a value now


@dataclass(frozen=True, slots=True)
class Judgement:
    """Everything one look at a watcher's metrics gives. notes is None where there is nothing new to remember."""

    observations: tuple[Observation, ...]
    conclusions: tuple[Conclusion, ...]
    notes: str | None
    quiet: int = 0  # series of large metrics that are as they always are: nothing is concluded about each
    collecting: int = 0  # of those, how many are not known for long enough to be called healthy
    unlisted: int = 0  # of those, how many are not among the observations


class Analyzer:
    """The statistics' side of the seed's AnalyzeBaseline: pure, and the same input gives the same words.

    A reading is one column of the window. Where the window's step is shorter than the scrape interval, Prometheus repeats a
    sample into several columns and "three in a row" can be one sample: keep the step at the scrape interval or above.
    """

    def __init__(
        self,
        thresholds: Thresholds | None = None,
        *,
        target_labels: tuple[str, ...] | None = None,
        cooldown_minutes: float = 5.0,
        observed: int = 500,
    ) -> None:
        """Take what a watcher's configuration says; observed: how many of a large metric's resting series are told one by one."""
        self._thresholds = thresholds or Thresholds()
        self._observed = observed
        self._target_labels = target_labels
        self._cooldown_minutes = cooldown_minutes

    def decide(self, readings: Sequence[Reading], about: Sequence[Underway] = ()) -> Judgement:
        """Judge every series, then decide for each (target, category). about: what is underway, which is always judged."""
        judged = [judge(reading, self._thresholds, about) for reading in readings]
        verdicts = [verdict for one in judged for verdict in one.verdicts]
        groups: dict[tuple[str, frozenset[tuple[str, str]]], list[SeriesVerdict]] = defaultdict(list)
        for one in judged:
            named = category(one.resting.metric)
            for verdict in one.verdicts:
                groups[named, frozenset(self._target(verdict).items())].append(verdict)
        neighbours = _Neighbours(judged)
        conclusions = tuple(self._conclude(named, group, neighbours) for (named, _), group in groups.items())
        resting = [seen for one in judged for seen in one.resting.first(self._observed)]
        quiet = sum(len(one.resting) for one in judged)
        return Judgement(
            (*(v.observation for v in verdicts), *resting),
            conclusions,
            _notes(conclusions),
            quiet=quiet,
            collecting=sum(one.resting.collecting for one in judged),
            unlisted=quiet - len(resting),
        )

    def _target(self, verdict: SeriesVerdict) -> Labels:
        return projected(verdict.observation.target, self._target_labels)

    def _conclude(self, named: str, group: Sequence[SeriesVerdict], neighbours: "_Neighbours") -> Conclusion:
        present = [v for v in group if v.observation.phase is not Phase.MISSING]
        target = self._target(group[0])
        return Conclusion(
            category=named,
            target=target,
            decision=self._decision(named, group, target, neighbours),
            calm=min((v.calm for v in present), default=0),
            missing=not present,
        )

    def _decision(self, named: str, group: Sequence[SeriesVerdict], target: Labels, neighbours: "_Neighbours") -> Decision:
        observations = tuple(v.observation for v in group)
        anomalous = [v for v in group if v.rules]
        if anomalous:
            return self._anomaly(anomalous, target, neighbours)
        worth_noting = [v for v in group if v.observation.phase is Phase.DEVIATING or v.trend is not None]
        if worth_noting:
            return ContinueObserving("; ".join(map(prose.note, worth_noting)), Confidence.MEDIUM, target, observations)
        name = target_name(target)
        if all(v.observation.phase is Phase.MISSING for v in group):
            return ContinueObserving(f"{name} has no value now", Confidence.LOW, target, observations)
        if any(v.observation.phase is not Phase.NORMAL for v in group):
            return ContinueObserving(f"collecting: {name} has too few readings", Confidence.LOW, target, observations)
        certain = all(v.calm >= TAIL for v in group)
        confidence = Confidence.HIGH if certain else Confidence.MEDIUM
        return Healthy(f"{named} of {name} is inside its band", confidence, target, observations)

    def _anomaly(self, anomalous: Sequence[SeriesVerdict], target: Labels, neighbours: "_Neighbours") -> Anomaly:
        carrier = max(anomalous, key=lambda v: (v.critical, len(v.rules), abs(v.observation.score or 0.0)))
        others = neighbours.of(carrier)
        certain = (
            len(carrier.rules) > 1
            or max(carrier.outside, carrier.beyond, carrier.missed, carrier.group.readings if carrier.group else 0)
            >= _MANY_READINGS
        )
        observation = carrier.observation
        how = "missing" if observation.value is None else "high" if carrier.side > 0 else "low"
        return Anomaly(
            anomaly_type=f"{category(carrier.metric)}_{how}",
            severity=_severity(anomalous),
            summary=prose.summary(carrier, others),
            description=prose.description(carrier, others),
            query=narrowed(carrier.metric.query, observation.target, carrier.metric.template),
            target=target,
            rule=max(carrier.rules, key=_WEIGHT.index),
            since=observation.at if observation.since is None else observation.since,
            evidence=(observation, *(v.observation for v in prose.telling(others))),
            confidence=Confidence.HIGH if certain else Confidence.MEDIUM,
            cooldown_minutes=self._cooldown_minutes,
            rules=tuple(sorted({rule for v in anomalous for rule in v.rules}, key=_WEIGHT.index)),
            departures=tuple(Departure(v.metric.name, v.observation.target, v.beside.side) for v in anomalous if v.beside),
            group=carrier.group.labels if carrier.rules == (Rule.GROUP,) and carrier.group else None,
            furthest=max(map(_distance, anomalous)),
        )


def _severity(anomalous: Sequence[SeriesVerdict]) -> Severity:
    """Tell how grave it is: what comes back about the same hour on most days is for those who look, and wakes nobody."""
    if any(v.critical for v in anomalous):
        return Severity.CRITICAL
    return Severity.INFO if all(v.recurs for v in anomalous) else Severity.WARNING


def _distance(verdict: SeriesVerdict) -> float:
    """Give how far out a series is: of its band in half-widths, or its group of the threshold; infinity where nobody knows."""
    score = verdict.observation.score
    own = math.inf if score is None else abs(score)
    group = verdict.group
    if group is None or Rule.GROUP not in verdict.rules:
        return own
    return max(own, group.score / group.threshold) if group.threshold > 0 else math.inf


class _Neighbours:
    """Finds the other series of the same thing. Series with equal labels are compared once, and none before there is a need."""

    def __init__(self, judged: Sequence[Judged]) -> None:
        self._judged = judged
        self._by_labels: dict[frozenset[tuple[str, str]], list[SeriesVerdict]] = defaultdict(list)

    def of(self, carrier: SeriesVerdict) -> list[SeriesVerdict]:
        if not self._by_labels:
            for verdict in (verdict for one in self._judged for verdict in one.verdicts):
                self._by_labels[frozenset(verdict.observation.target.items())].append(verdict)
        target = carrier.observation.target
        told = [
            verdict
            for alike in self._by_labels.values()
            if related(alike[0].observation.target, target)
            for verdict in alike
            if verdict is not carrier
        ]
        resting = [at_rest(one.resting.metric, seen) for one in self._judged for seen in one.resting.near(target)]
        return [verdict for verdict in (*told, *resting) if verdict.observation.phase is not Phase.COLLECTING]


def _notes(conclusions: Sequence[Conclusion]) -> str | None:
    """Join what deviates or trends without being an anomaly; collecting and healthy leave the notes as they are."""
    texts = [
        c.decision.notes
        for c in conclusions
        if isinstance(c.decision, ContinueObserving) and c.decision.confidence is not Confidence.LOW
    ]
    if not texts:
        return None
    more = len(texts) - _MOST_NOTES
    return "; ".join(texts[:_MOST_NOTES]) + (f"; and {more} more" if more > 0 else "")
