"""One client's way to its server: a trail in, a reply out, through pydantic-ai's model layer over the provider's SDK.

Nothing of either is imported before the first call.
"""

import json
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from lens_exporter.config.settings import LlmClient
from lens_exporter.errors import ModelRefused
from lens_exporter.foundation import conventions, tracing
from lens_exporter.foundation.clock import Clock, monotonic
from lens_exporter.llm import messages
from lens_exporter.llm.loop import BackgroundLoop
from lens_exporter.llm.pricing import Prices, Tokens
from lens_exporter.model.analysis import Cost
from lens_exporter.model.conversation import Reply, ToolCall, ToolSpec, Trail

if TYPE_CHECKING:
    from opentelemetry.trace import Span
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import Model, ModelRequestParameters
    from pydantic_ai.settings import ModelSettings

_NO_KEY = "none"  # servers that ask for no key still get a header; and the SDKs must not look for a key themselves
_REFUSAL_CHARACTERS = 200


class Wire:
    """Sends requests as they are: no redaction, no retry, no budget. Those stand before it."""

    def __init__(self, client: LlmClient, prices: Prices, loop: BackgroundLoop, *, clock: Clock = monotonic) -> None:
        self.model = client.options.model or ""
        self._client = client
        self._prices = prices
        self._loop = loop
        self._clock = clock
        self._built: tuple[str, Model] | None = None  # one per key: a rotated key makes a new one

    def send(
        self, system: str, trail: Trail, tools: Sequence[ToolSpec], *, key: str, seconds: float, clean: Callable[[str], str]
    ) -> Reply:
        """Ask once and wait at most `seconds`; a call given up is cancelled, and its connection closed.

        Raises:
            ModelRefused (its field `cost` says what it cost all the same), ModelOverloaded, ModelUnavailable, ModelTimeout,
            ModelError.

        """
        try:
            # Here and not on the loop: the first call imports the SDKs, which takes over a second.
            request = self._request(system, trail, tools, key, seconds)
            started = self._clock()
            with self._span() as span:
                response = self._loop.run(request, seconds)
                if span is not None:
                    _describe(span, response)
        except Exception as error:  # noqa: BLE001 - foreign code: SDKs raise anything on answers of another shape
            from lens_exporter.llm import wire_errors  # noqa: PLC0415

            # Without the cause: an SDK's error may hold the request with its key.
            raise wire_errors.translate(error, client=self._client.name, seconds=seconds, clean=clean) from None
        cost = self._cost(response, self._clock() - started)
        if response.finish_reason == "content_filter":
            reason = (response.provider_details or {}).get("refusal") or response.text or "no reason given"
            raise ModelRefused(client=self._client.name, reason=clean(str(reason))[:_REFUSAL_CHARACTERS], cost=cost)
        return _reply(response, cost)

    def _request(
        self, system: str, trail: Trail, tools: Sequence[ToolSpec], key: str, seconds: float
    ) -> "Callable[[], Coroutine[Any, Any, ModelResponse]]":
        from pydantic_ai.direct import model_request  # noqa: PLC0415

        return partial(
            model_request,
            self._for_key(key),
            _messages(system, trail),
            model_settings=self._settings(seconds),
            model_request_parameters=_parameters(tools),
            instrument=False,
        )

    def _settings(self, seconds: float) -> "ModelSettings":
        options = self._client.options
        # max_tokens always: without it pydantic-ai streams.
        if self._client.provider != "anthropic":
            return {"max_tokens": options.max_tokens, "tool_choice": "required", "timeout": seconds}
        from pydantic_ai.models.anthropic import AnthropicModelSettings  # noqa: PLC0415

        # What is the same in each call of an investigation is read from the cache at a tenth of its price.
        return AnthropicModelSettings(
            max_tokens=options.max_tokens,
            tool_choice="required",
            timeout=seconds,
            anthropic_cache_instructions=True,
            anthropic_cache_tool_definitions=True,
            anthropic_cache_messages=True,
        )

    def _for_key(self, key: str) -> "Model":
        if self._built is None or self._built[0] != key:
            self._built = (key, (_anthropic if self._client.provider == "anthropic" else _openai)(self._client, key or _NO_KEY))
        return self._built[1]

    def _span(self) -> "AbstractContextManager[Span | None]":
        if self._client.provider == "anthropic":
            return nullcontext()  # its SDK makes the client span
        name = f"{conventions.CHAT} {self.model}"
        return tracing.span(
            name,
            correlation="",
            **{
                conventions.OPERATION: conventions.CHAT,
                conventions.PROVIDER: self._client.provider,
                conventions.REQUEST_MODEL: self.model,
            },
        )

    def _cost(self, response: "ModelResponse", seconds: float) -> Cost:
        usage = response.usage
        tokens = Tokens(usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_write_tokens)
        dollars = self._prices.dollars(tokens, response.model_name or "") or 0.0
        return Cost(input_tokens=tokens.input, output_tokens=tokens.output, dollars=dollars, model_calls=1, seconds=seconds)


