import json
import subprocess
import sys

import pytest
import requests

from lens_exporter.errors import ModelError, ModelUnavailable, SecretUnreadable
from lens_exporter.model.conversation import Instruction
from tests.integration.llm_site import site
from tests.servers.model_server import Answer, ModelServer, answered_calls, say, use
from tests.servers.waiting import until

pytestmark = pytest.mark.integration


def test_usage_counts_the_cache(tmp_path):
    """Input tokens are those on the wire plus cache reads and writes; dollars follow the published prices of each."""
    usage = {"input_tokens": 1_000, "cache_read_input_tokens": 200_000, "cache_creation_input_tokens": 30_000, "output_tokens": 500}
    with site([Answer(text="x", usage=usage)], tmp_path) as s:
        cost = s.ask().cost
        assert (cost.input_tokens, cost.output_tokens) == (231_000, 500)
        # Claude Haiku 4.5: 1.00 in, 0.10 cache read, 1.25 cache write, 5.00 out, in dollars per million.
        assert cost.dollars == pytest.approx(0.001 + 0.02 + 0.0375 + 0.0025)
        assert s.metric("lens_llm_cost_dollars_total") == pytest.approx(cost.dollars)
        assert s.telemetry.value("lens_llm_budget_remaining_dollars") == pytest.approx(1.0 - cost.dollars)


def test_unknown_price_is_said(tmp_path):
    """A model nobody publishes a price for costs nothing, and the event says that no price is known."""
    with site([say("x")], tmp_path, model="my-own-model-1") as s:
        assert s.ask().cost.dollars == 0
        assert s.events.query(kind="llm.called")[0].data["priced"] is False


def test_what_repeats_is_cacheable(tmp_path):
    """System prompt, tools and the conversation so far are marked for the cache."""
    with site([say("x")], tmp_path) as s:
        s.ask()
        body = s.server.requests[0].body
        assert body["system"][-1]["cache_control"]["type"] == "ephemeral"
        assert body["tools"][-1]["cache_control"]["type"] == "ephemeral"
        assert body["messages"][-1]["content"][-1]["cache_control"]["type"] == "ephemeral"


def test_the_key_is_read_for_each_call(tmp_path):
    """A rotated key is used by the next call; one that cannot be read is a named error and no request."""
    keys = iter(["sk-first-0000000", "sk-second-111111"])

    def read(_options: object) -> str:
        try:
            return next(keys)
        except StopIteration:
            raise SecretUnreadable(key="api_key_file", path="/etc/lens/key", reason="No such file") from None

    with site([say("x"), say("x")], tmp_path, read_secret=read) as s:
        s.ask()
        s.ask()
        sent = [asked.headers.get("x-api-key") or asked.headers["authorization"] for asked in s.server.requests]
        assert "sk-first-0000000" in sent[0]
        assert "sk-second-111111" in sent[1]
        with pytest.raises(ModelError, match="/etc/lens/key"):
            s.ask()
        assert len(s.server.requests) == 2


def test_without_a_database_no_money_is_spent(tmp_path):
    """When the budget cannot be read the call is not made, and says so."""
    with site([say("x")], tmp_path) as s:
        s.database.close()
        (tmp_path / "lens.db").unlink()
        (tmp_path / "lens.db").mkdir()
        with pytest.raises(ModelUnavailable, match="budget cannot be read"):
            s.ask()
        assert s.server.requests == []


def test_server_of_its_own_outlives_its_client(tmp_path):
    """The model server as a process answers by the conversation alone, and its log counts repeated calls."""
    script = {
        "rules": [
            {"offers": "submit_review", "answers": [{"text": "review"}]},
            {"by": "tool_results", "answers": [{"tools": [{"name": "get_memory", "arguments": {"pid": {"find": "pid (\\d+)"}}}]}]},
        ]
    }
    (tmp_path / "script.json").write_text(json.dumps(script))
    log = tmp_path / "requests.jsonl"
    command = [sys.executable, "-m", "tests.servers.model_server", "--script", str(tmp_path / "script.json"), "--log", str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().strip()
            with site([], tmp_path, base_url=url) as s:
                for _ in range(2):
                    assert s.ask((Instruction("pid 12"),)).calls[0].arguments == {"pid": 12}
            until(lambda: sum(answered_calls(log).values()) == 2, 10)
            assert list(answered_calls(log).values()) == [2]
        finally:
            process.kill()


_SPANS = """
import sys
from pathlib import Path
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
from lens_exporter.foundation.clock import trace_id
from lens_exporter.foundation.tracing import span
from lens_exporter.model.conversation import Instruction
from tests.integration.llm_site import site
from tests.servers.model_server import say
story = "01JD0000000000000000000000"
with site([say("a secret plan")], Path(sys.argv[1]), provider=sys.argv[2]) as s, span("investigate", correlation=story):
    s.ask()
    assert "traceparent" not in s.server.requests[0].headers
spans = exporter.get_finished_spans()
assert all(made.context.trace_id == trace_id(story) for made in spans)
assert "secret plan" not in str([made.to_json() for made in spans])
assert "memory grow" not in str([made.to_json() for made in spans])
print(sorted(made.attributes.get("gen_ai.operation.name", made.name) for made in spans))
"""


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_one_span_per_call(tmp_path, provider):
    """A call has exactly one client span, in the story's trace, without content: the anthropic SDK's own, or ours for openai."""
    # In a process of its own: OpenTelemetry's provider is global and cannot be taken back.
    ran = subprocess.run(
        [sys.executable, "-c", _SPANS, str(tmp_path), provider], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == "['chat', 'investigate']"


def test_script_runs_out_loudly():
    """A request beyond the script is refused, so that a test with too many calls fails."""
    with ModelServer([use("x")]) as server:
        answers = [
            requests.post(server.url + "/v1/messages", json={"model": "m", "messages": []}, timeout=5).status_code for _ in range(2)
        ]
    assert answers == [200, 400]
