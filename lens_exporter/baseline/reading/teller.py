"""Tells of readings: one event and one count for each, and one event for each hold that ends."""

from typing import Any

from lens_exporter.baseline.reading import contract
from lens_exporter.baseline.reading.asker import Unread
from lens_exporter.baseline.reading.bounds import Hold, ReadingOutcome, Ruling
from lens_exporter.baseline.reading.contract import Said, SaidAnomaly
from lens_exporter.baseline.reading.holds import ANSWERED
from lens_exporter.baseline.reading.words import Words
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.model.decision import Anomaly


class Teller:
    """Speaks for the readings of one watcher by one client."""

    def __init__(self, watcher: str, client: str, events: Events, telemetry: Telemetry) -> None:
        self._watcher = watcher
        self._client = client
        self._events = events
        self._telemetry = telemetry
        for outcome in ReadingOutcome:
            telemetry.inc("lens_readings_total", 0, watcher=watcher, outcome=outcome.value)

    def answered(self, anomaly: Anomaly | None, said: Said, words: Words, ruling: Ruling, hold: Hold, seconds: float) -> None:
        """Tell of a valid answer and what it came to; `hold` is what stands now, or what was asked from."""
        self._count(ruling.outcome)
        self._events.append(
            ANSWERED,
            correlation=hold.story,
            subject=self._watcher,
            **_about(anomaly),
            client=self._client,
            outcome=ruling.outcome.value,
            answer=contract.intent(said),
            severity=said.severity if isinstance(said, SaidAnomaly) else "",
            confidence=said.confidence,
            cooldown_minutes=ruling.cooldown_minutes,
            words=words.text,
            struck=list(words.struck),
            times=hold.times,
            since=hold.since,
            until=hold.until,
            seconds=seconds,
        )

    def unread(self, anomaly: Anomaly | None, unread: Unread, story: str, seconds: float) -> None:
        """Tell that no valid answer came: the alert goes out as the statistics said."""
        self._count(unread.outcome)
        self._events.append(
            "reading.failed",
            correlation=story,
            subject=self._watcher,
            **_about(anomaly),
            client=self._client,
            outcome=unread.outcome.value,
            error=unread.error,
            seconds=seconds,
        )

    def skipped(self, anomaly: Anomaly | None, outcome: ReadingOutcome, reason: str) -> None:
        """Tell that nobody was asked about a new anomaly; None where nobody can say which ones are new."""
        self._count(outcome)
        self._events.append(
            "reading.passed_over",
            subject=self._watcher,
            **_about(anomaly),
            client=self._client,
            outcome=outcome.value,
            reason=reason,
        )

    def released(self, hold: Hold, reason: str, at: float) -> None:
        """Tell that a model's word stands no longer."""
        self._events.append(
            "reading.released",
            correlation=hold.story,
            subject=self._watcher,
            **_about(hold.anomaly),
            lowered=hold.lowered,
            reason=reason,
            seconds=max(0.0, at - hold.since),
        )

    def _count(self, outcome: ReadingOutcome) -> None:
        self._telemetry.inc("lens_readings_total", watcher=self._watcher, outcome=outcome.value)


def _about(anomaly: Anomaly | None) -> dict[str, Any]:
    if anomaly is None:
        return {"anomaly_type": "", "category": "", "target": {}, "group": None}
    return {
        "anomaly_type": anomaly.anomaly_type,
        "category": anomaly.category,
        "target": dict(anomaly.target),
        "group": None if anomaly.group is None else dict(anomaly.group),
    }
