"""Which of two things that happened belong together: by what they are about, and by when."""

from collections.abc import Sequence
from dataclasses import dataclass

from lens_exporter.model.labels import Labels
from lens_exporter.model.matcher import all_match
from lens_exporter.model.silence import Silence
from lens_exporter.replay.backtest.incidents import Incident
from lens_exporter.replay.backtest.theirs import RuleAlert
from lens_exporter.replay.journal import Fired

MARGIN = 300.0  # seconds by which two things may miss each other and still be taken for one
# Labels that say where a thing is, and are the same for most of what a server knows: alone they make no two things one.
_EVERYWHERE = {"cluster", "env", "environment", "region", "zone", "prometheus", "monitor", "replica", "prometheus_replica"}


@dataclass(frozen=True, slots=True)
class Detection:
    """What became of one incident. delay is seconds from its start to the first alert about it, 0 for one that fired already."""

    incident: Incident
    by: int | None  # the alert, by its place; None: missed
    delay: float = 0.0


def same_thing(one: Labels, other: Labels) -> bool:
    """Whether labels name the same thing: they agree in every label both have, and one of these is more than a place."""
    shared = one.keys() & other.keys()
    return bool(shared - _EVERYWHERE) and all(one[label] == other[label] for label in shared)


def coinciding(alert: Fired, theirs: Sequence[RuleAlert], end: float) -> tuple[int, ...]:
    """Give the places of rule alerts about the same thing that fired within the margin of an alert of ours."""
    ended = _ended(alert, end)
    return tuple(
        place
        for place, other in enumerate(theirs)
        if other.began <= ended + MARGIN and other.ended >= alert.began - MARGIN and same_thing(alert.about, other.about)
    )


def silencing(alert: Fired, silences: Sequence[Silence], end: float) -> tuple[int, ...]:
    """Give the places of silences that would have held for an alert at some time while it fired."""
    ended = _ended(alert, end)
    return tuple(
        place
        for place, one in enumerate(silences)
        if one.starts_at <= ended and one.ends_at >= alert.began and one.matches(alert.labels)
    )


def touched(alert: Fired, incidents: Sequence[Incident], end: float) -> tuple[int, ...]:
    """Give the places of incidents that an alert may be about: it fired between them, within the margin at both ends."""
    ended = _ended(alert, end)
    return tuple(
        place
        for place, one in enumerate(incidents)
        if alert.began <= one.end + MARGIN and ended >= one.start - MARGIN and all_match(one.matchers, alert.labels)
    )


def detection(incident: Incident, alerts: Sequence[Fired], end: float) -> Detection:
    """Find the first alert that fired about an incident before it was over; one up to the margin early counts."""
    for place, alert in enumerate(alerts):
        fires = alert.began <= incident.end and _ended(alert, end) >= incident.start - MARGIN
        if fires and all_match(incident.matchers, alert.labels):
            return Detection(incident, place, max(0.0, alert.began - incident.start))
    return Detection(incident, None)


def _ended(alert: Fired, end: float) -> float:
    return end if alert.ended is None else alert.ended
