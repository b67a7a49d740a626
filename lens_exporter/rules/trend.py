"""The recording rule of a clear way to the hard limit; baseline/trend.py in PromQL."""

from lens_exporter.baseline.trend import STRETCHES
from lens_exporter.model.metric import BaselineMetric, Direction
from lens_exporter.rules.band import RecordingRule
from lens_exporter.rules.plan import Plan
from lens_exporter.rules.promql import UNTIL_FULL, VALUE, number, recorded

# Least correlation of the readings with their line; 0.95 in Prometheus 2, whose ranges hold a sample more than the 30.
_STRAIGHT = 0.92
_UNIFORM = 12**-0.5  # standard deviation of times spread evenly over a stretch, as a share of its length
_FEW = 10  # readings that must stand before the stretch


def stretch(plan: Plan) -> float:
    """Give how far back a trend is looked for, in seconds."""
    return STRETCHES[-1] * plan.step


def trends(plan: Plan) -> list[RecordingRule]:
    """Record the seconds until each series with a hard limit reaches it, for as long as it clearly heads there.

    Clear means: at a level it was never at in the window before the stretch (a sawtooth always was), moved by more than
    min_change, on a straight line, and there within the horizon.
    """
    labels = {"watcher": plan.watcher}
    return [
        RecordingRule(UNTIL_FULL, _trend(each, plan), {"metric": each.name, **labels})
        for each in plan.metrics
        if each.full is not None
    ]


def _trend(metric: BaselineMetric, plan: Plan) -> str:
    value = recorded(VALUE, plan.step, watcher=plan.watcher, metric=metric.name)
    length = stretch(plan)
    slope, before = f"deriv({value.over(length)})", value.over(plan.window, length)
    falls = metric.direction is Direction.DOWN
    left = f"({number(metric.full or 0.0)} - {value})"
    further, used_to, away = ("<", f"min_over_time({before})", f"-{slope}") if falls else (">", f"max_over_time({before})", slope)
    return (
        f"clamp_min({left} / {slope}, 0) <= {number(plan.horizon)}\n"
        f"and {value} {further} {used_to}\n"
        f"and {away} * {number(length)} > {number(metric.min_change)}\n"
        f"and {away} * {number(round(length * _UNIFORM, 3))} > {number(_STRAIGHT)} * stddev_over_time({value.over(length)})\n"
        f"and count_over_time({before}) >= {_FEW}"
    )
