"""/api/v1/expected: what people declare to be in order."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BeforeValidator, Field, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from lens_exporter.errors import BodyTooLarge, DeclarationInvalid
from lens_exporter.exposition import documents as shape
from lens_exporter.exposition.answers import document, problem, status_of
from lens_exporter.exposition.bodies import Bodies, wrong_type
from lens_exporter.exposition.offload import Offload
from lens_exporter.exposition.ports import Ports
from lens_exporter.model.access import ANYBODY, LOCAL

Moment = Annotated[float, BeforeValidator(shape.parse_time, json_schema_input_type=float | str)]


class Wish(shape.Shape):
    """A declaration as it is asked for."""

    watcher: str = Field(description="whose alerts")
    labels: dict[str, str] = Field(description="labels that its alerts have, alertname and category included; {} is all of them")
    begin: Moment = Field(alias="from", description="Unix seconds or RFC 3339, inclusive; may be past")
    end: Moment = Field(alias="to", description="Unix seconds or RFC 3339, exclusive; at most 31 days after from")
    comment: str = Field("", description="why")


def router(ports: Ports, offload: Offload, bodies: Bodies) -> APIRouter:
    """Build the routes."""
    refusals: dict[int | str, dict[str, Any]] = {code: {"model": shape.Problem} for code in (400, 404, 408, 409, 413, 415, 503)}
    api = APIRouter(prefix="/api/v1/expected", tags=["expected"])
    asked = {"requestBody": {"required": True, "content": {"application/json": {"schema": Wish.model_json_schema()}}}}

    @api.get("", responses={200: {"model": shape.ExpectedShape}, 503: {"model": shape.Problem}})
    async def listed() -> Response:
        """Give what is declared, by silences whose comment begins with "expected:" and by this API, the earliest first."""
        return document(shape.expected(await offload(ports.expected)))

    @api.post("", status_code=201, responses={201: {"model": shape.AskedShape}, **refusals}, openapi_extra=asked)
    async def declare(request: Request) -> Response:
        """Declare alerts of a watcher to be expected for a span of time.

        What happens inside it is learnt as normal, and alerts below critical are not fired while it runs. Labels that no alert
        of the watcher can have are refused; series in the answer is 0 where no target has them now, which may be a slip.
        """
        if refusal := wrong_type(request):
            return problem(415, "unsupported_media_type", refusal)
        try:
            async with bodies.read(request) as body:
                wish = _wish(body)
        except BodyTooLarge as error:
            return problem(status_of(error), "body_too_large", str(error))
        except TimeoutError:
            return problem(408, "timeout", bodies.too_slow)
        except ClientDisconnect:
            return problem(400, "bad_request", "the client left before the body had arrived")
        made = await offload(ports.declare, wish.watcher, wish.labels, wish.begin, wish.end, wish.comment, _who(request))
        return document(shape.asked(made, await offload(ports.covered, made)), 201)

    @api.delete("/{id}", responses={200: {"model": shape.DeclaredShape}, **{code: refusals[code] for code in (404, 409, 503)}})
    async def withdraw(id: str) -> Response:  # noqa: A002 - the name of the field
        """Take a declaration back, as if it had never been made. A silence is expired in Alertmanager instead."""
        return document(shape.declared(await offload(ports.withdraw, id)))

    return api


def _who(request: Request) -> str:
    # Where nobody is asked, whose address it is, or which proxy's, is all that is known for certain.
    who = request.state.principal.name
    name = "API" if who in {ANYBODY, LOCAL} else who
    return name if request.client is None else f"{name} from {request.client.host}"


def _wish(body: bytes) -> Wish:
    try:
        return Wish.model_validate_json(body)
    except ValidationError as error:
        first, *others = [
            (".".join(map(str, one["loc"])) or "the body", one["msg"].removeprefix("Value error, "))
            for one in error.errors(include_url=False, include_context=False)
        ]
        rest = [f"{where}: {said}" for where, said in others]
        raise DeclarationInvalid(what=first[0], reason="; ".join([first[1], *rest])) from None
