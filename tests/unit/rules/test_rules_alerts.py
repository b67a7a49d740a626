"""When the alerts of the rules fire, and what they are called."""

import pytest

from lens_exporter.rules.alerts import When, alerts
from lens_exporter.rules.band import current, stages, values
from lens_exporter.rules.promql import EXPECTED, VALUE, WIDTH, recorded
from lens_exporter.rules.trend import trends
from tests.unit.rules.rule_plans import one_metric, plan

NAMES = {"watcher": "checkout", "metric": "load"}
LOAD = str(recorded(VALUE, 60, **NAMES))
EXPECT, HALF = (current(recorded(name, 300, **NAMES)) for name in (EXPECTED, WIDTH))


def expressions(settings: dict, when: When = When.ALWAYS) -> list[str]:
    return [alert.expr for alert in alerts(one_metric(**settings), when)]


@pytest.mark.parametrize(
    ("settings", "condition"),
    [
        ({"direction": "up"}, f"{LOAD} > {EXPECT} + {HALF}"),
        ({"direction": "down"}, f"{LOAD} < {EXPECT} - {HALF}"),
        ({}, f"{LOAD} and abs({LOAD} - {EXPECT}) > {HALF}"),
        ({"direction": "up", "min_change": 0.1}, f"{LOAD} > {EXPECT} + clamp_min({HALF}, 0.1)"),
        (
            {"direction": "up", "min_change_ratio": 0.1},
            f"{LOAD} > {EXPECT} + {HALF} and abs({LOAD} - {EXPECT}) >= 0.1 * abs({EXPECT})",
        ),
        ({"direction": "down", "min_change": 100_000}, f"{LOAD} < {EXPECT} - clamp_min({HALF}, 100000)"),
    ],
)
def test_outside_the_band_on_the_side_that_matters_and_far_enough(settings, condition):
    """Direction and min_change are in the one condition; the alert's value is the reading."""
    assert expressions(settings) == [f"(\n  {condition}\n)"]


def test_a_ceiling_has_a_severe_twin_and_never_both():
    """From 97 % of the limit on it is critical, and the warning leaves that to it."""
    warning, critical = expressions({"direction": "up", "unit": "ratio", "ceiling": 0.9})
    assert f"or {LOAD} >= 0.9" in warning
    assert critical == f"(\n  {LOAD} >= 0.97\n)"
    assert warning.endswith(f"\nunless {critical}")


def test_the_severities_are_labels_and_everything_else_is_the_same():
    """One anomaly is one alert of one severity."""
    warning, critical = alerts(one_metric(unit="ratio", ceiling=0.9, category="cpu"), When.ALWAYS)
    assert (warning.name, critical.name) == ("LensCpu", "LensCpu")
    assert warning.labels == {
        "severity": "warning",
        "watcher": "checkout",
        "category": "cpu",
        "metric": "load",
        "lens_source": "rules",
    }
    assert critical.labels == {**warning.labels, "severity": "critical"}
    assert critical.annotations == warning.annotations


def test_a_floor_is_a_ceiling_of_what_must_not_fall():
    """Direction down turns the comparison, and nothing that falls is full."""
    (only,) = expressions({"direction": "down", "ceiling": 5})
    assert f"or {LOAD} <= 5" in only


def test_a_limit_is_forecast():
    """The seconds until it is full are recorded once and asked for twice."""
    plan_ = one_metric(direction="up", ceiling=90, full=100, min_change=2)
    (trend,) = trends(plan_)
    assert trend.labels == {"metric": "load", "watcher": "checkout"}
    assert trend.expr.startswith(f"clamp_min((100 - {LOAD}) / deriv({LOAD}[30m]), 0) <= 3600\n")
    assert f"and {LOAD} > max_over_time({LOAD}[1d] offset 30m)" in trend.expr
    assert f"and deriv({LOAD}[30m]) * 1800 > 2\n" in trend.expr
    warning, critical = (alert.expr for alert in alerts(plan_, When.ALWAYS))
    assert f"or {LOAD} and {str(LOAD).replace(VALUE, 'lens:until_full:trend')} <= 3600" in warning
    assert f"or {LOAD} >= 90 and {str(LOAD).replace(VALUE, 'lens:until_full:trend')} <= 900" in critical


def test_what_falls_towards_its_limit_is_forecast_too():
    """Every comparison of the trend is turned, and the slope with it."""
    (trend,) = trends(one_metric(direction="down", full=0))
    assert f"and {LOAD} < min_over_time({LOAD}[1d] offset 30m)" in trend.expr
    assert f"and -deriv({LOAD}[30m]) * 1800 > 0\n" in trend.expr


def test_three_readings():
    """It must hold from the first to the third reading, whatever the watcher's step; and it ends after as many that are calm."""
    (alert,) = alerts(plan(step="15s"), When.ALWAYS)
    assert (alert.pending, alert.kept) == (30, 45)


def test_they_are_silent_while_the_watcher_ticks():
    """By default; the watcher's own name, and time enough for its schedule."""
    (quiet,) = alerts(plan(schedule="*/15 * * * *"), When.LENS_IS_DOWN)
    gate = 'max(max_over_time(lens_watcher_last_run_timestamp_seconds{watcher="checkout"}[30m])) > time() - 1800'
    assert quiet.expr.endswith(f"\nunless on () {gate}")
    (always,) = alerts(plan(), When.ALWAYS)
    assert "lens_watcher_last_run" not in always.expr
    assert "Said by recording rules" in quiet.annotations["description"]
    assert "Said by recording rules" not in always.annotations["description"]


def test_no_alerts():
    """Who only wants the band gets only the band."""
    assert alerts(plan("host", lens="host"), When.NEVER) == []


def test_labels_of_strangers_keep_their_values():
    """Two series that differ only in a label that we set would become one, which fails the rule: it gets another name first."""
    (rule,) = values(plan(metrics={"errors": {"query": "errors # by severity"}}))
    assert "(\nerrors # by severity\n)" in rule.expr
    for label in ("watcher", "metric", "category", "severity", "alertname"):
        assert f', "target_{label}", "$1", "{label}", "(?s)(.+)")' in rule.expr
    assert rule.labels == {"metric": "errors", "watcher": "checkout"}


def test_the_queries_of_a_lens_stand_as_they_are():
    """Their labels are known, so nothing hides what they ask."""
    assert [rule.expr for rule in values(plan("host", lens="host"))] == [
        metric.query for metric in plan("host", lens="host").metrics
    ]


def test_a_stage_reads_only_what_stages_before_it_recorded():
    """That is what rulers that write with a delay need: each stage is a group of its own there."""
    before = {VALUE, EXPECTED, WIDTH}  # the band of the evaluation before is what a reading is cut at
    for stage in stages(plan()):
        for rule in stage:
            read = {name for name in ("lens:value:sampled", "lens:residual:sampled") if name in rule.expr}
            assert read <= before
        before |= {rule.record for rule in stage}
