"""The recording rules: what is normal for each series, close to what the detector takes for normal.

The detector's baseline (lens_exporter/baseline/detection) in PromQL, for all series of a watcher at once:

    x         a reading every five minutes; one outside the band counts as the band's edge, so that an incident does not widen it,
              unless nine tenths of the last day were beyond that edge: then the level is a new one and is learnt
    candidate the median of x over 7 d; the median over the last 7 days of the mean of x around the same time of day; the mean
              of the same for one and two weeks ago
    r         x - candidate, for each candidate
    expected  candidate + mean of its r over 7 d, of the candidate with the lowest standard deviation of r over 3 d; the weekly
              one must be clearly better, since it knows two samples at most
    width     `Plan.deviations` x the standard deviation of that r over 7 d, or of half of what x varies around the same time of
              day where that is more (a job that starts at nine is no anomaly at nine), or of 1 % of the range of x and 0.1 % of
              its mean
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lens_exporter.model.duration import duration_text
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.rules.plan import DAY, Plan
from lens_exporter.rules.promql import EXPECTED, RESIDUAL, SAMPLED, VALUE, WIDTH, Recorded, number, recorded, renamed

MEMORY = 7 * DAY
_TRAILING = 3 * DAY
ENOUGH = 0.9  # of a day's residuals must be there before a candidate is trusted
WEEKLY_MUST_WIN = 0.7  # of the lowest other deviation
SHIFTED = 0.1  # of the last day's readings may lie inside, and the level is still a new one
HALF = 0.5  # of what varies around the same time of day
FLOOR_RANGE, FLOOR_LEVEL = 0.01, 0.001
# Labels of a series that rules or alerts set themselves. Two series that differ in one of them only must stay two.
_OURS = ("watcher", "metric", "category", "severity", "alertname")


@dataclass(frozen=True, slots=True)
class RecordingRule:
    """One recording rule. labels are set on what it records."""

    record: str
    expr: str
    labels: dict[str, str]


def values(plan: Plan) -> list[RecordingRule]:
    """Record each query's answer under one name, so that everything else reads a plain series."""
    return [RecordingRule(VALUE, _query(metric, plan), {"metric": metric.name, "watcher": plan.watcher}) for metric in plan.metrics]


def stages(plan: Plan) -> list[list[RecordingRule]]:
    """Give the rules of the band; those of one stage read what the stages before have recorded."""
    value, sampled, residual, expected, width = (
        recorded(name, plan.step if name == VALUE else plan.every, watcher=plan.watcher)
        for name in (VALUE, SAMPLED, RESIDUAL, EXPECTED, WIDTH)
    )
    return [
        [RecordingRule(SAMPLED, _sampled(value, expected, width), {})],
        [RecordingRule(RESIDUAL, expr, {"lens_baseline": name}) for name, expr in _residuals(sampled, plan)],
        [
            RecordingRule(EXPECTED, _expected(sampled, residual, plan), {}),
            RecordingRule(WIDTH, _width(sampled, residual, plan), {}),
        ],
    ]


def current(quantity: Recorded) -> str:
    """Read the band as of its last evaluations; one that failed must not take the band away."""
    return f"last_over_time({quantity.over(3 * quantity.interval)})"


def _query(metric: BaselineMetric, plan: Plan) -> str:
    if not plan.foreign:
        return metric.query
    # On lines of its own: it may end in a comment.
    expression = f"(\n{metric.query}\n)"
    for label in _OURS:
        expression = renamed(expression, label, f"target_{label}")
    return expression


def _sampled(value: Recorded, expected: Recorded, width: Recorded) -> str:
    centre, half = current(expected), current(width)
    high, low = (f"quantile_over_time({number(q)}, {value.over(DAY)})" for q in (SHIFTED, 1 - SHIFTED))
    return (
        f"{value.latest} - (\n"
        f"  {value.latest} - {centre} - {half} > 0\n"
        f"  unless {high} - {centre} - {half} > 0\n"
        f")\n"
        f"or {value.latest} + (\n"
        f"  {centre} - {half} - {value.latest} > 0\n"
        f"  unless {centre} - {half} - {low} > 0\n"
        f")\n"
        f"or {value.latest}"
    )


def _residuals(sampled: Recorded, plan: Plan) -> list[tuple[str, str]]:
    candidates = {
        "median": f"quantile_over_time(0.5, {sampled.over(MEMORY)})",
        "day": _same_time_of_day("avg_over_time", sampled, plan),
        "week": f"avg without (lens_k) (\n     {_around('avg_over_time', sampled, (MEMORY, 2 * MEMORY), plan)}\n  )",
    }
    return [(name, f"{sampled.latest}\n- {candidate}") for name, candidate in candidates.items()]


def _same_time_of_day(function: str, sampled: Recorded, plan: Plan) -> str:
    """Give the median of what it was on each of the last seven days."""
    days = [k * DAY for k in range(1, 8)]
    return f"quantile without (lens_k) (0.5,\n     {_around(function, sampled, days, plan)}\n  )"


def _around(function: str, sampled: Recorded, ago: Sequence[float], plan: Plan) -> str:
    """Give a function of the readings around each of these moments; `lens_k` tells them apart."""
    return "\n  or ".join(
        f'label_replace({function}({sampled.over(2 * plan.tolerance, back - plan.tolerance)}), "lens_k", "{k}", "", "")'
        for k, back in enumerate(ago, 1)
    )


def _best(residual: str, plan: Plan) -> str:
    """Give the negative deviation of the residuals of the candidate that has the lowest, under its label.

    topk of negative values: bottomk takes gaps for the lowest in range queries of VictoriaMetrics before 2024 (its issue 5506).
    """
    trailing = f"[{duration_text(_TRAILING)}]"
    others, week = (f'{residual.removesuffix("}")},lens_baseline{sign}"week"}}{trailing}' for sign in ("!=", "="))
    return (
        "topk without (lens_baseline) (1, -(\n"
        f"      stddev_over_time({others})\n"
        f"      or stddev_over_time({week}) / {number(WEEKLY_MUST_WIN)}\n"
        f"    ) and count_over_time({residual}{trailing}) >= {number(int(ENOUGH * DAY / plan.every))}\n"
        "  )"
    )


def _expected(sampled: Recorded, residual: Recorded, plan: Plan) -> str:
    return (
        "max without (lens_baseline) (\n"
        f"  {sampled.latest} - ignoring (lens_baseline) group_right () {residual.latest}\n"
        f"  + avg_over_time({residual.over(MEMORY)})\n"
        f"  and {_best(str(residual), plan)}\n"
        ")"
    )


def _width(sampled: Recorded, residual: Recorded, plan: Plan) -> str:
    whole = sampled.over(MEMORY)
    edge = f"{number(HALF)} * {_same_time_of_day('stddev_over_time', sampled, plan)}"
    extent = f"max_over_time({whole}) - min_over_time({whole})"
    floor = f"{number(FLOOR_RANGE)} * ({extent}) + {number(FLOOR_LEVEL)} * abs(avg_over_time({whole}))"
    return (
        f"{number(plan.deviations)} * max without (lens_baseline) (\n"
        f"  stddev_over_time({residual.over(MEMORY)})\n"
        f"  and {_best(str(residual), plan)}\n"
        f'  or label_replace({edge}, "lens_baseline", "edge", "", "")\n'
        f'  or label_replace({floor}, "lens_baseline", "floor", "", "")\n'
        ")"
    )
