"""The alert of an anomaly."""

import pytest

from lens_exporter.baseline.analyzer import Conclusion
from lens_exporter.model.alert import Alert
from lens_exporter.model.decision import Anomaly, Rule, Severity
from lens_exporter.model.labels import Labels
from lens_exporter.publish import acceptable
from lens_exporter.watch.alerting import alert_name, alert_of, key_for, key_of, target_of
from lens_exporter.watch.ports import Watched

NOON = 1_795_176_000.0
WATCHED = Watched("python", (), external_url="https://lens.example", runbook_url="https://runbooks.example/memory#leak")


def anomaly(target: Labels, *, severity: Severity = Severity.WARNING, kind: str = "memory_high") -> Anomaly:
    return Anomaly(kind, severity, "92 %", "since 14:02", 'm{instance="a"}', target, Rule.JUMP, NOON, ())


def build(target: Labels, watched: Watched = WATCHED, **more: object) -> Alert:
    return alert_of(anomaly(target, **more), watched, correlation="01JD")  # type: ignore[arg-type]


def test_labels_are_identity_and_annotations_are_prose() -> None:
    """Five links and words, no number in a label."""
    alert = build({"instance": "api-7:9000", "job": "api"})
    assert alert.labels == {
        "alertname": "LensMemory",
        "severity": "warning",
        "watcher": "python",
        "category": "memory",
        "instance": "api-7:9000",
        "job": "api",
    }
    assert alert.annotations == {
        "summary": "92 %",
        "description": "since 14:02",
        "lens_query": 'm{instance="a"}',
        "lens_story": "https://lens.example/anomalies/01JD",
        "runbook_url": "https://runbooks.example/memory#leak",
    }
    assert alert.starts_at == NOON
    assert alert.generator_url == alert.annotations["lens_story"]  # what Alertmanager's page links as the source


def test_without_an_address_the_story_is_its_id() -> None:
    """And without a runbook there is no annotation for one."""
    alert = build({"instance": "a"}, Watched("python", ()))
    assert alert.annotations["lens_story"] == "01JD"
    assert alert.generator_url == ""
    assert "runbook_url" not in alert.annotations


def test_labels_of_the_target_never_override_ours() -> None:
    """A target label named severity cannot silence or page anybody; it is kept under another name."""
    hostile = {"severity": "none", "alertname": "Watchdog", "watcher": "x", "category": "y", "target_severity": "z", "job": "api"}
    labels = build(hostile).labels
    assert labels["severity"] == "warning"
    assert labels["alertname"] == "LensMemory"
    assert labels["target_severity"] == "z"
    assert labels["target_target_severity"] == "none"
    assert labels["target_alertname"] == "Watchdog"
    assert labels["job"] == "api"


def test_labels_are_as_every_alertmanager_accepts_them() -> None:
    """Names of Prometheus 3 and empty values are cleaned here, so that the fingerprint is final."""
    alert = build({"service.name": "shop", "empty": "", "__name__": "m", "long": "x" * 5000})
    assert acceptable.labels(alert.labels) == alert.labels
    assert alert.labels["service_name"] == "shop"
    assert "empty" not in alert.labels


def test_the_key_is_what_it_is_about() -> None:
    """The same key for every severity, for the alert and for the conclusion it came from; another one for another target."""
    target = {"instance": "a", "severity": "none", "odd.name": "x"}
    warning, critical = build(target), build(target, severity=Severity.CRITICAL)
    assert warning.fingerprint != critical.fingerprint
    assert key_of(warning) == key_of(critical)
    assert key_of(warning) != key_of(build({"instance": "b"}))
    conclusion = Conclusion("memory", target, anomaly(target), calm=0, missing=False)
    assert key_for(conclusion, "python") == key_of(warning)


def test_an_alert_that_goes_on_keeps_its_start() -> None:
    """The start is that of the alert it replaces."""
    before = Alert({"severity": "warning"}, {}, NOON - 600)
    assert alert_of(anomaly({"instance": "a"}), WATCHED, correlation="01JD", replaces=before).starts_at == NOON - 600


def test_the_target_comes_back_from_the_alert() -> None:
    """Without the labels that are ours."""
    assert target_of(build({"instance": "a", "job": "api"})) == {"instance": "a", "job": "api"}


@pytest.mark.parametrize(
    ("category", "name"), [("memory", "LensMemory"), ("open-fds", "LensOpenFds"), ("p99", "LensP99"), ("gcPause", "LensGcPause")]
)
def test_alert_names_follow_the_category(category: str, name: str) -> None:
    """CamelCase behind Lens."""
    assert alert_name(category) == name


def test_where_spans_are_kept_an_alert_names_its_trace() -> None:
    """As OpenTelemetry writes it: the hexadecimal digits of the correlation id."""
    correlation = "01JD0000000000000000000000"
    alert = alert_of(anomaly({"instance": "a"}), Watched("python", (), traced=True), correlation=correlation)
    assert alert.annotations["lens_trace_id"] == "01934000000000000000000000000000"
    assert "lens_trace_id" not in build({"instance": "a"}, Watched("python", ())).annotations
