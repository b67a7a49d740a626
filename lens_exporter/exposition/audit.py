"""What is told of callers: each refusal is counted, and becomes an event as long as not everybody is at it."""

from collections.abc import Callable

from lens_exporter.exposition.credentials import Reason
from lens_exporter.exposition.offload import Offload
from lens_exporter.foundation.clock import Clock
from lens_exporter.foundation.rate_limit import Buckets
from lens_exporter.foundation.telemetry import Telemetry

_TOLD_PER_MINUTE = 60  # whoever asks ten thousand times must not fill the database with it
_PATH_CHARACTERS = 200


class Audit:
    """Belongs to the event loop."""

    def __init__(self, record: Callable[..., None], telemetry: Telemetry, offload: Offload, clock: Clock) -> None:
        self._record = record
        self._telemetry = telemetry
        self._offload = offload
        # By reason and, where it is known, who: strangers in any number hide no misuse of a token.
        self._told = Buckets(_TOLD_PER_MINUTE, clock)
        self._left_out: dict[str, int] = {}
        for reason in Reason:
            telemetry.inc("lens_http_refused_total", 0, reason=reason.value)  # a counter that appears with 1 has not increased

    async def denied(
        self, reason: Reason, *, client: str, who: str = "", scope: str = "", request: str = "", status: int = 0, error: str = ""
    ) -> None:
        """Tell that somebody was not let in; status 0 where there was no answer because TLS failed."""
        self._telemetry.inc("lens_http_refused_total", reason=reason.value)
        kind = f"{reason.value} {who}"
        if self._told.take(kind):
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return
        facts = {
            "reason": reason.value,
            "client": client,
            "who": who,
            "scope": scope,
            "request": request[:_PATH_CHARACTERS],
            "status": status,
            "error": error,
            "left_out": self._left_out.pop(kind, 0),
        }
        await self._offload(lambda: self._record("access.denied", **facts))

    async def acted(self, who: str, client: str, request: str, status: int) -> None:
        """Tell of an administrative act and what it was answered with."""
        facts = {"who": who, "client": client, "request": request[:_PATH_CHARACTERS], "status": status}
        await self._offload(lambda: self._record("admin.acted", **facts))
