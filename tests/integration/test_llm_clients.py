import threading

import pytest

from lens_exporter.config.settings import Budget
from lens_exporter.errors import (
    BreakerOpen,
    BudgetSpent,
    ModelError,
    ModelOverloaded,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
)
from lens_exporter.foundation.breaker import BreakerState
from lens_exporter.foundation.clock import new_ulid
from lens_exporter.foundation.tracing import span
from lens_exporter.investigate.records import read, written
from lens_exporter.model.conversation import Answered, Instruction, Reply, ToolCall
from lens_exporter.model.tool import ToolResult, ToolStatus
from tests.integration.llm_site import KEY, TASK, site
from tests.servers.model_server import Answer, broken, fail, hang, huge, refuse, say, use
from tests.servers.waiting import until

pytestmark = [pytest.mark.integration, pytest.mark.parametrize("provider", ["anthropic", "openai"])]


def test_tool_use(provider, tmp_path):
    """A scripted tool call comes back as a reply with its arguments, its tokens and its time."""
    with site(
        [Answer(tools=({"name": "get_memory", "arguments": {"pid": 7}},), text="Memory first.")], tmp_path, provider=provider
    ) as s:
        reply = s.ask()
        assert reply.calls == (ToolCall("call_0_0", "get_memory", {"pid": 7}),)
        assert (reply.text, reply.model) == ("Memory first.", "claude-haiku-4-5")
        assert (reply.cost.input_tokens, reply.cost.output_tokens, reply.cost.model_calls) == (100, 20, 1)
        assert reply.cost.seconds > 0
        assert read(written(reply)) == reply
        assert s.metric("lens_llm_calls_total") == 1
        assert s.metric("lens_llm_input_tokens_total") == 100


def test_request(provider, tmp_path):
    """A request asks for a tool call, bounds the answer, does not stream, and carries system prompt, tools and task."""
    with site([say("x")], tmp_path, provider=provider, max_tokens=777) as s:
        s.ask()
        body = s.server.requests[0].body
        assert body["tool_choice"] == ({"type": "any"} if provider == "anthropic" else "required")
        assert (body["max_tokens"], body["stream"]) == (777, False)
        assert s.server.requests[0].offered == ["get_memory", "submit_analysis"]
        assert "You investigate." in s.server.requests[0].text
        assert "Why does memory grow?" in s.server.requests[0].text


def test_conversation(provider, tmp_path):
    """A whole trail goes out in order: every call has its result, also refused ones and a final answer that was sent back."""
    run = Answered(ToolCall("a", "get_memory", {}), ToolResult(ToolStatus.DATA, {"rss": 5}, seen={"rss": 5.0}), "r1")
    unknown = Answered(ToolCall("b", "rm_rf", "{bad"), ToolResult(ToolStatus.ERROR, note="there is no such tool"))
    trail = (
        *TASK,
        Reply((run.call, unknown.call), "two questions"),
        run,
        unknown,
        Reply((ToolCall("c", "submit_analysis", {"summary": "leak"}),)),
        Instruction("cite a receipt"),
        Reply((), ""),
    )
    with site([say("x")], tmp_path, provider=provider) as s:
        s.ask(trail)
        asked = s.server.requests[0]
        assert len(asked.tool_results) == 3
        assert '"receipt":"r1"' in asked.tool_results[0]
        assert "there is no such tool" in asked.tool_results[1]
        roles = [message["role"] for message in asked.body["messages"] if message["role"] != "system"]
        results = ["user"] if provider == "anthropic" else ["tool", "tool"]
        last = ["user"] if provider == "anthropic" else ["tool", "user"]
        assert roles == ["user", "assistant", *results, "assistant", *last]
        assert '"unparsed"' in asked.text.replace("\\", "")


def test_the_same_conversation_is_the_same_request(provider, tmp_path):
    """Two requests for the same trail are the same bytes, so that a repeated call can be counted and a cache can hit."""
    answered = Answered(ToolCall("a", "get_memory", {}), ToolResult(ToolStatus.DATA, {"rss": 5}), "r1")
    with site([say("x"), say("x")], tmp_path, provider=provider) as s:
        for _ in range(2):
            s.ask((*TASK, Reply((answered.call,)), answered))
        assert s.server.repeated == 1


@pytest.mark.parametrize("written", ["{bad", "[1]", '"text"'])
def test_malformed_arguments(provider, tmp_path, written):
    """Arguments that are not a JSON object reach the agent as the text the model wrote."""
    with site([use("get_memory", written)], tmp_path, provider=provider) as s:
        assert s.ask().calls[0].arguments == written


