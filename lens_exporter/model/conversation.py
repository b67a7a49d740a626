"""What passes between an agent and a model client, in nobody's wire format."""

from dataclasses import dataclass, field
from typing import Any, Literal

from lens_exporter.model.analysis import Cost
from lens_exporter.model.tool import ToolResult


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model sees it. parameters is a JSON schema of an object."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """arguments is what the model wrote: a JSON object if it kept to the schema, the raw text if it did not."""

    id: str
    name: str
    arguments: dict[str, Any] | str


@dataclass(frozen=True, slots=True)
class Instruction:
    """What the agent says to the model: the task, or feedback from code and judge."""

    text: str
    kind: Literal["instruction"] = "instruction"


@dataclass(frozen=True, slots=True)
class Reply:
    """One answered model call. A final answer is a call of the output tool; text beside calls is kept for the trail."""

    calls: tuple[ToolCall, ...]
    text: str = ""
    model: str = ""
    cost: Cost = field(default_factory=Cost)
    kind: Literal["reply"] = "reply"


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to one tool call. receipt is set when the tool ran; a refused call (unknown tool, bad arguments) has none."""

    call: ToolCall
    result: ToolResult
    receipt: str = ""
    kind: Literal["answered"] = "answered"


Step = Instruction | Reply | Answered
Trail = tuple[Step, ...]  # the whole conversation, and the agent's only state
