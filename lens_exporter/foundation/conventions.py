"""Names of OpenTelemetry's semantic conventions that our spans use; those of GenAI still change, so they stand here only.

The anthropic SDK emits the span of its calls itself. Message content is never recorded.
"""

# open-telemetry/semantic-conventions-genai, as of 2026-11
OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
RESPONSE_MODEL = "gen_ai.response.model"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
AGENT_NAME = "gen_ai.agent.name"
TOOL_NAME = "gen_ai.tool.name"
CHAT, INVOKE_AGENT, EXECUTE_TOOL = "chat", "invoke_agent", "execute_tool"

# open-telemetry/semantic-conventions 1.4x, HTTP client spans: stable
HTTP_METHOD = "http.request.method"
HTTP_STATUS = "http.response.status_code"
SERVER_ADDRESS = "server.address"
URL_PATH = "url.path"
