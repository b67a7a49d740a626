import pytest

from lens_exporter.config.settings import LlmOptions
from lens_exporter.llm.pricing import Prices, Tokens

MILLION = Tokens(input=1_000_000, output=1_000_000)
HERE = "http://localhost:11434/v1"


@pytest.mark.parametrize(
    ("provider", "options", "model", "dollars"),
    [
        ("anthropic", {}, "claude-haiku-4-5", 6.0),
        ("anthropic", {"base_url": "http://gateway:8080"}, "claude-haiku-4-5", 6.0),
        ("anthropic", {}, "no-such-model", None),
        ("openai", {"base_url": HERE}, "llama3", None),
        ("openai", {"base_url": HERE}, "gpt-4o", None),
        ("openai", {}, "gpt-4o", 12.5),
        ("openai", {"base_url": HERE, "input_price": 1.0, "output_price": 2.0}, "llama3", 3.0),
        ("openai", {"base_url": HERE, "input_price": 1.5}, "llama3", 3.0),
        ("openai", {"base_url": HERE, "output_price": 2.0}, "llama3", 2.0),
        ("anthropic", {"input_price": 0, "output_price": 0}, "claude-haiku-4-5", 0.0),
    ],
)
def test_dollars(provider, options, model, dollars):
    """Configured prices win, then published ones; a server of one's own has no published price."""
    prices = Prices(LlmOptions(model=model, **options), provider, model)
    assert prices.dollars(MILLION) == (None if dollars is None else pytest.approx(dollars))


def test_the_answering_model_is_priced():
    """The server's own name of the model is looked up first, the configured one when that is unknown."""
    prices = Prices(LlmOptions(), "anthropic", "claude-haiku-4-5")
    assert prices.dollars(MILLION, "claude-opus-4-1") == pytest.approx(90.0)
    assert prices.dollars(MILLION, "alias-of-a-gateway") == pytest.approx(6.0)


def test_cache_tokens_are_parts_of_the_input():
    """Cache reads and writes are priced apart and not twice."""
    prices = Prices(LlmOptions(), "anthropic", "claude-haiku-4-5")
    assert prices.dollars(Tokens(1_000_000, 0, cache_read=900_000, cache_write=100_000)) == pytest.approx(0.09 + 0.125)
