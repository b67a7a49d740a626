"""Detectors side by side on a set of machines: quality with an oracle's threshold, their own alarms without one, differences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .bootstrap import Resamples, difference
from .data import BoolArray, FloatArray, Machine
from .machines import Field, Quality, caught_at, field, quality
from .peers import Kept, Peer, group_score
from .report import PER_WEEK, MachineScorer, Target, differences, number, table, within_factor_two


@dataclass(frozen=True, slots=True)
class ServerRun:
    """One detector on one set: group [time] and series [metric, time] per machine; its own alarms [time] per machine, by rule."""

    name: str
    group: Sequence[FloatArray]
    series: Sequence[FloatArray]
    alarms: Mapping[str, Sequence[BoolArray]]


@dataclass(frozen=True, slots=True)
class ServerTargets:
    """What our own detector is to reach on a set, at 1 and 0.2 false alarm-hours per machine-day; delay in minutes."""

    ap: float
    ev1: float
    ev02: float
    hr100: float
    delay: float | None = None


def run_peer(peer: Peer, machines: Sequence[Machine], kept: Kept) -> ServerRun:
    """Score the machines with a peer, history beginning with the train part."""
    series = [
        kept.score(
            peer,
            np.concatenate([each.train, each.test]).T,
            np.concatenate([each.train_times, each.test_times]),
            each.step,
        )
        for each in machines
    ]
    # The rule sees the train part's end too: an alert may be pending when the test part begins.
    alarms = [peer.decide(scores, each.step)[len(each.train) :] for scores, each in zip(series, machines, strict=True)]
    tests = [scores[:, len(each.train) :] for scores, each in zip(series, machines, strict=True)]
    return ServerRun(peer.name, [group_score(each) for each in tests], tests, {peer.decision: alarms})


def run_scorer(name: str, scorer: MachineScorer, machines: Sequence[Machine]) -> ServerRun:
    """Score the machines with a detector of our own kind; its alarms are those of each budget it offers."""
    scores = [scorer(each.train, each.test, each.step) for each in machines]
    alarms = {budget_words(per_week): [each.alarm[per_week] for each in scores] for per_week in scores[0].alarm}
    return ServerRun(name, [each.group for each in scores], [each.series for each in scores], alarms)


def run_chance(machines: Sequence[Machine], seed: int = 0) -> ServerRun:
    """Score with random numbers: what labels that cover many rows or columns give away."""
    random = np.random.default_rng(seed)
    series = [random.random(each.test.shape[::-1]) for each in machines]
    return ServerRun("chance", [random.random(len(each.test)) for each in machines], series, {})


def budget_words(per_week: float) -> str:
    """Say a budget as the tables do."""
    return f"budget of {per_week:g} false alarms a week"


def quality_table(runs: Sequence[ServerRun], machines: Sequence[Machine]) -> str:
    """AP, events at a threshold set by an oracle, delay, HitRate; one row per detector."""
    head = ("detector", "AP", "AP pooled", "ev 1", "ev 0.2", "ev 1 mean", "ev 0.2 mean", "delay", "delay 0.2", "HR 100", "HR 150")
    return table(head, [[run.name, *_figures(quality(machines, run.group, run.series))] for run in runs])


def field_table(runs: Sequence[ServerRun], machines: Sequence[Machine]) -> str:
    """What each detector's own decision does without an oracle."""
    head = ("detector", "its own decision", "false alarm-hours a machine-day", "per machine", "recall", "delay")
    return table(head, [_field_row(run.name, rule, field(machines, alarms)) for run in runs for rule, alarms in run.alarms.items()])


def difference_table(ours: ServerRun, peers: Sequence[ServerRun], machines: Sequence[Machine], resamples: Resamples) -> str:
    """Our figures minus each peer's with 95 % intervals of the paired bootstrap."""
    own = _resampled(ours, machines, resamples)
    rows = {
        peer.name: [difference(*pair) for pair in zip(own, _resampled(peer, machines, resamples), strict=True)] for peer in peers
    }
    return differences(ours.name, ("AP, days drawn", "AP, machines drawn", "ev 1, events drawn", "ev 0.2, events drawn"), rows)


def target_table(ours: ServerRun, machines: Sequence[Machine], targets: ServerTargets) -> str:
    """What our own detector is to reach, and whether it does."""
    seen = quality(machines, ours.group, ours.series)
    rows = [
        Target("AP", targets.ap).row(seen.ap),
        Target("events at 1 alarm-hour a day", targets.ev1).row(seen.ev1),
        Target("events at 0.2", targets.ev02).row(seen.ev02),
        Target("HitRate@100 %", targets.hr100).row(seen.hr100),
    ]
    if targets.delay is not None:
        rows.append(Target("median delay, minutes", targets.delay, at_most=True).row(seen.delay))
    for hours, recall in ((0.2, 0.65), (1.0, 0.85)):
        alarms = ours.alarms.get(budget_words(PER_WEEK[hours]))
        if alarms is not None:
            own = field(machines, alarms)
            rows.append(within_factor_two(f"alarm-hours a day at a set budget of {hours:g}", hours, own.hours_per_day))
            rows.append(Target(f"recall at a set budget of {hours:g}", recall).row(own.recall))
    return table(("target", "aim", "measured", ""), rows)


def _figures(seen: Quality) -> list[str]:
    return [
        number(seen.ap, 3),
        number(seen.ap_pooled, 3),
        *(number(each) for each in (seen.ev1, seen.ev02, seen.ev1_mean, seen.ev02_mean)),
        *(number(each, 0) for each in (seen.delay, seen.delay02)),
        *(number(each) for each in (seen.hr100, seen.hr150)),
    ]


def _field_row(name: str, rule: str, seen: Field) -> list[str]:
    per_machine = " ".join(number(each, 1) for each in seen.per_machine)
    return [name, rule, number(seen.hours_per_day), per_machine, number(seen.recall), number(seen.delay, 0)]


def _resampled(run: ServerRun, machines: Sequence[Machine], resamples: Resamples) -> list[FloatArray]:
    caught = (
        [caught_at(score, each, hours).caught for score, each in zip(run.group, machines, strict=True)] for hours in (1.0, 0.2)
    )
    return [
        resamples.ap_by_days(machines, run.group),
        resamples.ap_by_machines(machines, run.group),
        *(resamples.share(each) for each in caught),
    ]
