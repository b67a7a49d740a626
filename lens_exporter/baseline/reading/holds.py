"""Which alerts a model holds back or has lowered, by category and target: in memory, and in the events for after a restart."""

from collections.abc import Iterator

from lens_exporter.baseline.reading.bounds import RENEWED_AFTER, Hold, Outcome, renewed
from lens_exporter.foundation.events import Events
from lens_exporter.model.event import Event
from lens_exporter.model.labels import Labels, fingerprint

Key = tuple[str, str]  # category, fingerprint of the target

ANSWERED = "reading.answered"
_STANDING = {Outcome.DEFERRED.value, Outcome.LOWERED.value}
_MOST_EVENTS = 10_000  # of an hour, of all watchers


def key_of(category: str, target: Labels) -> Key:
    return category, fingerprint(target)


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
                    self._held[key_of(event.data["category"], event.data["target"])] = _hold(event)
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
    lowered = data["outcome"] == Outcome.LOWERED.value
    return Hold(event.correlation, data["since"], data["until"], data["times"], lowered, words=data["words"])
