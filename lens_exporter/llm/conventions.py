"""Names of the GenAI semantic conventions that our own spans use; they still change, so they stand here only.

The anthropic SDK emits its span itself. Message content is never recorded.
"""

# open-telemetry/semantic-conventions-genai, as of 2026-11
OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
RESPONSE_MODEL = "gen_ai.response.model"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CHAT = "chat"
