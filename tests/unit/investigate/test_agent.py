"""The loop: limits first, feedback instead of failure, and always an end."""

from dataclasses import replace

import pytest

from lens_exporter.errors import BreakerOpen, BudgetSpent, ModelTimeout
from lens_exporter.investigate.agent import Agent, AgentLimits, Stop
from lens_exporter.investigate.calls import asked_before
from lens_exporter.investigate.toolbox import Toolbox
from lens_exporter.model.analysis import Cost, Outcome, Receipt
from lens_exporter.model.conversation import Answered, Instruction
from lens_exporter.model.tool import Tool, ToolResult, ToolStatus
from tests.unit.investigate.scripted import AT, Number, Scripted, at_once, call, counter_tool, says, submits

TASK = (Instruction("look into it"),)


class Ticking:
    """A clock that goes on by one second whenever it is read."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def run(client, *tools, limits=None, step=at_once, receipts=(), trail=TASK, **options):
    box = Toolbox(tools or [counter_tool()[0]])
    agent = Agent(box, limits or AgentLimits(), step, now=AT, clock=Ticking(), **options)
    return agent.run(client, "be brief", trail, receipts)


def answers(draft):
    return [one for one in draft.trail if isinstance(one, Answered)]


def test_tools_are_called_until_an_analysis_is_handed_in():
    """Each call that ran has a receipt in order; the analysis, trail and cost come back together."""
    client = Scripted([says(call("get_number", value=3)), says(call("get_number", value=4)), submits()])
    draft = run(client)
    assert draft.stop is Stop.SUBMITTED
    assert draft.analysis.outcome is Outcome.INCONCLUSIVE
    assert [(one.id, one.seen["value"]) for one in draft.receipts] == [("r1", 3.0), ("r2", 4.0)]
    assert [one.receipt for one in answers(draft)] == ["r1", "r2", ""]
    assert draft.cost == Cost(300, 30, 0.003, 3, 2, 5.0)
    assert client.asked[0][1] == ("get_number", "submit_analysis")


def test_calls_of_one_reply_run_in_order():
    """Parallel calls are answered one by one, and what follows the final answer is not run."""
    draft = run(
        Scripted([says(call("get_number", value=1), call("get_number", value=2), submits().calls[0], call("get_number", value=3))])
    )
    assert [one.seen["value"] for one in draft.receipts] == [1.0, 2.0]
    assert answers(draft)[-1].result.note.startswith("not called: submit_analysis had ended")


def test_a_flood_of_calls_is_cut():
    """At most eight tools run for one reply; every call gets an answer."""
    flood = says(*(call("get_number", value=100.0 * number) for number in range(1, 31)))
    draft = run(Scripted([flood, submits()]))
    assert len(draft.receipts) == 8
    assert len(answers(draft)) == 31


@pytest.mark.parametrize(
    ("wrong", "feedback"),
    [
        (call("run_shell", command="rm"), "there is no tool 'run_shell'"),
        (call("get_number", value="many"), "bad arguments for get_number"),
        (replace(call("get_number"), arguments='{"value": '), "not a JSON object"),
    ],
)
def test_a_wrong_call_is_answered_with_what_is_wrong(wrong, feedback):
    """The model can do better next time; nothing ran, so there is no receipt."""
    draft = run(Scripted([says(wrong), submits()]))
    assert feedback in answers(draft)[0].result.note
    assert draft.receipts == ()
    assert draft.stop is Stop.SUBMITTED


def test_a_repeated_call_is_not_made_again():
    """A, B, A, B asks two questions, and a limit of 101 after 100 is the same question."""
    a, b = call("get_number", value=1, limit=100), call("get_number", value=2)
    near = call("get_number", value=1, limit=101)
    tool, asked = counter_tool()
    draft = run(Scripted([says(a), says(b), says(a), says(b), says(near), submits()]), tool)
    assert asked == [1.0, 2.0]
    assert "you asked this before, as r1" in answers(draft)[2].result.note
    assert "you asked this before, as r1" in answers(draft)[4].result.note


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [
        ({"q": "up", "limit": 100}, {"q": "up", "limit": 101}, True),
        ({"q": "up", "limit": 10}, {"q": "up", "limit": 50}, False),
        ({"q": "up", "limit": 50}, {"q": "up", "limit": 10}, True),
        ({"q": "up", "end": "2026-11-20T14:00:00Z"}, {"q": "up", "end": "2026-11-20T14:00:30Z"}, True),
        ({"q": "up", "end": "2026-11-20T14:00:00Z"}, {"q": "up", "end": "2026-11-20T15:00:00Z"}, False),
        ({"pid": 4211}, {"pid": 4212}, False),
        ({"offset": 10}, {"offset": 11}, False),
        ({"q": "up"}, {"q": "down"}, False),
        ({"q": "up"}, {"q": "up", "step": 5}, False),
    ],
)
def test_what_counts_as_asked_before(before, now, same):
    """Another amount of the same answer repeats; another process or another hour does not."""
    receipt = Receipt("r1", "look", before, ToolStatus.DATA, {}, AT, 0.1)
    assert (asked_before("look", now, [receipt]) is receipt) is same
    assert asked_before("other", now, [receipt]) is None


def test_a_reply_without_a_call_is_asked_for_one():
    """Prose is not an answer."""
    draft = run(Scripted([says(text="I think it leaks"), submits()]))
    assert "hand in the final answer" in draft.trail[2].text
    assert draft.stop is Stop.SUBMITTED


def test_an_invalid_final_answer_is_sent_back_twice():
    """With what is wrong with it; the third one ends the loop."""
    bad = submits(summary="short")
    draft = run(Scripted([bad, bad, submits()]))
    assert "summary: String should have at least 10 characters" in answers(draft)[0].result.note
    assert draft.stop is Stop.SUBMITTED
    assert run(Scripted([bad, bad, bad])).stop is Stop.INVALID


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"status": "healthy", "outcome": "nothing_wrong", "concerns": ["it may come back"]}, "healthy means no concerns"),
        ({"outcome": "cause_found"}, "needs at least one finding"),
        ({"outcome": "not_investigated"}, "outcome"),
        ({"findings": [{"claim": "x", "receipts": ["the first"]}]}, "receipts"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_what_a_final_answer_may_not_say(change, why):
    """The seed's rules for an analysis hold at the edge."""
    draft = run(Scripted([submits(**change), submits()]))
    assert why in answers(draft)[0].result.note