def test_unknown_tool(provider, tmp_path):
    """A call of a tool nobody offered is handed on: answering it is the agent's work."""
    with site([use("run_shell", command="id")], tmp_path, provider=provider) as s:
        assert s.ask().calls[0].name == "run_shell"


def test_text_only(provider, tmp_path):
    """A server that ignores the wish for a tool call gives a reply without calls."""
    with site([say("All is well.")], tmp_path, provider=provider) as s:
        assert s.ask().calls == ()


def test_refusal(provider, tmp_path):
    """A refusal is named, not retried, not held against the server, and its cost is kept."""
    with site([refuse("I must not."), *[say("x")]], tmp_path, provider=provider, input_price=1000.0) as s:
        with pytest.raises(ModelRefused, match="I must not") as raised:
            s.ask()
        assert raised.value.fields["cost"].input_tokens == 100
        assert len(s.server.requests) == 1
        assert s.metric("lens_llm_cost_dollars_total") == pytest.approx(0.12)
        assert read(written(raised.value)).fields["cost"] == raised.value.fields["cost"]


@pytest.mark.parametrize("status", [429, 529, 503])
def test_overloaded_is_retried_as_asked(provider, tmp_path, status):
    """An overloaded server is asked again after the time it names, and the call then succeeds."""
    with site([fail(status, retry_after=7), use("get_memory")], tmp_path, provider=provider) as s:
        assert s.ask().calls
        assert s.waits == [7.0]
        assert s.metric("lens_llm_calls_failed_total", error="ModelOverloaded") == 1


def test_overloaded_for_good(provider, tmp_path):
    """After three attempts an overloaded server is an error that says so."""
    with site([fail(529)] * 4, tmp_path, provider=provider) as s:
        with pytest.raises(ModelOverloaded, match=r"overloaded \(529\): scripted"):
            s.ask()
        assert len(s.server.requests) == 3
        assert s.waits == sorted(s.waits)


def test_a_wait_that_is_too_long_is_not_waited(provider, tmp_path):
    """A Retry-After longer than the call may take ends it at once."""
    with site([fail(429, retry_after=3600), say("x")], tmp_path, provider=provider) as s:
        with pytest.raises(ModelOverloaded):
            s.ask()
        assert (len(s.server.requests), s.waits) == (1, [])


@pytest.mark.parametrize(
    "answer",
    [fail(500), fail(502), broken(), broken("<html>oops</html>"), broken("{}"), broken("[]"), broken("null"), broken("")],
    ids=["500", "502", "half", "html", "empty_object", "list", "null", "nothing"],
)
def test_broken_servers(provider, tmp_path, answer):
    """A server error or an answer that is not the protocol is tried again, then named."""
    with site([answer] * 3, tmp_path, provider=provider) as s:
        with pytest.raises(ModelUnavailable):
            s.ask()
        assert len(s.server.requests) == 3


def test_no_server(provider, tmp_path):
    """A server that is not there is a named error."""
    with (
        site([], tmp_path, provider=provider, base_url="http://127.0.0.1:1/v1") as s,
        pytest.raises(ModelUnavailable, match="no connection"),
    ):
        s.ask()


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_refused_requests(provider, tmp_path, status):
    """Other client errors are not retried, and the key a server echoes does not get out."""
    with site([fail(status, message=f"invalid key {KEY}")], tmp_path, provider=provider) as s:
        with pytest.raises(ModelError, match=str(status)) as raised:
            s.ask()
        assert KEY not in str(raised.value)
        assert KEY not in repr(raised.value.__cause__)
        assert len(s.server.requests) == 1


def test_an_answer_that_never_ends(provider, tmp_path):
    """Reading stops when an answer is longer than any model's."""
    with site([huge(9_000_000)], tmp_path, provider=provider) as s, pytest.raises(ModelError, match="more than 8388608 bytes"):
        s.ask()


def test_timeout_closes_the_connection(provider, tmp_path):
    """A call given up after its time is cancelled: the server sees its client leave, and there is no second attempt."""
    with site([hang(60), say("x")], tmp_path, provider=provider, timeout=1.5) as s:
        with pytest.raises(ModelTimeout, match=r"did not answer within 1\.\d s"):
            s.ask()
        until(lambda: s.server.abandoned == [1], 10)
        assert len(s.server.requests) == 1


