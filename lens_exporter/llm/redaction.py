"""The one choke point: whatever is sent to a model passes here first, and secrets do not pass."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lens_exporter.errors import ConfigError
from lens_exporter.model.conversation import Answered, Instruction, Reply, Step, ToolCall, ToolSpec, Trail
from lens_exporter.model.secret import hidden, names_a_secret

_DEPTH = 64  # deeper JSON is nothing an honest tool answers
_KNOWN_CHARACTERS = 8  # a shorter known secret would be found in innocent text


class Redactor:
    """Replaces secrets by `[redacted:KIND]`, the same way every time. Never raises; cleaning twice changes nothing more."""

    def __init__(self, configured: Sequence[str] = ()) -> None:
        """Take in `configured` more regular expressions, whose whole matches are replaced.

        Raises:
            ConfigError: one of them is not a regular expression.

        """
        self._configured = tuple(_compiled(pattern, n) for n, pattern in enumerate(configured))

    def clean(self, value: Any, *, known: Sequence[str] = ()) -> Any:
        """Copy text or JSON without its secrets. `known` are secrets by their exact text (the client's own key)."""
        return self._value(value, [secret for secret in known if len(secret) >= _KNOWN_CHARACTERS], 0)

    def text(self, text: str, *, known: Sequence[str] = ()) -> str:
        """Copy text without its secrets. Lone surrogates, which no wire takes, become question marks."""
        text = text.encode("utf-8", "replace").decode("utf-8")
        for secret in known:
            if len(secret) >= _KNOWN_CHARACTERS:
                text = text.replace(secret, "[redacted:secret]")
        text = hidden(text, lambda kind: f"[redacted:{kind}]")
        for pattern in self._configured:
            text = pattern.sub("[redacted:configured]", text)
        return text

    def outgoing(
        self, system: str, trail: Trail, tools: Sequence[ToolSpec], *, known: Sequence[str] = ()
    ) -> tuple[str, Trail, tuple[ToolSpec, ...]]:
        """Copy everything one request to a model is made of, cleaned."""
        specs = tuple(
            ToolSpec(spec.name, self.text(spec.description, known=known), self.clean(spec.parameters, known=known))
            for spec in tools
        )
        return self.text(system, known=known), tuple(self._step(step, known) for step in trail), specs

    def _step(self, step: Step, known: Sequence[str]) -> Step:
        match step:
            case Instruction():
                return replace(step, text=self.text(step.text, known=known))
            case Reply():
                calls = tuple(self._call(call, known) for call in step.calls)
                return replace(step, text=self.text(step.text, known=known), calls=calls)
            case Answered():
                result = step.result
                result = replace(
                    result,
                    data=self.clean(result.data, known=known),
                    note=self.text(result.note, known=known),
                    seen=self.clean(result.seen, known=known),
                )
                return replace(step, call=self._call(step.call, known), result=result)

    def _call(self, call: ToolCall, known: Sequence[str]) -> ToolCall:
        name, identity = self.text(call.name, known=known), self.text(call.id, known=known)
        return ToolCall(identity, name, self.clean(call.arguments, known=known))

    def _value(self, value: Any, known: Sequence[str], depth: int) -> Any:
        if depth > _DEPTH:
            return "[redacted:too_deep]"
        if isinstance(value, str):
            return self.text(value, known=known)
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {self.text(str(key), known=known): self._field(key, inner, known, depth) for key, inner in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value(inner, known, depth + 1) for inner in value]
        return self.text(_spelled(value), known=known)

    def _field(self, key: object, value: Any, known: Sequence[str], depth: int) -> Any:
        if isinstance(value, str | bytes) and value and names_a_secret(str(key)):
            return "[redacted:field]"
        return self._value(value, known, depth + 1)


def _compiled(pattern: str, position: int) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ConfigError(where=f"llm.redact[{position}]", problem=f"{pattern!r} is not a regular expression: {error}") from error


def _spelled(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - foreign __str__ (see the class docstring: never raises)
        return f"<{type(value).__name__}>"
