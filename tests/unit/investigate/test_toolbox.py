"""The guarded call: what a model may get wrong, what a tool may get wrong."""

import threading

import pytest
from pydantic import BaseModel

from lens_exporter.errors import QueryError
from lens_exporter.foundation.clock import rfc3339
from lens_exporter.investigate.moments import Moment, read
from lens_exporter.investigate.toolbox import Prepared, Refused, Toolbox
from lens_exporter.model.tool import Tool, ToolResult, ToolStatus
from tests.unit.investigate.scripted import AT, Number, counter_tool


def failing(work, name="get_number"):
    return Tool(name, "", work, Number)


def test_a_good_call_answers():
    """Arguments are checked, defaults filled in, and the answer given as it is."""
    tool, asked = counter_tool()
    assert Toolbox([tool]).call("get_number", {"value": 4}).seen == {"value": 4.0}
    assert asked == [4.0]


def test_an_unknown_tool_is_refused_with_the_names_there_are():
    """A model that invents a tool learns which there are."""
    refused = Toolbox([counter_tool()[0]]).prepare("run_shell", {})
    assert refused == Refused("there is no tool 'run_shell'; the tools are: get_number")


def test_bad_arguments_are_refused_in_plain_words():
    """Which argument, and what is wrong with it."""
    refused = Toolbox([counter_tool()[0]]).prepare("get_number", {"value": "many", "colour": "red"})
    assert isinstance(refused, Refused)
    assert "value: Input should be a valid number" in refused.reason
    assert "colour: Extra inputs are not permitted" in refused.reason
    assert "JSON object" in Toolbox([counter_tool()[0]]).prepare("get_number", "{not json").reason


@pytest.mark.parametrize(
    ("error", "note"),
    [
        (QueryError(kind="bad_data", reason="no", query="up("), "PromQL query failed (bad_data): no; query: up("),
        (KeyError("x"), "KeyError: 'x'"),
    ],
)
def test_a_tool_that_raises_is_one_error_answer(error, note):
    """An investigation survives any of its tools."""

    def work(_):
        raise error

    assert Toolbox([failing(work)]).call("get_number", {}) == ToolResult(ToolStatus.ERROR, note=note)


def test_a_hung_tool_is_given_up_and_too_many_of_them_are_not_started():
    """It costs one thread and its time limit; after eight hung threads no more are begun."""
    release = threading.Event()
    box = Toolbox([failing(lambda _: release.wait())], timeout=0.01)
    for _ in range(8):
        assert box.call("get_number", {}).note == "get_number did not answer within 0.01 s"
    assert box.call("get_number", {}).note == "not called: 8 tools called earlier still hang"
    release.set()


def test_a_large_answer_is_cut_and_says_so():
    """A model is never sent a megabyte."""
    box = Toolbox([failing(lambda _: ToolResult(ToolStatus.DATA, ["x" * 100] * 1000, seen={"rows": 1000.0}))], max_bytes=500)
    result = box.call("get_number", {})
    assert result.status is ToolStatus.TRUNCATED
    assert result.data == ["x" * 100] * 3
    assert result.note == "997 rows left out; ask for less"
    assert result.seen == {"rows": 1000.0}


def test_an_answer_is_plain_json_and_its_numbers_are_finite():
    """Answers are stored and shown; NaN and objects of a library are neither."""
    box = Toolbox([failing(lambda _: ToolResult(ToolStatus.DATA, {"at": (1, 2)}, seen={"a": float("nan"), "b": 2.0}))])
    result = box.call("get_number", {})
    assert result.data == {"at": [1, 2]}
    assert result.seen == {"b": 2.0}


def test_two_tools_of_one_name_are_a_mistake():
    """One would hide the other."""
    with pytest.raises(ValueError, match="get_number"):
        Toolbox([counter_tool()[0], counter_tool()[0]])


class When(BaseModel):
    at: Moment


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("now", AT),
        ("now-30m", AT - 1800),
        ("-2h", AT - 7200),
        ("2026-11-20T14:02:00Z", AT - 780),
        ("2026-11-20 14:02:00", AT - 780),
        ("2026-11-20T15:02:00+01:00", AT - 780),
        (AT - 60, AT - 60),
        (str(AT - 60), AT - 60),
        ("2027-01-01T00:00:00Z", AT),
    ],
)
def test_moments_are_made_absolute_before_the_call(written, meant):
    """What is recorded can be asked again later and means the same; the future is now."""
    box = Toolbox([Tool("look", "", lambda arguments: ToolResult(ToolStatus.DATA, seen={"at": arguments.at}), When)], lambda: AT)
    prepared = box.prepare("look", {"at": written})
    assert isinstance(prepared, Prepared)
    assert prepared.asked == {"at": rfc3339(meant)}
    assert box.call("look", prepared.asked).seen == {"at": meant}


def test_a_moment_that_is_none_is_refused_with_an_example():
    """The model is told how to write one."""
    with pytest.raises(ValueError, match="now-30m"):
        read("yesterday", AT)
