"""What rules take from a watcher's settings."""

import pytest

from lens_exporter.errors import UnknownLens
from tests.unit.rules.rule_plans import plan


def test_a_lens_brings_its_metrics_with_the_watchers_selector():
    """`$selector` is filled in; with none, no comma is left behind."""
    chosen = plan("host", lens="host", selector='env="prod"')
    assert 'lens_host_load_per_cpu{window="5m",env="prod"}' in [metric.query for metric in chosen.metrics]
    bare = plan("host", lens="host")
    assert 'lens_host_load_per_cpu{window="5m"}' in [metric.query for metric in bare.metrics]
    assert not any("$" in metric.query for metric in bare.metrics)
    assert not bare.foreign


def test_metrics_of_the_users_own_replace_those_of_the_lens():
    """As in the watcher itself; and nobody knows what labels they have."""
    own = plan("host", lens="host", metrics={"errors": {"query": "errors{$selector}"}}, selector='job="api"')
    assert [(metric.name, metric.query) for metric in own.metrics] == [("errors", 'errors{job="api"}')]
    assert own.foreign


@pytest.mark.parametrize(
    ("schedule", "seconds"),
    [
        ("* * * * *", 600),
        ("*/15 * * * *", 2 * 900),
        ("* * * * * */5", 600),
        ("0 8 * * *", 2 * 86_400),
        ("*/10 8-17 * * 1-5", 2 * (2 * 86_400 + 14 * 3600 + 600)),  # Friday 17:50 to Monday 8:00
    ],
)
def test_a_watcher_is_silent_after_twice_its_longest_pause(schedule, seconds):
    """Ten minutes at least; a watcher that rests at the weekend is not down at the weekend."""
    assert plan(schedule=schedule).silent == seconds


def test_the_baseline_is_learnt_every_five_minutes_or_as_often_as_there_are_readings():
    """A faster watcher does not make the band dearer, a slower one cannot give more."""
    fast, slow = plan(step="15s"), plan(step="1h", window="7d")
    assert (fast.every, fast.tolerance) == (300, 900)
    assert (slow.every, slow.tolerance) == (3600, 3600)


def test_the_metrics_of_a_watcher_share_its_budget():
    """Four deviations for one metric at the default budget; more for each of several, and for who asks for fewer alarms."""
    two = {name: {"query": name} for name in ("one", "other")}
    assert plan().deviations == 4
    assert plan(metrics=two).deviations == plan(false_alarms_per_week=0.7).deviations == 4.62
    assert plan(false_alarms_per_week=100).deviations == 3


def test_a_trend_is_compared_with_a_day_at_most():
    """However long the window is: the rule asks for it every minute."""
    assert (plan(window="14d").window, plan(window="6h").window) == (86_400, 6 * 3600)


def test_tenants_matter_where_there_are_several():
    """One tenant's rules are loaded as that tenant; several are named."""
    assert plan(tenant="team-a").tenants == ()
    assert plan(tenant="team-a|team-b").tenants == ("team-a", "team-b")


def test_an_unknown_lens_is_named():
    """As everywhere else."""
    with pytest.raises(UnknownLens):
        plan("x", lens="jvm", metrics={})
