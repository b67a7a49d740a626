"""Annotations on their way to Grafana: created once, their end moved when the source is over."""

from dataclasses import replace

from lens_exporter.errors import LensError
from lens_exporter.foundation.clock import Clock
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.publish.grafana import Annotation, AnnotationPort, unique_tag
from lens_exporter.publish.outbox import Outbox, Outgoing, Progress

TARGET = "grafana"
CLAIM_SECONDS = 120.0  # longer than any attempt: one that died in the middle is taken up after it
_GIVE_UP_SECONDS = 86_400.0
_FIRST_PAUSE = 10.0
_LONGEST_PAUSE = 900.0


class Regions:
    """Moves the outbox's rows for Grafana forward. Rows are claimed first, so that no two attempts run at once anywhere."""

    def __init__(self, outbox: Outbox, port: AnnotationPort, events: Events, telemetry: Telemetry, clock: Clock) -> None:
        self._outbox = outbox
        self._port = port
        self._events = events
        self._telemetry = telemetry
        self._clock = clock

    def send(self, investigation: str) -> None:
        """Try one investigation's annotation now. Raises DatabaseError."""
        row = self._outbox.get(investigation, TARGET)
        if row is not None:
            self.attempt(row)

    def attempt(self, row: Outgoing) -> None:
        """Create or end the annotation of a row that is due; a failure is noted and tried again later. Raises DatabaseError."""
        ending = row.state is Progress.OPEN
        if ending and row.ended_at is None:
            return
        now = self._clock()
        # A time further ahead than any pause means that the clock was set back.
        if now < row.next_at <= now + _LONGEST_PAUSE or not self._outbox.claim(row, now + CLAIM_SECONDS):
            return
        try:
            changes = self._end(row) if ending else self._create(row)
        except LensError as error:  # also a token file that is being rotated
            self._failed(row, error)
            return
        self._telemetry.inc("lens_annotations_sent_total")
        self._outbox.update(row, **changes, attempts=0, detail="", next_at=now, updated_at=now)
        if not ending:
            self._tell("finding.published", row, detail=changes["remote_id"])

    def retry(self) -> None:
        """Make one pass over everything that is not finished. Raises DatabaseError."""
        for row in self._outbox.unfinished(TARGET):
            self.attempt(row)

    def _create(self, row: Outgoing) -> dict[str, str]:
        annotation = _annotation(row)
        if row.ended_at is not None:
            annotation = replace(annotation, ends_at=max(annotation.starts_at, row.ended_at))
        # An attempt whose answer was lost may have created it: there is no idempotency key, only the unique tag.
        found = self._port.find(unique_tag(row.investigation))
        remote_id = found or self._port.create(annotation)
        complete = found is None and row.ended_at is not None
        return {"remote_id": remote_id, "state": Progress.CLOSED if complete else Progress.OPEN}

    def _end(self, row: Outgoing) -> dict[str, str]:
        self._port.end(row.remote_id, max(_annotation(row).starts_at, row.ended_at or 0.0))
        return {"state": Progress.CLOSED}

    def _failed(self, row: Outgoing, error: LensError) -> None:
        now = self._clock()
        self._telemetry.inc("lens_annotations_failed_total")
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(row.attempts, 16))
        since = row.created_at if row.state is Progress.PENDING else row.ended_at or now
        state = Progress.GIVEN_UP if now - since > _GIVE_UP_SECONDS else row.state
        self._outbox.update(row, state=state, attempts=row.attempts + 1, next_at=now + pause, detail=str(error), updated_at=now)
        if row.attempts == 0:
            self._tell("finding.publish_failed", row, error=str(error))

    def _tell(self, kind: str, row: Outgoing, **data: str) -> None:
        self._events.append(kind, correlation=row.correlation, subject=row.investigation, target=TARGET, **data)


def _annotation(row: Outgoing) -> Annotation:
    return Annotation(**{**row.payload, "tags": tuple(row.payload["tags"])})
