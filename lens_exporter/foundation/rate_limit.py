"""Token buckets, one for each client, in bounded memory (RFC 2697's idea: a committed rate and a burst)."""

from collections import OrderedDict

from lens_exporter.foundation.clock import Clock

_MOST_CLIENTS = 10_000


class Buckets:
    """Each client has a bucket of a minute's worth of requests, which refills evenly.

    Who has asked least recently is forgotten first when there are too many: whoever has that many addresses is not held up by
    counting addresses. It belongs to one thread.
    """

    def __init__(self, per_minute: float, clock: Clock, *, most_clients: int = _MOST_CLIENTS) -> None:
        self.per_minute = per_minute
        self._clock = clock
        self._most = most_clients
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # what is left, and at which time

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, client: str) -> float:
        """Take one. Give 0, or the seconds until there is one to take; then nothing is taken."""
        now = self._clock()
        left, at = self._buckets.get(client, (self.per_minute, now))
        # A clock that was set back neither refills nor empties.
        left = min(self.per_minute, left + max(0.0, now - at) * self.per_minute / 60.0)
        short = max(0.0, 1.0 - left)
        self._buckets[client] = (left if short else left - 1.0, now)
        self._buckets.move_to_end(client)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return short * 60.0 / self.per_minute

    def give_back(self, client: str) -> None:
        """Undo a take."""
        if client in self._buckets:
            left, at = self._buckets[client]
            self._buckets[client] = (min(self.per_minute, left + 1.0), at)