def test_close_cancels(provider, tmp_path):
    """Closing the registry while a call is under way ends the call and its connection."""
    with site([hang(60)], tmp_path, provider=provider) as s:
        failures = []

        def ask() -> None:
            try:
                s.ask()
            except ModelError as error:
                failures.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        until(lambda: s.server.requests, 20)
        s.registry.close()
        thread.join(10)
        assert "stopping" in str(failures[0])
        assert len(s.server.requests) == 1
        until(lambda: s.server.abandoned, 10)


def test_breaker(provider, tmp_path):
    """Five failed calls open the breaker; then no request leaves; after thirty seconds trials close it again."""
    with site([fail(500)] * 15 + [say("x")] * 2, tmp_path, provider=provider) as s:
        for _ in range(5):
            with pytest.raises(ModelUnavailable):
                s.ask()
        with pytest.raises(BreakerOpen):
            s.ask()
        assert len(s.server.requests) == 15
        assert s.telemetry.value("lens_breaker_state", client="claude") == BreakerState.OPEN
        assert s.metric("lens_llm_calls_skipped_total", reason="breaker") == 1
        s.now += 31
        s.ask()
        assert s.telemetry.value("lens_breaker_state", client="claude") == BreakerState.HALF_OPEN
        s.ask()
        assert s.telemetry.value("lens_breaker_state", client="claude") == BreakerState.CLOSED


def test_bad_requests_do_not_open_the_breaker(provider, tmp_path):
    """A request that was wrong says nothing about the server's health."""
    with site([fail(400)] * 6, tmp_path, provider=provider) as s:
        for _ in range(6):
            with pytest.raises(ModelError):
                s.ask()
        assert s.telemetry.value("lens_breaker_state", client="claude") == BreakerState.CLOSED


def test_budget(provider, tmp_path):
    """When the money is spent a call is not made, counted and told; a critical one may use the reserve; time refills it."""
    budget = Budget(dollars_per_day=8.64, burst_dollars=1.0, critical_reserve=0.5)
    answer = Answer(text="x", usage={"output_tokens": 400, "completion_tokens": 400})
    with site([answer] * 4, tmp_path, provider=provider, budget=budget, input_price=0.0, output_price=1000.0, max_tokens=500) as s:
        assert s.ask().cost.dollars == pytest.approx(0.4)
        with pytest.raises(BudgetSpent, match=r"8\.64 dollars a day is spent until 1970-01-12 14:53:20 UTC"):
            s.ask()
        assert len(s.server.requests) == 1
        assert s.metric("lens_llm_calls_skipped_total", reason="budget") == 1
        assert s.events.query(kind="llm.skipped")[0].data == {"client": "claude", "role": "investigator", "reason": "budget"}
        s.ask(critical=True)
        assert s.telemetry.value("lens_llm_budget_remaining_dollars") == pytest.approx(0.2)
        s.now += 8000  # 0.8 dollars
        s.ask()


def test_failures_and_money(provider, tmp_path):
    """What was set aside comes back after an error, less what a refusal cost, and stays spent when a server was given up on."""
    answers = [fail(400), Answer(text="no", stop="refusal", usage={"output_tokens": 100, "completion_tokens": 100}), hang(60)]
    with site(answers, tmp_path, provider=provider, input_price=0.0, output_price=1000.0, max_tokens=500, timeout=1.5) as s:
        for error, left in ((ModelError, 1.0), (ModelRefused, 0.9), (ModelTimeout, 0.4)):
            with pytest.raises(error):
                s.ask()
            assert s.registry.budget.remaining() == pytest.approx(left)


def test_free_models_are_never_held_back(provider, tmp_path):
    """A client that costs nothing is asked although there is no money at all."""
    with site(
        [say("x")], tmp_path, provider=provider, budget=Budget(dollars_per_day=0, burst_dollars=0), input_price=0, output_price=0
    ) as s:
        assert s.ask().cost.dollars == 0


def test_events_belong_to_the_story(provider, tmp_path):
    """A call made inside a span of a story is an event of that story: ids and numbers, no content."""
    story = new_ulid()
    with site([say("The secret plan.")], tmp_path, provider=provider) as s:
        with span("investigate", correlation=story):
            s.ask()
        (event,) = s.events.query(correlation=story)
        assert (event.type, event.subject) == ("llm.called", "claude")
        assert event.data["input_tokens"] == 100
        assert "plan" not in str(event.data)
