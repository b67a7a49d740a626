"""Anomalies that are not told, because somebody has declared them to be in order: each is noted once, and its story goes on."""

from collections.abc import Iterable
from dataclasses import replace

from lens_exporter.foundation.clock import NewId
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.model.decision import Anomaly
from lens_exporter.model.labels import fingerprint
from lens_exporter.watch.withheld import Withhold


class Untold:
    """Of one watcher, in memory: a restart notes once more what still goes on."""

    def __init__(self, watcher: str, events: Events, telemetry: Telemetry, new_id: NewId) -> None:
        self._watcher = watcher
        self._events = events
        self._telemetry = telemetry
        self._new_id = new_id
        self._stories: dict[str, str] = {}  # correlation ids

    def note(self, withhold: Withhold) -> None:
        """Note an anomaly that is not told, the first time it is not."""
        anomaly, declaration = withhold.anomaly, withhold.declaration
        key = _key(anomaly)
        if key in self._stories:
            return
        self._stories[key] = withhold.story or anomaly.story or self._new_id()
        self._telemetry.inc("lens_anomalies_expected_total", watcher=self._watcher, category=anomaly.category)
        self._events.append(
            "anomaly.expected",
            correlation=self._stories[key],
            subject=self._watcher,
            anomaly_type=anomaly.anomaly_type,
            severity=anomaly.severity.value,
            summary=anomaly.summary,
            target=dict(anomaly.target),
            rule=anomaly.rule.value,
            since=anomaly.since,
            declaration=declaration.id,
            by=declaration.by,
            comment=declaration.comment,
            until=declaration.ends_at,
        )

    def resumed(self, anomaly: Anomaly) -> Anomaly:
        """Give an anomaly that is told now with the story it has had meanwhile."""
        story = self._stories.get(_key(anomaly))
        return replace(anomaly, story=story) if story and not anomaly.story else anomaly

    def keep(self, anomalies: Iterable[Anomaly]) -> None:
        """Forget all but these: they are over."""
        going_on = set(map(_key, anomalies))
        self._stories = {key: story for key, story in self._stories.items() if key in going_on}


def _key(anomaly: Anomaly) -> str:
    # What carries a group's alarm may change while it lasts.
    return fingerprint(anomaly.group) if anomaly.group else f"{anomaly.category} {fingerprint(anomaly.target)}"
