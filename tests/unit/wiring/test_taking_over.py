"""When watchers begin anew: which go on when the configuration changes, and that not all do it at the same time."""

from itertools import pairwise
from typing import Any

import pytest

from lens_exporter.baseline.baselines import Baselines
from lens_exporter.config.settings import Config
from lens_exporter.config.settings import Watcher as WatcherSettings
from lens_exporter.wiring.watching import learning, learns_alike, thresholds

METRICS = {"load": {"query": "load"}, "errors": {"query": "errors"}}
WATCHER = {"name": "api", "lens": "promql", "schedule": "* * * * *", "metrics": METRICS}

# One other value for each setting of a watcher, and whether what it learns stays the same.
OTHERS: list[tuple[str, Any, bool]] = [
    ("lens", "host", False),
    ("schedule", "*/5 * * * *", True),
    ("datasource", "far", False),
    ("window", "7d", False),
    ("step", "30s", False),
    ("false_alarms_per_week", 5.0, False),
    ("group_labels", ["cluster"], False),
    ("timezone", "Europe/Berlin", False),
    ("missing_is_anomaly", True, False),
    ("selector", 'job="api"', False),
    ("metrics", {**METRICS, "load": {"query": "load", "direction": "up"}}, False),
    ("metrics", dict(reversed(METRICS.items())), False),
    ("min_observations", 20, True),
    ("sensitivity", 5.0, False),
    ("exhaustion_horizon", "2h", True),
    ("lower_recurring", False, True),
    ("cooldown", {"default": "2h"}, True),
    ("target_labels", ["instance"], False),
    ("reading", {}, True),
    ("published_series", 3, True),
    ("runbook_url", "http://runbooks/api", True),
    ("timeout", "30s", True),
    ("options", {"any": 1}, False),
]


def config(settings: dict[str, Any], **more: Any) -> Config:
    servers = {"prometheus": {"url": "http://here:9090"}, "datasources": {"far": {"url": "http://far:9090"}}}
    model = {"name": "reads", "provider": "openai", "options": {"base_url": "http://model:8000/v1", "model": "m"}}
    llm = {"primary": "reads", "clients": [model]}
    return Config.model_validate({**servers, "llm": llm, "watchers": [settings], **more})


@pytest.mark.parametrize(("setting", "value", "alike"), OTHERS)
def test_a_setting_that_learning_depends_on_begins_anew(setting: str, value: Any, alike: bool) -> None:
    """What only says when to look, whom to tell and what to show costs nothing that was learnt."""
    assert learns_alike("api", config(WATCHER), config({**WATCHER, setting: value})) is alike


@pytest.mark.parametrize(("asked", "days"), [({}, 3), ({"lower_recurring": True}, 3), ({"lower_recurring": False}, None)])
def test_habits_are_lowered_unless_somebody_does_not_want_it(asked: dict[str, Any], days: int | None) -> None:
    assert thresholds(WatcherSettings.model_validate({**WATCHER, **asked})).recurs_on == days


def test_every_setting_but_the_name_is_decided_about() -> None:
    """A setting that is added has to be looked at here."""
    assert {setting for setting, _, _ in OTHERS} == WatcherSettings.model_fields.keys() - {"name"}


def test_another_server_is_another_past() -> None:
    """The watcher's own server counts, and no other."""
    here, there = {"prometheus": {"url": "http://other:9090"}}, {"datasources": {"far": {"url": "http://other:9090"}}}
    far = {**WATCHER, "datasource": "far"}
    assert not learns_alike("api", config(WATCHER), config(WATCHER, **here))
    assert learns_alike("api", config(WATCHER), config(WATCHER, **there))
    assert not learns_alike("api", config(far), config(far, **there))
    assert learns_alike("api", config(far), config(far, **here))


def test_other_external_labels_are_other_declarations() -> None:
    """What was declared about them is learnt otherwise."""
    assert not learns_alike("api", config(WATCHER), config(WATCHER, external_labels={"cluster": "eu-1"}))


def begins_anew(settings: dict[str, Any]) -> list[int]:
    """The hours of four weeks at which the past that a watcher knows begins somewhere else."""
    known = Baselines((), learning(WatcherSettings.model_validate(settings)))
    thursday = 1_699_488_000.0  # at midnight, which weeks are counted from
    begins = [known.due(thursday + 3600.0 * hour).first for hour in range(28 * 24)]
    return [hour for hour, (before, now) in enumerate(pairwise(begins), 1) if before != now]


def test_watchers_begin_anew_once_per_half_window_and_each_at_an_hour_of_its_own():
    """A dozen of them ask for their past in more than ten different hours of a week; who is restarted keeps its hour."""
    names = [f"watcher-{number}" for number in range(12)]
    hours = {name: begins_anew({**WATCHER, "name": name}) for name in names}
    for found in hours.values():
        assert len(found) == 4
        assert {later - earlier for earlier, later in pairwise(found)} == {7 * 24}
    assert len({found[0] for found in hours.values()}) > 10
    assert begins_anew({**WATCHER, "name": "watcher-3"}) == hours["watcher-3"]
    assert {found[0] for found in (begins_anew({**WATCHER, "name": name, "window": "1d"}) for name in names)} == {12}
