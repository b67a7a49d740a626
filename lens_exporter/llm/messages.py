"""A trail as the turns every chat protocol shares: asked, answered with calls, results for each call."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from lens_exporter.model.conversation import Answered, Instruction, Reply, ToolCall, ToolSpec, Trail
from lens_exporter.model.tool import ToolStatus

RESULT_CHARACTERS = 30_000  # of one tool result; a bigger one is cut, and says so
_CHARACTERS_PER_TOKEN = 3.0  # low on purpose: JSON and PromQL have short tokens, and an estimate must not be too small


@dataclass(frozen=True, slots=True)
class Result:
    """One tool result. Every call of a reply gets one: protocols refuse a call without."""

    call: ToolCall
    text: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """What goes to the model before its next reply: results first, then instructions."""

    results: tuple[Result, ...] = ()
    instructions: tuple[str, ...] = ()


@dataclass(slots=True)
class _Open:
    unanswered: dict[str, ToolCall] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    instructions: list[str] = field(default_factory=list)

    def close(self) -> Told:
        # A final answer is a call too, and nobody runs it as a tool.
        received = [Result(call, '{"status":"received"}') for call in self.unanswered.values()]
        return Told((*self.results, *received), tuple(self.instructions))


def turns(trail: Trail) -> Iterator[Told | Reply]:
    """Give Told and Reply in turn, beginning and ending with Told. Replies that said nothing are left out."""
    told = _Open()
    for step in trail:
        match step:
            case Instruction():
                told.instructions.append(step.text)
            case Answered():
                told.unanswered.pop(step.call.id, None)
                told.results.append(Result(step.call, result_text(step), step.result.status is ToolStatus.ERROR))
            case Reply() if step.calls or step.text.strip():
                yield told.close()
                yield step
                told = _Open(unanswered={call.id: call for call in step.calls})
            case Reply():
                continue
    yield told.close()


def result_text(answered: Answered) -> str:
    """Write a tool result as JSON: its receipt id first, since that is what a claim cites."""
    result = answered.result
    body: dict[str, Any] = {"receipt": answered.receipt} if answered.receipt else {}
    body |= {"status": result.status.value}
    body |= {name: value for name, value in (("note", result.note), ("seen", result.seen), ("data", result.data)) if value}
    text = as_json(body)
    if len(text) <= RESULT_CHARACTERS:
        return text
    return f"{text[:RESULT_CHARACTERS]} [cut here: {len(text) - RESULT_CHARACTERS} more characters]"


def arguments(call: ToolCall) -> dict[str, Any]:
    """Give a call's arguments as the object every protocol wants back, also when the model wrote something else."""
    return call.arguments if isinstance(call.arguments, dict) else {"unparsed": call.arguments}


def estimated_tokens(system: str, trail: Trail, tools: tuple[ToolSpec, ...]) -> int:
    """Guess, rather too high, how many input tokens a request has."""
    characters = len(system) + sum(len(spec.description) + len(as_json(spec.parameters)) for spec in tools)
    for turn in turns(trail):
        if isinstance(turn, Reply):
            characters += len(turn.text) + sum(len(as_json(arguments(call))) for call in turn.calls)
        else:
            characters += sum(len(result.text) for result in turn.results) + sum(map(len, turn.instructions))
    return math.ceil(characters / _CHARACTERS_PER_TOKEN)


def as_json(value: Any) -> str:
    """Write cleaned JSON; NaN becomes null."""
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
