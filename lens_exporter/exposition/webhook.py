"""The edge of POST /webhook: what is too large, too slow or not JSON is refused before anybody parses it."""

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from lens_exporter.errors import BadWebhook, BodyTooLarge, DatabaseError, IntakeBusy, IntakeFull, LensError
from lens_exporter.exposition.answers import document, kind_of, problem, status_of
from lens_exporter.exposition.bodies import Bodies, wrong_type
from lens_exporter.exposition.documents import VERSION
from lens_exporter.exposition.offload import Offload
from lens_exporter.exposition.ports import Document, Ports
from lens_exporter.foundation.clock import Clock
from lens_exporter.foundation.rate_limit import Buckets

_ANSWERS = ("accepted", "malformed", "too_large", "full", "unavailable")
_TOLD_PER_MINUTE = 60  # a sender that is wrong a hundred times a second must not fill the database with it
_log = structlog.get_logger("lens_exporter.webhook")


class Webhook:
    """Reads a body within its limits, hands it over, and answers. 200 means stored, nothing more is waited for."""

    def __init__(self, ports: Ports, offload: Offload, bodies: Bodies, clock: Clock) -> None:
        self._ports = ports
        self._offload = offload
        self._bodies = bodies
        self._told = Buckets(_TOLD_PER_MINUTE, clock, most_clients=1)
        self._left_out = 0
        for answer in _ANSWERS:  # from zero on, so that increase() sees the first one
            ports.telemetry.inc("lens_webhooks_total", 0, answer=answer)

    async def __call__(self, request: Request) -> Response:
        refusal = wrong_type(request)
        if refusal:
            return await self._refuse("malformed", 415, "unsupported_media_type", refusal)
        try:
            async with self._bodies.read(request) as body:
                outcome: Document = await self._offload(self._ports.webhook, body)
        except BodyTooLarge as error:
            return await self._refuse("too_large", 413, "body_too_large", str(error))
        except TimeoutError:
            return await self._refuse("malformed", 408, "timeout", self._bodies.too_slow)
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
        self._ports.telemetry.inc("lens_webhooks_total", answer="accepted")
        return document({"version": VERSION, **outcome})

    async def _refuse(self, answer: str, status: int, kind: str, message: str) -> Response:
        self._ports.telemetry.inc("lens_webhooks_total", answer=answer)
        if self._told.take(""):
            self._left_out += 1
        else:
            left_out, self._left_out = self._left_out, 0
            await self._offload(lambda: self._ports.record("webhook.refused", answer=answer, error=message, left_out=left_out))
        return problem(status, kind, message)
