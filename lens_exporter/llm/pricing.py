"""What a call costs: by the prices configured for its client, else by the published ones, else nothing is known and it is free."""

from contextlib import suppress
from dataclasses import dataclass

from lens_exporter.config.settings import LlmOptions

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Tokens:
    """input counts everything read, cache reads and writes included; the two are parts of it, priced apart."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0


class Prices:
    """Prices of one client. `provider` names whose list is looked up for a model without configured prices."""

    def __init__(self, options: LlmOptions, provider: str, model: str) -> None:
        self._options = options
        # An address of one's own may be a gateway to the published models (anthropic) or anything at all (openai).
        self._provider = provider if provider == "anthropic" or options.base_url is None else None
        self._model = model

    def dollars(self, tokens: Tokens, model: str = "") -> float | None:
        """Price of these tokens of `model` (as the server names it; else the configured one); None when no price is known."""
        options = self._options
        if options.input_price is not None or options.output_price is not None:
            input_price = options.input_price or 0.0
            output_price = input_price if options.output_price is None else options.output_price
            return (tokens.input * input_price + tokens.output * output_price) / _MILLION
        known = (self._published(tokens, name) for name in dict.fromkeys((model, self._model)) if name)
        return next((price for price in known if price is not None), None)

    def _published(self, tokens: Tokens, model: str) -> float | None:
        # 0.1 s to import: only when a model is really called.
        from genai_prices import Usage, calc_price  # noqa: PLC0415

        usage = Usage(
            input_tokens=tokens.input,
            output_tokens=tokens.output,
            cache_read_tokens=tokens.cache_read or None,
            cache_write_tokens=tokens.cache_write or None,
        )
        if (url := self._options.base_url) is not None:
            with suppress(LookupError):
                return float(calc_price(usage, model, provider_api_url=url).total_price)
        if self._provider is not None:
            with suppress(LookupError):
                return float(calc_price(usage, model, provider_id=self._provider).total_price)
        return None
