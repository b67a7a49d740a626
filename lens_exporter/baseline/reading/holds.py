"""Which alerts a model holds back or has lowered, by category and target: in memory, and in the events for after a restart."""

from collections.abc import Iterator

from lens_exporter.baseline.reading.bounds import RENEWED_AFTER, Hold, ReadingOutcome, renewed
from lens_exporter.foundation.events import Events
from lens_exporter.model.decision import Anomaly
from lens_exporter.model.event import Event
from lens_exporter.model.labels import Labels, fingerprint

Key = tuple[str, str]  # category and fingerprint of the target; no category and fingerprint of the group

ANSWERED = "reading.answered"
_STANDING = {ReadingOutcome.DEFERRED.value, ReadingOutcome.LOWERED.value}
_MOST_EVENTS = 10_000  # of an hour, of all watchers


def key_of(anomaly: Anomaly) -> Key:
    """Identify what has an allowance: a target in a category; or a group, whichever of its series speaks for it at the moment."""
    return _key(anomaly.category, anomaly.target, anomaly.group)


def _key(category: str, target: Labels, group: Labels | None) -> Key:
    return (category, fingerprint(target)) if group is None else ("", fingerprint(group))


class Holds:
    """The holds of one watcher. An allowance that began within the last hour is never begun anew, also after a restart."""

    def __init__(self, watcher: str, events: Events) -> None:
        self._watcher = watcher
        self._events = events
        self._held: dict[Key, Hold] = {}
        self._recalled = False

    def recall(self, at: float) -> None:
        """Forget allowances that are renewed; the first time, read those of the last hour back from the events.

        Raises:
            DatabaseError: they cannot be read; nothing may be held back before they are.

        """
        if not self._recalled:
            # An event is stored a moment after the question it is about.
            for event in self._events.query(kind=ANSWERED, since=at - RENEWED_AFTER, limit=_MOST_EVENTS):
                if event.subject == self._watcher and event.data["outcome"] in _STANDING:
                    data = event.data
                    self._held[_key(data["category"], data["target"], data["group"])] = _hold(event)
            self._recalled = True
        self._held = {key: hold for key, hold in self._held.items() if not renewed(hold, at)}

    def get(self, key: Key) -> Hold | None:
        return self._held.get(key)

    def keep(self, key: Key, hold: Hold) -> None:
        self._held[key] = hold

    def active(self) -> Iterator[tuple[Key, Hold]]:
        """Give every hold whose word stands, as a copy: what is kept may change meanwhile."""
        yield from [(key, hold) for key, hold in self._held.items() if hold.active]


def _hold(event: Event) -> Hold:
    data = event.data
    lowered = data["outcome"] == ReadingOutcome.LOWERED.value
    return Hold(event.correlation, data["since"], data["until"], data["times"], lowered, words=data["words"])
