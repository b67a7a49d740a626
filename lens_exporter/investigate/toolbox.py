"""The tools of one investigation behind one guarded call: checked arguments, a time limit, a size limit, plain refusals."""

import contextvars
import math
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError

from lens_exporter.errors import LensError
from lens_exporter.foundation.clock import Clock, wall
from lens_exporter.investigate.shrink import shrunk
from lens_exporter.llm.feedback import problems
from lens_exporter.model.conversation import ToolSpec
from lens_exporter.model.tool import Tool, ToolResult, ToolStatus

_HUNG_LIMIT = 8  # threads that may hang before no more are started
_SEEN_LIMIT = 1000  # numbers kept of one answer


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call that may be made. asked is its arguments in their one canonical form, moments made absolute: it can be asked again."""

    tool: Tool
    arguments: BaseModel
    asked: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """A call that was not made, and why, for the model to do better."""

    reason: str


class Toolbox:
    """Read-only tools by name."""

    def __init__(self, tools: Sequence[Tool], clock: Clock = wall, *, timeout: float = 30.0, max_bytes: int = 16_000) -> None:
        self._tools = {tool.name: tool for tool in tools}
        if len(self._tools) < len(tools):
            names = [tool.name for tool in tools]
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f"two tools with one name: {', '.join(twice)}")
        self._clock = clock
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._hung: list[threading.Thread] = []

    def specs(self) -> tuple[ToolSpec, ...]:
        """Describe the tools to a model."""
        return tuple(ToolSpec(tool.name, tool.description, tool.arguments.model_json_schema()) for tool in self._tools.values())

    def repeatable(self, name: str) -> bool:
        """Whether the tool's past answers can be asked for again."""
        return name in self._tools and self._tools[name].repeatable

    def prepare(self, name: str, arguments: dict[str, Any] | str, now: float | None = None) -> Prepared | Refused:
        """Check a call without making it. `now` is what "now" in the arguments means; default: the clock."""
        tool = self._tools.get(name)
        if tool is None:
            return Refused(f"there is no tool {name!r}; the tools are: {', '.join(sorted(self._tools)) or 'none'}")
        if isinstance(arguments, str):
            return Refused(f"the arguments of {name} are not a JSON object: {arguments[:200]}")
        try:
            checked = tool.arguments.model_validate(arguments, context={"now": self._clock() if now is None else now})
        except ValidationError as error:
            return Refused(f"bad arguments for {name}: {problems(error)}")
        return Prepared(tool, checked, checked.model_dump(mode="json"))

    def call(self, name: str, arguments: dict[str, Any] | str, now: float | None = None) -> ToolResult:
        """Check and make a call. Never raises: what goes wrong is an error result."""
        prepared = self.prepare(name, arguments, now)
        if isinstance(prepared, Refused):
            return ToolResult(ToolStatus.ERROR, note=prepared.reason)
        return self.run(prepared)

    def run(self, prepared: Prepared) -> ToolResult:
        """Make a prepared call in its own thread, so that a hung tool costs one thread and not the investigation."""
        self._hung = [thread for thread in self._hung if thread.is_alive()]
        if len(self._hung) >= _HUNG_LIMIT:
            return ToolResult(ToolStatus.ERROR, note=f"not called: {len(self._hung)} tools called earlier still hang")
        answers: queue.SimpleQueue[ToolResult] = queue.SimpleQueue()
        context = contextvars.copy_context()
        thread = threading.Thread(
            target=lambda: answers.put(context.run(_answer, prepared)), name=f"tool-{prepared.tool.name}", daemon=True
        )
        thread.start()
        try:
            result = answers.get(timeout=self._timeout)
        except queue.Empty:
            self._hung.append(thread)
            return ToolResult(ToolStatus.ERROR, note=f"{prepared.tool.name} did not answer within {self._timeout:g} s")
        return self._bounded(result)

    def _bounded(self, result: ToolResult) -> ToolResult:
        finite = [(name, float(value)) for name, value in result.seen.items() if math.isfinite(value)]
        result = replace(result, seen=dict(finite[:_SEEN_LIMIT]))
        try:
            encoded = orjson.dumps(result.data, default=str, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
        except orjson.JSONEncodeError as error:
            return ToolResult(ToolStatus.ERROR, note=f"its answer is not JSON: {error}")
        data, left_out = shrunk(orjson.loads(encoded), self._max_bytes)
        if not left_out:
            return replace(result, data=data)
        note = f"{left_out}; ask for less"
        return ToolResult(ToolStatus.TRUNCATED, data, "; ".join(filter(None, (result.note, note))), result.seen)


def _answer(prepared: Prepared) -> ToolResult:
    try:
        return prepared.tool.call(prepared.arguments)
    except LensError as error:
        return ToolResult(ToolStatus.ERROR, note=str(error))
    except Exception as error:  # noqa: BLE001 - a tool is foreign code: any failure is one error result, never the investigation's end
        return ToolResult(ToolStatus.ERROR, note=f"{type(error).__name__}: {error}"[:500])
