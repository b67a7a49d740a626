"""Between judgement and action: where a model reads for a watcher, what it may change is changed here."""

from dataclasses import replace

from lens_exporter.baseline.analyzer import Conclusion
from lens_exporter.baseline.reading.reader import AlertStanding, JudgedLook
from lens_exporter.model.decision import Anomaly
from lens_exporter.watch.alerting import key_for, key_of
from lens_exporter.watch.hysteresis import Memory, carried_on
from lens_exporter.watch.look import Look
from lens_exporter.watch.ports import Collaborators, OpenAlert, Watched
from lens_exporter.watch.withheld import about


def reviewed(seen: Look, at: float, watched: Watched, memory: Memory, given: Collaborators) -> Look:
    """Give the look as it goes on after the reading; as it is where none is configured. `at` is when the tick began.

    memory is what the look before has left for hysteresis: what begins there is new here.
    """
    if given.reader is None:
        return seen
    opened: dict[str, OpenAlert] | None = None
    by_key: dict[str, Conclusion] = {}

    def standing(conclusion: Conclusion, anomaly: Anomaly) -> AlertStanding:
        nonlocal opened
        if about(anomaly, seen.declared, watched) is not None:
            return AlertStanding.WITHHELD
        if opened is None:
            firing = given.alerts.firing("watcher")
            opened = {key_of(one.alert): one for one in firing if one.alert.labels.get("watcher") == watched.name}
            told = {one.alert.labels.get("category") for one in opened.values()}
            by_key.update((key_for(one, watched.name), one) for one in seen.conclusions if one.category in told)
        if key_for(conclusion, watched.name) in opened or carried_on(anomaly, opened, by_key, memory, watched):
            return AlertStanding.OPEN
        return AlertStanding.NEW if given.cooldown.cooling_until(anomaly, seen.at) is None else AlertStanding.WITHHELD

    judged = JudgedLook(at, seen.conclusions, seen.observations, seen.notes, seen.unreadable)
    after = given.reader.review(judged, standing, lambda: given.notes.read(watched.name))
    return replace(seen, conclusions=after.conclusions, notes=after.notes)
