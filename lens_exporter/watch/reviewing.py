"""Between judgement and action: where a model reads for a watcher, what it may change is changed here."""

from dataclasses import replace

from lens_exporter.baseline.analyzer import Conclusion
from lens_exporter.baseline.reading.reader import Judged, Standing
from lens_exporter.model.decision import Anomaly
from lens_exporter.watch.alerting import key_for, key_of
from lens_exporter.watch.look import Look
from lens_exporter.watch.ports import Collaborators


def reviewed(seen: Look, at: float, watcher: str, given: Collaborators) -> Look:
    """Give the look as it goes on after the reading; as it is where none is configured. `at` is when the tick began."""
    if given.reader is None:
        return seen
    open_alerts: set[str] | None = None

    def standing(conclusion: Conclusion) -> Standing:
        nonlocal open_alerts
        if open_alerts is None:
            open_alerts = {key_of(one.alert) for one in given.alerts.firing("watcher")}
        if key_for(conclusion, watcher) in open_alerts:
            return Standing.OPEN
        anomaly = conclusion.decision
        cooling = isinstance(anomaly, Anomaly) and given.cooldown.cooling_until(anomaly, seen.at) is not None
        return Standing.COOLING if cooling else Standing.NEW

    judged = Judged(at, seen.conclusions, seen.observations, seen.notes, seen.unreadable)
    after = given.reader.review(judged, standing, lambda: given.notes.read(watcher))
    return replace(seen, conclusions=after.conclusions, notes=after.notes)
