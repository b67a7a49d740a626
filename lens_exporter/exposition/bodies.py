"""Bodies of requests: JSON, no larger and no slower than allowed, and not too many at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

from lens_exporter.errors import BodyTooLarge, IntakeBusy

_AT_ONCE = 4  # times the size limit: memory that bodies on their way in may take together


class Bodies:
    """Reads the bodies of one kind of request. It belongs to the event loop."""

    def __init__(self, max_bytes: int, seconds: float) -> None:
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._under_way = 0  # bytes of bodies that are held

    @property
    def too_slow(self) -> str:
        """Say what a client hears whose body raised TimeoutError."""
        return f"the body did not arrive within {self._seconds:g} s"

    @asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytes]:
        """Read a body, which counts among those under way until the block ends.

        Raises:
            BodyTooLarge, IntakeBusy, TimeoutError, ClientDisconnect.

        """
        body = bytearray()
        try:
            await self._take(request, body)
            yield bytes(body)
        finally:
            self._under_way -= len(body)

    async def _take(self, request: Request, body: bytearray) -> None:
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self._max_bytes:
            raise BodyTooLarge(limit=self._max_bytes)
        most_together = self._max_bytes * _AT_ONCE
        async with asyncio.timeout(self._seconds):
            # Counted as it comes: a Content-Length is a claim, and a chunked body has none.
            async for chunk in request.stream():
                if len(body) + len(chunk) > self._max_bytes:
                    raise BodyTooLarge(limit=self._max_bytes)
                if self._under_way + len(chunk) > most_together:
                    raise IntakeBusy(limit=most_together)
                body += chunk
                self._under_way += len(chunk)


def wrong_type(request: Request) -> str:
    """Say what is wrong with the headers of a body, "" where it is plain JSON."""
    content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if content_type != "application/json":
        return f"expected Content-Type application/json, got {content_type or 'none'}"
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        return f"expected a plain body, got Content-Encoding {encoding}"
    return ""
