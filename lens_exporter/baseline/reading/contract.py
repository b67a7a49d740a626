"""What a model may answer about a window: exactly one call of three, typed and checked at the edge."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints, ValidationError

from lens_exporter.llm.feedback import problems
from lens_exporter.model.conversation import Reply, ToolSpec

CONTINUE, ANOMALY, HEALTHY = "continue_observing", "anomaly", "healthy"

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]


class SaidContinue(BaseModel, extra="forbid", frozen=True):
    """Not clear yet: look again before anybody is told."""

    notes: Line = Field(description="what to remember for the next look")
    confidence: Literal["low", "medium"]


class SaidAnomaly(BaseModel, extra="forbid", frozen=True):
    """Somebody should be told."""

    anomaly_type: str = Field(description="the one that is flagged")
    severity: Literal["info", "warning", "critical"]
    summary: Line = Field(description="one sentence for the person on call")
    evidence: tuple[Line, ...] = Field((), max_length=5, description="what in the window shows it")
    confidence: Literal["medium", "high"]
    cooldown_minutes: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="how long the same may stay quiet afterwards; default: as configured"
    )


class SaidHealthy(BaseModel, extra="forbid", frozen=True):
    """Nothing that anybody has to be told."""

    summary: Line
    confidence: Literal["medium", "high"]


Said = SaidContinue | SaidAnomaly | SaidHealthy

_ANSWERS: dict[str, type[SaidContinue] | type[SaidAnomaly] | type[SaidHealthy]] = {
    CONTINUE: SaidContinue,
    ANOMALY: SaidAnomaly,
    HEALTHY: SaidHealthy,
}
_MEANINGS = {
    CONTINUE: "Not clear yet: hold it back and look again in a few minutes.",
    ANOMALY: "It is worth telling somebody, at this severity.",
    HEALTHY: "It is no reason to tell anybody.",
}


def specs(flagged: str) -> tuple[ToolSpec, ...]:
    """Describe the answers as tools. Where nothing is flagged ("") an anomaly cannot be answered."""
    offered = (CONTINUE, ANOMALY, HEALTHY) if flagged else (CONTINUE, HEALTHY)
    return tuple(ToolSpec(name, _MEANINGS[name], _schema(name, flagged)) for name in offered)


def read(reply: Reply, flagged: str) -> Said | str:
    """Take the answer out of a reply, or say in words for the model what is wrong with it."""
    offered = {spec.name for spec in specs(flagged)}
    wanted = f"answer by exactly one call of {', '.join(sorted(offered))}, with a JSON object"
    if len(reply.calls) != 1:
        return wanted
    (call,) = reply.calls
    if call.name not in offered or isinstance(call.arguments, str):
        return wanted
    try:
        said = _ANSWERS[call.name].model_validate(call.arguments)
    except ValidationError as error:
        return problems(error)
    if isinstance(said, SaidAnomaly) and said.anomaly_type != flagged:
        return f'anomaly_type: only "{flagged}" is flagged; nothing else can be reported here'
    return said


def intent(said: Said) -> str:
    """Name an answer as decisions are named."""
    return next(name for name, kind in _ANSWERS.items() if isinstance(said, kind))


def _schema(name: str, flagged: str) -> dict[str, Any]:
    schema = _ANSWERS[name].model_json_schema()
    if name == ANOMALY:
        schema["properties"]["anomaly_type"]["enum"] = [flagged]
    return schema
