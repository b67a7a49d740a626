"""The alerting rules: a watcher's own alerts, as far as a ruler can raise them.

They follow baseline/rules.py: outside the band for three readings on the side that matters and by min_change, at the ceiling for
three readings, or on a clear way to the hard limit. A jump is not told apart: after the third reading it is outside the band.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from lens_exporter.baseline.naming import category
from lens_exporter.baseline.rules import Thresholds
from lens_exporter.model.decision import Severity
from lens_exporter.model.duration import duration_text
from lens_exporter.model.labels import selector
from lens_exporter.model.metric import BaselineMetric, Direction
from lens_exporter.rules import wording
from lens_exporter.rules.band import current
from lens_exporter.rules.plan import Plan
from lens_exporter.rules.promql import EXPECTED, UNTIL_FULL, VALUE, WIDTH, number, recorded
from lens_exporter.watch.alerting import alert_name

_LAST_RUN = "lens_watcher_last_run_timestamp_seconds"


class When(StrEnum):
    """When the alerts of the rules may fire."""

    LENS_IS_DOWN = "when-lens-is-down"  # while the watcher itself has not ticked for a while
    ALWAYS = "always"  # an inhibition rule in Alertmanager tells them from the watcher's own
    NEVER = "never"  # no alerts: recording rules only


@dataclass(frozen=True, slots=True)
class AlertingRule:
    """One alerting rule. Times are seconds."""

    name: str
    expr: str
    pending: float  # it must hold so long before it fires
    kept: float  # it fires on for so long after it held last
    labels: dict[str, str]
    annotations: dict[str, str] = field(default_factory=dict)


def alerts(plan: Plan, when: When) -> list[AlertingRule]:
    """Give for each metric one alert, and one more of higher severity where there is a limit to run into."""
    if when is When.NEVER:
        return []
    found = []
    for metric in plan.metrics:
        level = _Level(metric, plan)
        critical = level.critical()
        warning = [*filter(None, (level.outside(), level.beyond(), level.full_within(plan.horizon)))]
        found.append(_alert(metric, plan, Severity.WARNING, _joined(warning) + _unless(critical) + _gate(plan, when), when))
        if critical:
            found.append(_alert(metric, plan, Severity.CRITICAL, _joined(critical) + _gate(plan, when), when))
    return found


def _alert(metric: BaselineMetric, plan: Plan, severity: Severity, expr: str, when: When) -> AlertingRule:
    thresholds = Thresholds()
    kind = category(metric)
    name = alert_name(kind)
    return AlertingRule(
        name=name,
        expr=expr,
        pending=(thresholds.consecutive - 1) * plan.step,
        kept=thresholds.consecutive * plan.step,
        labels={
            "severity": severity.value,
            "watcher": plan.watcher,
            "category": kind,
            "metric": metric.name,
            "lens_source": "rules",
        },
        annotations=wording.annotations(name, metric, plan, speaks_for_lens=when is When.LENS_IS_DOWN),
    )


class _Level:
    """The conditions under which readings of one metric are an anomaly; each is an expression that gives those that are."""

    def __init__(self, metric: BaselineMetric, plan: Plan) -> None:
        self._metric = metric
        self._expected, self._width = (
            current(recorded(name, plan.every, watcher=plan.watcher, metric=metric.name)) for name in (EXPECTED, WIDTH)
        )
        self._value, self._until_full = (
            recorded(name, plan.step, watcher=plan.watcher, metric=metric.name) for name in (VALUE, UNTIL_FULL)
        )
        self._falls = metric.direction is Direction.DOWN

    def outside(self) -> str:
        """Ask for a reading outside the band, on the side that matters, and far enough from what is expected."""
        metric, value, expected = self._metric, self._value, self._expected
        least = f"clamp_min({self._width}, {number(metric.min_change)})" if metric.min_change else self._width
        relative = f" and abs({value} - {expected}) >= {number(metric.min_change_ratio)} * abs({expected})"
        far = relative if metric.min_change_ratio else ""
        match metric.direction:
            case Direction.UP:
                return f"{value} > {expected} + {least}{far}"
            case Direction.DOWN:
                return f"{value} < {expected} - {least}{far}"
            case Direction.BOTH:
                return f"{value} and abs({value} - {expected}) > {least}{far}"

    def beyond(self) -> str:
        """Ask for one at the ceiling, whatever the baseline."""
        if self._metric.ceiling is None:
            return ""
        return f"{self._value} {'<=' if self._falls else '>='} {number(self._metric.ceiling)}"

    def full_within(self, horizon: float) -> str:
        """Ask for one on a clear way to the hard limit."""
        return f"{self._value} and {self._until_full} <= {number(horizon)}" if self._metric.full is not None else ""

    def critical(self) -> list[str]:
        """Ask for one beyond the ceiling and all but full."""
        metric, thresholds = self._metric, Thresholds()
        if metric.ceiling is None:
            return []
        found = []
        if metric.scale and not self._falls:
            found.append(f"{self._value} >= {number(max(metric.ceiling, thresholds.critical_share * metric.scale))}")
        if metric.full is not None:
            found.append(f"{self.beyond()} and {self._until_full} <= {number(thresholds.critical_within)}")
        return found


def _joined(conditions: list[str]) -> str:
    return "(\n  " + "\n  or ".join(conditions) + "\n)"


def _unless(critical: list[str]) -> str:
    """Leave out what the critical alert tells: one anomaly is one alert."""
    return f"\nunless {_joined(critical)}" if critical else ""


def _gate(plan: Plan, when: When) -> str:
    """Hold back while the watcher ticks. A restart of lens-exporter is shorter than the time that is asked for."""
    if when is not When.LENS_IS_DOWN:
        return ""
    ticks = f"{selector({'watcher': plan.watcher}, metric=_LAST_RUN)}[{duration_text(plan.silent)}]"
    return f"\nunless on () max(max_over_time({ticks})) > time() - {number(plan.silent)}"
