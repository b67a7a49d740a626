"""Read-only tools an investigator may call, and their typed answers. There is no tool that writes and none that runs a shell."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import BaseModel


class ToolStatus(StrEnum):
    DATA = "data"
    EMPTY = "empty"  # the question was fine, there is nothing
    ERROR = "error"  # the tool failed; says why
    TRUNCATED = "truncated"  # data, but not all of it; says how much is missing
    UNAVAILABLE = "unavailable"  # this source cannot answer, and asking again will not help


@dataclass(frozen=True, slots=True)
class ToolResult:
    """data is JSON. seen holds the named numbers (and times, Unix seconds) a claim may cite, flat."""

    status: ToolStatus
    data: Any = None
    note: str = ""  # why it is empty, what failed, how much was left out
    seen: dict[str, float] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether there is something to cite."""
        return self.status in {ToolStatus.DATA, ToolStatus.TRUNCATED}


class NoArguments(BaseModel, extra="forbid"):
    """For tools that take none."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A question with typed arguments. `call` may raise; whoever runs it turns that into an error result, times it and logs it."""

    name: str  # get_top_processes
    description: str  # for the model: what it answers, in one or two sentences
    call: Callable[[Any], ToolResult]
    arguments: type[BaseModel] = NoArguments
    # A past moment can be asked again and must give the same numbers (PromQL over a fixed range). Live tools cannot.
    repeatable: bool = False