def test_spent_iterations_leave_one_last_call_with_one_tool():
    """The model is told that it is the last call, and can do nothing but answer."""
    circling = [says(call("get_number", value=1000.0 * number)) for number in range(3)]
    client = Scripted([*circling, submits()])
    draft = run(client, limits=AgentLimits(iterations=3))
    assert client.asked[-1][1] == ("submit_analysis",)
    assert "This is the last call" in client.asked[-1][0][-1].text
    assert draft.stop is Stop.SUBMITTED


def test_a_last_call_without_an_answer_ends_the_loop():
    """An endless model is stopped, with all receipts kept."""
    client = Scripted([says(call("get_number", value=1000.0 * number)) for number in range(20)])
    draft = run(client, limits=AgentLimits(iterations=3))
    assert (draft.stop, draft.analysis, len(client.asked)) == (Stop.ITERATIONS, None, 4)
    assert len(draft.receipts) == 3


@pytest.mark.parametrize(
    ("limits", "stop"),
    [(AgentLimits(tokens=200), Stop.TOKENS), (AgentLimits(dollars=0.002), Stop.DOLLARS), (AgentLimits(seconds=4.0), Stop.SECONDS)],
)
def test_spent_tokens_money_or_time_end_it_at_once(limits, stop):
    """No last call is paid for beyond a limit of tokens, money or seconds."""
    client = Scripted([says(call("get_number", value=1000.0 * number)) for number in range(20)])
    draft = run(client, limits=limits)
    assert (draft.stop, draft.analysis, len(client.asked)) == (stop, None, 2)


def test_a_limit_of_no_money_stops_no_free_model():
    """A model on one's own machine costs nothing; one that costs is stopped after its first call."""
    free = [says(call("get_number", value=1), cost=Cost(model_calls=1)), submits()]
    assert run(Scripted(free), limits=AgentLimits(dollars=0.0)).stop is Stop.SUBMITTED
    assert run(Scripted([says(call("get_number", value=1))]), limits=AgentLimits(dollars=0.0)).stop is Stop.DOLLARS


@pytest.mark.parametrize(
    "error",
    [
        ModelTimeout(client="claude", seconds=60),
        BudgetSpent(client="claude", limit=5, until="tomorrow"),
        BreakerOpen(service="claude", url="", until="14:20", failures=5, reason="overloaded"),
    ],
)
def test_a_model_that_is_away_ends_the_loop_with_what_there_is(error):
    """No exception comes out of the loop; the receipts so far are kept."""
    draft = run(Scripted([says(call("get_number", value=1)), error]))
    assert (draft.stop, draft.away, len(draft.receipts)) == (Stop.MODEL_AWAY, str(error), 1)


def test_a_failing_tool_is_an_answer():
    """Its error has a receipt, so that an analysis can say what could not be looked at."""

    def broken(_):
        raise RuntimeError("no such device")

    draft = run(Scripted([says(call("get_number")), submits()]), Tool("get_number", "", broken, Number))
    assert (draft.receipts[0].status, draft.receipts[0].note) == (ToolStatus.ERROR, "RuntimeError: no such device")


def test_replayed_steps_give_the_same_draft_without_asking_anybody():
    """After a kill -9 the recorded steps are all that is needed: no model call and no tool call is made twice."""
    recorded = []

    def recording(_name, work):
        recorded.append(work())
        return recorded[-1]

    client = Scripted([says(call("get_number", value=1)), says(call("get_number", value=9)), submits()])
    told = []
    first = run(client, step=recording, on_tool=told.append)
    replay = iter(recorded)
    second = run(
        Scripted([]), Tool("get_number", "", lambda _: ToolResult(ToolStatus.ERROR), Number), step=lambda _name, _work: next(replay)
    )
    assert second == first
    assert len(told) == 2
