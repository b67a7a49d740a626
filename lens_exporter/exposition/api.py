"""The versioned JSON API."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BeforeValidator
from starlette.responses import Response

from lens_exporter.config.words import expect_known
from lens_exporter.errors import UnknownWatcher
from lens_exporter.exposition import documents as shape
from lens_exporter.exposition.answers import document
from lens_exporter.exposition.offload import Offload
from lens_exporter.exposition.ports import Ports
from lens_exporter.foundation.events import EVENT_TYPES
from lens_exporter.investigate.unit import State

Moment = Annotated[float | None, BeforeValidator(lambda text: None if text is None else shape.parse_time(text))]
_BAD: dict[int | str, dict[str, Any]] = {400: {"model": shape.Problem}}
_ABSENT: dict[int | str, dict[str, Any]] = {404: {"model": shape.Problem}}


def router(ports: Ports, offload: Offload) -> APIRouter:
    """Build /api/v1."""
    api = APIRouter(prefix="/api/v1", responses={503: {"model": shape.Problem}})

    @api.get("/watchers", responses={200: {"model": shape.WatchersShape}}, tags=["watchers"])
    async def watchers() -> Response:
        """Give every watcher with its last and next run."""
        found = await offload(ports.watchers)
        return document({"version": shape.VERSION, "watchers": [shape.watcher(one) for one in found]})

    @api.get("/watchers/{name}", responses={200: {"model": shape.WatcherDetail}, **_ABSENT}, tags=["watchers"])
    async def watcher(name: str) -> Response:
        """Give one watcher with its last reading of every series."""
        found = await offload(ports.watchers)
        for one in found:
            if one.name == name:
                return document(shape.watcher_detail(one))
        raise UnknownWatcher(name=name, known=", ".join(one.name for one in found))

    @api.post(
        "/watchers/{name}/trigger", status_code=202, responses={202: {"model": shape.TriggerShape}, **_ABSENT}, tags=["watchers"]
    )
    async def trigger(name: str) -> Response:
        """Ask for a tick now. Answers at once; the outcome says whether one was already running."""
        outcome = await offload(ports.trigger, name)
        return document({"version": shape.VERSION, "watcher": name, "outcome": outcome}, 202)

    @api.get("/alerts", responses={200: {"model": shape.AlertsShape}}, tags=["alerts"])
    async def alerts() -> Response:
        """Give the alerts lens-exporter keeps alive: its watchers' own, and companions that carry findings."""
        return document(shape.alerts(await offload(ports.alerts)))

    @api.get("/investigations", responses={200: {"model": shape.InvestigationsShape}, **_BAD}, tags=["investigations"])
    async def investigations(limit: Annotated[int, Query(ge=1, le=1000)] = 100, state: str | None = None) -> Response:
        """Give investigations, newest first."""
        if state is not None:
            expect_known("state of an investigation", state, State)
        found = await offload(ports.investigations, limit, state)
        return document({"version": shape.VERSION, "investigations": list(found)})

    @api.get("/investigations/{id}", responses={200: {"description": "The investigation"}, **_ABSENT}, tags=["investigations"])
    async def investigation(id: str) -> Response:  # noqa: A002 - the name of the field
        """Give one investigation with its findings, receipts, review and cost."""
        return document(await offload(ports.investigation, id))

    @api.get("/events", responses={200: {"model": shape.EventsShape}, **_BAD}, tags=["events"])
    async def events(
        correlation: Annotated[str | None, Query(description="one anomaly's story, oldest event first")] = None,
        type: Annotated[str | None, Query(description="only events of this type")] = None,  # noqa: A002 - as above
        since: Annotated[Moment, Query(description="Unix seconds or RFC 3339, inclusive")] = None,
        until: Annotated[Moment, Query(description="Unix seconds or RFC 3339, exclusive")] = None,
        limit: Annotated[int, Query(ge=1, le=5000)] = 500,
    ) -> Response:
        """Give events: of one correlation id in order, without one the newest first."""
        if type is not None:
            expect_known("event type", type, EVENT_TYPES)

        def query() -> Any:
            return ports.events(
                correlation=correlation, kind=type, since=since, until=until, newest_first=correlation is None, limit=limit
            )

        return document(shape.events(await offload(query)))

    return api
