"""How many series a declaration is about, as the watcher saw them last."""

import pytest

from lens_exporter.baseline.asked import matchers_of
from lens_exporter.baseline.expected import Declaration, DeclarationSource
from lens_exporter.config.settings import Config
from lens_exporter.model.decision import Observation, Phase
from lens_exporter.model.matcher import Matcher
from lens_exporter.watch.look import Look
from lens_exporter.watch.watcher import Tick
from lens_exporter.wiring.watching import covered, own_labels
from tests.unit.publish.timeline import NOON

METRICS = {"disk_utilization": {"query": "disk"}, "cpu_utilization": {"query": "cpu"}}
WATCHER = {
    "name": "host",
    "lens": "promql",
    "schedule": "* * * * *",
    "metrics": METRICS,
    "target_labels": ["instance", "severity"],
}
(SETTINGS,) = Config.model_validate({"watchers": [WATCHER]}).watchers


def seen(metric, **labels):
    return Observation(metric, "", labels, NOON, 0.5, None, None, None, None, Phase.NORMAL)


SEEN = (
    seen("disk_utilization", instance="a", device="sda"),
    seen("disk_utilization", instance="a", device="sdb"),
    seen("cpu_utilization", instance="a"),
    seen("cpu_utilization", instance="b", severity="critical"),
)


def tick(*observations, unlisted=0):
    return Tick(NOON, 0.1, "schedule", Look(NOON, observations or SEEN, (), None, unlisted=unlisted))


def about(*matchers, **labels):
    made = matchers or matchers_of("host", labels, own_labels(SETTINGS))
    return Declaration("d", DeclarationSource.API, made, NOON, NOON + 60)


@pytest.mark.parametrize(
    ("declaration", "count"),
    [
        (about(), 4),
        (about(instance="a"), 3),
        (about(instance="a", alertname="LensDisk"), 2),
        (about(instance="b", severity="warning"), 1),
        (about(target_severity="critical"), 1),
        (about(instanec="a"), 0),
        (about(device="sda"), 0),  # no label of its alerts: target_labels leave it out
        (about(Matcher("severity", "critical")), 0),
        (about(Matcher("watcher", "other")), 0),
    ],
)
def test_series_count_whose_alerts_would_match(declaration, count):
    """By the labels of the alert that a series may become, below critical."""
    assert covered(declaration, SETTINGS, {}, tick()) == count


def test_what_is_not_known_is_not_counted():
    """Before the first look, after one that failed, and where a large metric's series are not listed."""
    failed = Tick(NOON, 0.1, "schedule")
    assert [covered(about(), SETTINGS, {}, last) for last in (None, failed, tick(unlisted=1))] == [None, None, None]


def test_a_declaration_may_speak_of_external_labels() -> None:
    """That of another cluster is about none of these."""
    here = about(cluster="eu-1")
    assert covered(here, SETTINGS, {"cluster": "eu-1"}, tick()) == 4
    assert covered(here, SETTINGS, {"cluster": "us-1"}, tick()) == 0