def _anthropic(client: LlmClient, key: str) -> "Model":
    from anthropic import AsyncAnthropic  # noqa: PLC0415
    from pydantic_ai.models.anthropic import AnthropicModel  # noqa: PLC0415
    from pydantic_ai.providers.anthropic import AnthropicProvider  # noqa: PLC0415

    from lens_exporter.llm.transport import http_client  # noqa: PLC0415

    sdk = AsyncAnthropic(
        api_key=key,
        base_url=client.options.base_url or "https://api.anthropic.com",
        max_retries=0,  # retried in one place, and not here
        http_client=http_client(),
        open_telemetry={"propagation": False, "traces": {"content_mode": "metadata_only"}},
    )
    return AnthropicModel(client.options.model or "", provider=AnthropicProvider(anthropic_client=sdk))


def _openai(client: LlmClient, key: str) -> "Model":
    from openai import AsyncOpenAI  # noqa: PLC0415
    from pydantic_ai.models.openai import OpenAIChatModel  # noqa: PLC0415
    from pydantic_ai.profiles.openai import OpenAIModelProfile  # noqa: PLC0415
    from pydantic_ai.providers.openai import OpenAIProvider  # noqa: PLC0415

    from lens_exporter.llm.transport import http_client  # noqa: PLC0415

    base_url = client.options.base_url or "https://api.openai.com/v1"
    sdk = AsyncOpenAI(api_key=key, base_url=base_url, max_retries=0, http_client=http_client())
    # Other servers know the older name of the limit; OpenAI's newest models only the newer one.
    profile = OpenAIModelProfile(openai_chat_supports_max_completion_tokens=client.options.base_url is None)
    return OpenAIChatModel(client.options.model or "", provider=OpenAIProvider(openai_client=sdk), profile=profile)


def _parameters(tools: Sequence[ToolSpec]) -> "ModelRequestParameters":
    from pydantic_ai.models import ModelRequestParameters  # noqa: PLC0415
    from pydantic_ai.tools import ToolDefinition  # noqa: PLC0415

    # Not strict: schemas go out as they are, and the agent checks arguments itself.
    definitions = [
        ToolDefinition(name=spec.name, description=spec.description, parameters_json_schema=spec.parameters, strict=False)
        for spec in tools
    ]
    return ModelRequestParameters(function_tools=definitions, allow_text_output=True)


def _messages(system: str, trail: Trail) -> "list[ModelMessage]":
    from pydantic_ai.messages import (  # noqa: PLC0415
        ModelRequest,
        ModelResponse,
        TextPart,
        ToolCallPart,
        ToolReturnPart,
        UserPromptPart,
    )

    history: list[ModelMessage] = []
    for turn in messages.turns(trail):
        if isinstance(turn, Reply):
            text = [TextPart(turn.text)] if turn.text.strip() else []
            calls = [ToolCallPart(call.name, messages.arguments(call), call.id) for call in turn.calls]
            history.append(ModelResponse(parts=[*text, *calls]))
            continue
        results = [
            ToolReturnPart(result.call.name, result.text, result.call.id, outcome="failed" if result.failed else "success")
            for result in turn.results
        ]
        prompts = [UserPromptPart(content=text) for text in turn.instructions]
        history.append(ModelRequest(parts=[*results, *prompts], instructions=system))
    return history


def _reply(response: "ModelResponse", cost: Cost) -> Reply:
    from pydantic_ai.messages import TextPart, ToolCallPart  # noqa: PLC0415

    calls = tuple(
        ToolCall(part.tool_call_id, part.tool_name, _arguments(part.args))
        for part in response.parts
        if isinstance(part, ToolCallPart)
    )
    text = "".join(part.content for part in response.parts if isinstance(part, TextPart))
    return Reply(calls=calls, text=text, model=response.model_name or "", cost=cost)


def _arguments(written: Any) -> dict[str, Any] | str:
    if written is None or written == "":
        return {}  # how some servers write a call without arguments
    if isinstance(written, dict):
        return written
    if not isinstance(written, str):
        return json.dumps(written)
    try:
        parsed = json.loads(written)
    except ValueError:
        return written
    return parsed if isinstance(parsed, dict) else written


def _describe(span: "Span", response: "ModelResponse") -> None:
    span.set_attribute(conventions.RESPONSE_MODEL, response.model_name or "")
    span.set_attribute(conventions.INPUT_TOKENS, response.usage.input_tokens)
    span.set_attribute(conventions.OUTPUT_TOKENS, response.usage.output_tokens)
