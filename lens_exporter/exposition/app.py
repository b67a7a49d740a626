"""The HTTP application: every route lens-exporter serves."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from lens_exporter.config.secrets import Secrets
from lens_exporter.config.web import Web
from lens_exporter.errors import LensError, UnknownInvestigation
from lens_exporter.exposition import answers, api, expected, openapi
from lens_exporter.exposition.access import Access
from lens_exporter.exposition.answers import document, problem
from lens_exporter.exposition.audit import Audit
from lens_exporter.exposition.bodies import Bodies
from lens_exporter.exposition.documents import VERSION, Problem, ReloadShape, WebhookShape
from lens_exporter.exposition.edge import Edge
from lens_exporter.exposition.gate import Gate
from lens_exporter.exposition.offload import Offload, offload
from lens_exporter.exposition.pages.anomaly import anomaly
from lens_exporter.exposition.pages.investigation import investigation, missing
from lens_exporter.exposition.pages.landing import Landing, landing
from lens_exporter.exposition.ports import Ports
from lens_exporter.exposition.scrape import Exposition
from lens_exporter.exposition.webhook import Webhook
from lens_exporter.foundation.clock import Clock, monotonic, wall
from lens_exporter.model.access import Scope

T = TypeVar("T")
_READ = ["GET", "HEAD"]
_LATEST = 10  # investigations on the first page
_STORY = 2000  # events of one anomaly on its page


def build_app(
    ports: Ports,
    *,
    access: Access | None = None,
    audit: Audit | None = None,
    telemetry_path: str = "/metrics",
    max_body_bytes: int = 10 * 1024 * 1024,
    body_seconds: float = 30.0,
    clock: Clock = wall,
) -> FastAPI:
    """Build the application around its ports. Without access everybody may come in, each no more often than usual."""
    rules = access or Access(Web(), Secrets({}), ports.telemetry, ports.record)
    app = FastAPI(
        title="lens-exporter",
        version=ports.version or "0",
        openapi_url="/api/v1/openapi.json",
        # The documentation pages FastAPI brings load scripts from a CDN; openapi.json serves any viewer.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # Its own spans would add one trace to each scrape; lens-exporter's spans tell a story each.
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    audit = audit or auditing(ports)
    app.add_middleware(Gate, access=rules, audit=audit, clock=monotonic)
    app.add_middleware(Edge, audit=audit, more=lambda: rules.rules.headers)
    openapi.describe_access(app)
    app.add_exception_handler(LensError, answers.on_lens_error)
    app.add_exception_handler(HTTPException, answers.on_http_error)
    app.add_exception_handler(RequestValidationError, answers.on_bad_parameter)
    # Threads of their own for each kind of work: slow API calls or webhooks cannot keep a scrape waiting.
    _operations(app, ports, telemetry_path, scrapes=offload(2), checks=offload(4))
    _webhook(app, Webhook(ports, offload(8), Bodies(max_body_bytes, body_seconds), monotonic))
    reading = offload(16)
    app.include_router(api.router(ports, reading))
    app.include_router(expected.router(ports, reading, Bodies(max_body_bytes, body_seconds)))
    _pages(app, ports, reading, telemetry_path, clock)
    return app


def auditing(ports: Ports) -> Audit:
    """Build what tells of callers; one for the application and the connections it comes by."""
    return Audit(ports.record, ports.telemetry, offload(4), monotonic)


def _operations(app: FastAPI, ports: Ports, telemetry_path: str, *, scrapes: Offload, checks: Offload) -> None:
    exposition = Exposition(ports.collectors)

    @app.api_route(telemetry_path, methods=_READ, include_in_schema=False)
    async def metrics(request: Request) -> Response:
        accept, encoding = request.headers.get("accept", ""), request.headers.get("accept-encoding", "")
        body, headers = await scrapes(exposition.encode, accept, encoding)
        return Response(body, headers=headers)

    async def healthy() -> Response:
        """Say that the process answers."""
        return PlainTextResponse("lens-exporter is healthy.\n")

    async def ready(request: Request) -> Response:
        """Say whether lens-exporter can do its work, and if not, to whoever may read: why."""
        is_ready, reasons = await checks(ports.readiness)
        if is_ready:
            return PlainTextResponse("lens-exporter is ready.\n")
        if Scope.READ not in request.state.principal.scopes:
            return problem(503, "not_ready", "not ready; whoever shows a token with the scope read is told why")
        return problem(503, "not_ready", "; ".join(reasons) or "not ready yet", reasons=reasons)

    for path, check in (("/-/healthy", healthy), ("/-/ready", ready)):
        app.get(path, tags=["operations"], response_class=PlainTextResponse, responses={503: {"model": Problem}})(check)
        app.head(path, include_in_schema=False)(check)

    @app.post("/-/reload", tags=["operations"], responses={200: {"model": ReloadShape}, 500: {"model": Problem}})
    async def reload() -> Response:
        """Read the configuration again. A bad one is refused with 500, as Prometheus does, and the last good one stays."""
        outcome = await checks(ports.reload)
        if outcome.accepted:
            return document({"version": VERSION, "message": outcome.message})
        return problem(500, "config_rejected", outcome.message)


def _webhook(app: FastAPI, edge: Webhook) -> None:
    refusals: dict[int | str, dict[str, Any]] = {code: {"model": Problem} for code in (400, 408, 413, 415, 503)}

    asked = {"requestBody": {"required": True, "content": {"application/json": {"schema": openapi.WEBHOOK_BODY}}}}

    @app.post("/webhook", tags=["intake"], responses={200: {"model": WebhookShape}, **refusals}, openapi_extra=asked)
    async def webhook(request: Request) -> Response:
        """Take an Alertmanager webhook of version 4. 200 means stored."""
        return await edge(request)


def _pages(app: FastAPI, ports: Ports, reading: Offload, telemetry_path: str, clock: Clock) -> None:
    style = (Path(__file__).parent / "lens.css").read_bytes()

    @app.api_route("/static/lens.css", methods=_READ, include_in_schema=False)
    async def lens_css() -> Response:
        return Response(style, media_type="text/css", headers={"Cache-Control": "max-age=300"})

    @app.api_route("/", methods=_READ, include_in_schema=False)
    async def landing_page() -> Response:
        def write() -> bytes:
            is_ready, reasons = ports.readiness()
            return landing(
                Landing(
                    ports.origin(),
                    ports.version,
                    telemetry_path,
                    clock(),
                    () if is_ready else tuple(reasons) or ("not ready yet",),
                    _or_why_not(ports.watchers),
                    _or_why_not(ports.alerts),
                    # Whole documents: a list entry does not say who investigated and how sure they are.
                    _or_why_not(lambda: [ports.investigation(str(one["id"])) for one in ports.investigations(_LATEST, None)]),
                )
            )

        return _page(await reading(write))

    @app.api_route("/investigations/{id}", methods=_READ, include_in_schema=False)
    async def investigation_page(id: str) -> Response:  # noqa: A002 - the name of the field
        try:
            return _page(await reading(lambda: investigation(ports.investigation(id), clock())))
        except UnknownInvestigation as error:
            return _page(missing("investigation", str(error)), 404)

    @app.api_route("/anomalies/{correlation}", methods=_READ, include_in_schema=False)
    async def anomaly_page(correlation: str) -> Response:
        story = await reading(lambda: ports.events(correlation=correlation, limit=_STORY))
        if not story:
            return _page(missing("anomaly", "No event has this correlation id; events are kept for events_retention."), 404)
        return _page(anomaly(correlation, story, clock()))


def _or_why_not(read: Callable[[], T]) -> T | str:
    # A page that says which part cannot be read serves better than none.
    try:
        return read()
    except LensError as error:
        return str(error)


def _page(body: bytes, status: int = 200) -> Response:
    return HTMLResponse(body, status, headers={"Cache-Control": "no-store"})
