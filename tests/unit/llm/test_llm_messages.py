import json

from lens_exporter.llm import messages
from lens_exporter.llm.messages import Result, Told
from lens_exporter.model.conversation import Answered, Instruction, Reply, ToolCall, ToolSpec
from lens_exporter.model.tool import ToolResult, ToolStatus

CALL = ToolCall("a", "get_memory", {"pid": 1})
OTHER = ToolCall("b", "get_cpu", {})
FINE = ToolResult(ToolStatus.DATA, {"rss": 5}, seen={"rss": 5.0})


def test_turns_alternate():
    """Told and reply alternate, and the last word is never the model's."""
    trail = (Instruction("task"), Reply((CALL,)), Answered(CALL, FINE, "r1"), Instruction("go on"))
    first, reply, last = messages.turns(trail)
    assert first == Told((), ("task",))
    assert reply is trail[1]
    assert [result.call for result in last.results] == [CALL]
    assert last.instructions == ("go on",)


def test_every_call_gets_a_result():
    """A call nobody answered (the final answer, sent back) is answered as received, before the next instruction."""
    turns = list(messages.turns((Instruction("task"), Reply((CALL, OTHER)), Answered(CALL, FINE), Instruction("again"))))
    assert [result.call.id for result in turns[-1].results] == ["a", "b"]
    assert turns[-1].results[1] == Result(OTHER, '{"status":"received"}')


def test_silence_is_left_out():
    """A reply with neither text nor calls is no turn; protocols refuse empty ones."""
    assert list(messages.turns((Instruction("task"), Reply((), " \n"), Instruction("call a tool")))) == [
        Told((), ("task", "call a tool"))
    ]


def test_result_text():
    """A result names its receipt, status, numbers and data; what is empty is left out."""
    assert json.loads(messages.result_text(Answered(CALL, FINE, "r1"))) == {
        "receipt": "r1",
        "status": "data",
        "seen": {"rss": 5.0},
        "data": {"rss": 5},
    }
    error = Answered(CALL, ToolResult(ToolStatus.ERROR, note="no such pid"))
    assert messages.result_text(error) == '{"status":"error","note":"no such pid"}'
    assert [result.failed for result in next(iter(messages.turns((error,)))).results] == [True]


def test_not_a_number_is_null():
    """NaN, which is not JSON, becomes null."""
    assert messages.result_text(Answered(CALL, ToolResult(ToolStatus.DATA, [float("nan")]))) == '{"status":"data","data":[null]}'


def test_a_huge_result_is_cut_and_says_so():
    """One tool answer cannot fill the context."""
    text = messages.result_text(Answered(CALL, ToolResult(ToolStatus.DATA, "x" * 100_000)))
    assert len(text) < messages.RESULT_CHARACTERS + 100
    assert text.endswith("more characters]")


def test_arguments_are_an_object():
    """What was no object when the model wrote it goes back as one."""
    assert messages.arguments(ToolCall("a", "t", "{bad")) == {"unparsed": "{bad"}
    assert messages.arguments(CALL) == {"pid": 1}


def test_estimate_counts_everything():
    """System prompt, tools, instructions, calls and results all weigh in, at three characters a token."""
    tools = (ToolSpec("t", "d" * 300, {}),)
    small = messages.estimated_tokens("s" * 300, (Instruction("i" * 300),), tools)
    assert 300 <= small <= 310
    trail = (Instruction("i" * 300), Reply((CALL,), "r" * 300), Answered(CALL, ToolResult(ToolStatus.DATA, "x" * 300)))
    assert 500 <= messages.estimated_tokens("s" * 300, trail, tools) <= 530
