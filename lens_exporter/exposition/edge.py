"""The outermost layer: headers every answer carries, requests no browser page of another site may send, and the last catch."""

from collections.abc import Callable, Mapping
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lens_exporter.exposition.answers import problem
from lens_exporter.exposition.audit import Audit
from lens_exporter.exposition.credentials import Reason

_HEADERS = {
    # Nothing runs and nothing is loaded but our own style sheet, whatever a label says.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_SAFE = {"GET", "HEAD", "OPTIONS"}
_log = structlog.get_logger("lens_exporter.http")


class Edge:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, audit: Audit, more: Callable[[], Mapping[str, str]] = dict) -> None:
        """`more` gives the headers of the web config file, which win over ours."""
        self._app = app
        self._audit = audit
        self._more = more

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                MutableHeaders(scope=message).update({**_HEADERS, **self._more()})
            await send(message)

        if scope["method"] not in _SAFE and _from_another_site(scope):
            said = "a page of another site may not send this request"
            client = scope["client"][0] if scope.get("client") else ""
            request = f"{scope['method']} {scope['path']}"
            await self._audit.denied(Reason.CROSS_SITE, client=client, request=request, status=403, error=said)
            refusal = problem(403, Reason.CROSS_SITE.value, said)
            await refusal(scope, receive, send_with_headers)
            return
        try:
            await self._app(scope, receive, send_with_headers)
        # Whatever a handler missed: the client gets an answer in our shape and the log gets the traceback.
        except Exception as error:
            _log.exception("request failed", path=scope["path"], method=scope["method"])
            if begun:
                raise
            answer = problem(500, "internal", f"{type(error).__name__}; the log of lens-exporter says more")
            await answer(scope, receive, send_with_headers)


def _from_another_site(scope: dict[str, Any] | Scope) -> bool:
    headers = Headers(scope=scope)
    # Browsers say where a request comes from; other clients send no such header (Fetch Metadata, W3C).
    if site := headers.get("sec-fetch-site"):
        return site not in {"none", "same-origin"}
    # Over plain HTTP they say it to localhost only; of what changes something they always name the page's origin. No page of ours
    # sends any, so that whose name the other page has got for our address (DNS rebinding) makes no difference.
    return "origin" in headers
