"""The edge of POST /webhook: what is too large, too slow or not JSON is refused before anybody parses it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from lens_exporter.errors import BadWebhook, BodyTooLarge, DatabaseError, IntakeBusy, IntakeFull, LensError
from lens_exporter.exposition.answers import document, kind_of, problem, status_of
from lens_exporter.exposition.documents import VERSION
from lens_exporter.exposition.ports import Document, Ports

Offload = Callable[..., Coroutine[Any, Any, Any]]  # runs a blocking call in a thread

_BODIES_AT_ONCE = 4  # times the size limit: memory that bodies on their way in may take together
_log = structlog.get_logger("lens_exporter.webhook")


class Webhook:
    """Reads a body within its limits, hands it over, and answers. 200 means stored, nothing more is waited for."""

    def __init__(self, ports: Ports, offload: Offload, *, max_bytes: int, seconds: float = 30.0) -> None:
        self._ports = ports
        self._offload = offload
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._under_way = 0  # bytes of bodies being read; touched by the event loop only

    async def __call__(self, request: Request) -> Response:
        refusal = _wrong_type(request)
        if refusal:
            return await self._refuse("malformed", 415, "unsupported_media_type", refusal)
        body = bytearray()
        try:
            await self._read(request, body)
            outcome: Document = await self._offload(self._ports.webhook, bytes(body))
        except BodyTooLarge as error:
            return await self._refuse("too_large", 413, "body_too_large", str(error))
        except TimeoutError:
            return await self._refuse("malformed", 408, "timeout", f"the body did not arrive within {self._seconds:g} s")
        except ClientDisconnect:
            return await self._refuse("malformed", 400, "bad_request", "the client left before the body had arrived")
        except BadWebhook as error:
            return await self._refuse("malformed", status_of(error), kind_of(error), str(error))
        except (IntakeFull, IntakeBusy) as error:
            return await self._refuse("full", 503, kind_of(error), str(error))
        except DatabaseError as error:
            return await self._refuse("unavailable", 503, kind_of(error), str(error))
        # Alertmanager asks again after a 503, so nothing is lost whatever went wrong while storing.
        except Exception as error:  # noqa: BLE001 - the HTTP edge
            _log.exception("webhook failed")
            said = str(error) if isinstance(error, LensError) else f"{type(error).__name__}; the log of lens-exporter says more"
            return await self._refuse("unavailable", 503, "internal", said)
        finally:
            self._under_way -= len(body)
        self._ports.telemetry.inc("lens_webhooks_total", answer="accepted")
        return document({"version": VERSION, **outcome})

    async def _read(self, request: Request, body: bytearray) -> None:
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self._max_bytes:
            raise BodyTooLarge(limit=self._max_bytes)
        most_together = self._max_bytes * _BODIES_AT_ONCE
        async with asyncio.timeout(self._seconds):
            # Counted as it comes: a Content-Length is a claim, and a chunked body has none.
            async for chunk in request.stream():
                if len(body) + len(chunk) > self._max_bytes:
                    raise BodyTooLarge(limit=self._max_bytes)
                if self._under_way + len(chunk) > most_together:
                    raise IntakeBusy(limit=most_together)
                body += chunk
                self._under_way += len(chunk)

    async def _refuse(self, answer: str, status: int, kind: str, message: str) -> Response:
        self._ports.telemetry.inc("lens_webhooks_total", answer=answer)
        await self._offload(lambda: self._ports.record("webhook.refused", answer=answer, error=message))
        return problem(status, kind, message)


def _wrong_type(request: Request) -> str:
    content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if content_type != "application/json":
        return f"expected Content-Type application/json, got {content_type or 'none'}"
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        return f"expected a plain body, got Content-Encoding {encoding}"
    return ""
