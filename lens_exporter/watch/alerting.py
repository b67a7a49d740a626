"""The alert that an anomaly becomes: identity in labels; numbers, prose and links in annotations."""

from dataclasses import replace
from urllib.parse import quote

from lens_exporter.baseline.analyzer import Conclusion
from lens_exporter.baseline.expected import AlertLabels
from lens_exporter.baseline.naming import category, projected
from lens_exporter.foundation import tracing
from lens_exporter.model.alert import Alert
from lens_exporter.model.decision import Anomaly, Severity
from lens_exporter.model.labels import Labels, added, fingerprint, without
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.publish import acceptable
from lens_exporter.watch.ports import Watched

_READ = "lens_reading"
_OWN = ("alertname", "severity", "watcher", "category")


def alert_of(anomaly: Anomaly, watched: Watched, *, correlation: str, replaces: Alert | None = None) -> Alert:
    """Build the alert of an anomaly. One that continues an alert which fires already keeps its start.

    Labels are alertname, severity, watcher, category, the target's and external_labels; a target's label with one of the first
    four names becomes target_severity and so on. They are as every Alertmanager accepts them, so the fingerprint is final.
    """
    story = f"{watched.external_url}/anomalies/{quote(correlation)}" if watched.external_url else correlation
    annotations = {
        "summary": anomaly.summary,
        "description": anomaly.description,
        "lens_query": anomaly.query,
        "lens_story": story,
    }
    # What a model said before the alert began stands on it until its end.
    if read := anomaly.read or (replaces.annotations.get(_READ, "") if replaces else ""):
        annotations[_READ] = read
    if watched.runbook_url:
        annotations["runbook_url"] = watched.runbook_url
    if watched.traced:
        annotations["lens_trace_id"] = tracing.written(correlation)
    labels = _labels(watched.name, anomaly.category, anomaly.severity, anomaly.target)
    alert = Alert(
        labels=labels,
        annotations=annotations,
        starts_at=replaces.starts_at if replaces else anomaly.since,
        generator_url=story if watched.external_url else "",
    )
    return sent_by(alert, watched.external_labels)


def sent_by(alert: Alert, external_labels: Labels) -> Alert:
    """Give an alert with these external labels, and with no others: those it had may be of an earlier configuration."""
    own = without(alert.labels, alert.external)
    external = added(own, external_labels)
    return replace(alert, labels=own | external, external=tuple(sorted(external)))


def key_of(alert: Alert) -> str:
    """Identify what an alert is about: its labels without the severity, which may rise, and without who sends it."""
    return fingerprint(without(alert.labels, ("severity", *alert.external)))


def key_for(conclusion: Conclusion, watcher: str) -> str:
    """Give the key that an alert of this conclusion has."""
    return fingerprint(without(_labels(watcher, conclusion.category, Severity.WARNING, conclusion.target), ("severity",)))


def target_of(alert: Alert) -> dict[str, str]:
    """Give the target's labels back, as they stand on the alert."""
    return without(alert.labels, (*_OWN, *alert.external))


def labels_of_alerts(watcher: str, target_labels: tuple[str, ...] | None, external_labels: Labels | None = None) -> AlertLabels:
    """Make what gives the labels, but for the severity, of the alert that a series of a metric may become."""
    more = external_labels or {}

    def labels(metric: BaselineMetric, series: Labels) -> Labels:
        own = without(_labels(watcher, category(metric), Severity.WARNING, projected(series, target_labels)), ("severity",))
        return own | added(own, more)

    return labels


def labels_for(anomaly: Anomaly, watched: Watched) -> Labels:
    """Give the labels, but for the severity, that an alert of this anomaly has."""
    own = without(_labels(watched.name, anomaly.category, anomaly.severity, anomaly.target), ("severity",))
    return own | added(own, watched.external_labels)


def alert_name(category: str) -> str:
    """Name an alert by its category: LensMemory, LensOpenFds."""
    return "Lens" + "".join(part[:1].upper() + part[1:] for part in category.split("-"))


def _labels(watcher: str, category: str, severity: Severity, target: Labels) -> dict[str, str]:
    labels = {name: value for name, value in target.items() if name not in _OWN}
    for name in _OWN:
        if name in target:
            renamed = f"target_{name}"
            while renamed in labels:
                renamed = f"target_{renamed}"
            labels[renamed] = target[name]
    own = {"alertname": alert_name(category), "severity": severity.value, "watcher": watcher, "category": category}
    # Cleaning only touches the target's labels, and may turn one of them into a name of ours.
    return {**acceptable.labels(labels), **own}
