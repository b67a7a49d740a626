"""Recorded steps: every value comes back as it was, and nothing that is written there runs."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lens_exporter.config.tree  # noqa: F401 - so that a record could name what is there
from lens_exporter.errors import ModelTimeout, StepUnrecordable
from lens_exporter.investigate.records import UNFIT, read, written
from lens_exporter.model.analysis import Cost, Delivery, DeliveryState, Receipt
from lens_exporter.model.tool import ToolResult, ToolStatus

leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    leaves | st.sampled_from(ToolStatus) | st.builds(Cost, seconds=st.floats(allow_nan=False)),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.builds(ToolResult, data=inner)
    ),
)


def same(one: object, other: object) -> bool:
    return type(one) is type(other) and repr(one) == repr(other)  # 1 and True and 1.0 are equal, and not the same


@given(values)
def test_values_come_back_as_they_were(value):
    """Types, tuples, keys and all; as text that PostgreSQL can hold."""
    text = written(value)
    assert same(read(text), value)
    assert "\0" not in text


def test_what_steps_give_comes_back():
    """A tool's answer with numbers that are none, and what became of publishing."""
    receipt = Receipt("r1", "promql_range", {"query": "up"}, ToolStatus.DATA, {"last": math.inf}, 1.5, 0.1)
    result = (receipt, ToolResult(ToolStatus.DATA, [{"pid": 7, 1: None}]), Delivery("grafana", DeliveryState.DELIVERED, 0.0))
    assert same(read(written(result)), result)
    assert math.isnan(read(written(math.nan)))


def test_errors_come_back_with_type_message_and_fields():
    """An agent decides by the kind, and what a refused call has cost is charged. What is no value is kept as words."""
    error = read(written(ModelTimeout(client="claude", seconds=60, cost=Cost(dollars=0.5), at=object)))
    assert (type(error), str(error)) == (ModelTimeout, "model client claude did not answer within 60 s")
    assert (error.fields["cost"], error.fields["at"]) == (Cost(dollars=0.5), "<class 'object'>")
    assert repr(read(written(KeyError("label")))) == "KeyError('label')"


@pytest.mark.parametrize("value", [object(), len, {1, 2}, b"x", SystemExit(), ToolResult, ToolResult(ToolStatus.DATA, object())])
def test_what_is_no_value_is_refused_when_it_is_written(value):
    """At once, and not at the next restart."""
    with pytest.raises(UNFIT):
        written(value)


@pytest.mark.parametrize(
    "record",
    [
        {"record": "os:system", "fields": {"command": "true"}},
        {"record": "lens_exporter.cli:main", "fields": {}},
        {"record": "lens_exporter.demo.run:Demo", "fields": {}},
        {"record": "lens_exporter.foundation.database:Database", "fields": {"url": "sqlite://"}},
        {"record": "lens_exporter.foundation.database:Path", "fields": {}},
        {"record": "lens_exporter.model.analysis:Cost", "fields": {"unknown": 1}},
        {"error": "lens_exporter.model.analysis:Cost", "fields": []},
        {"enum": "lens_exporter.model.analysis:Cost", "value": 1},
        {"enum": "lens_exporter.model.tool:ToolStatus", "value": "none of them"},
        {"record": "lens_exporter.config.tree:Tree", "fields": {}},  # one that can be changed
        {"enum": "lens_exporter.model.analysis:ToolStatus", "value": "data"},  # only imported there
        {"exception": "eval", "args": ["1"]},
        {"exception": "SystemExit", "args": []},
        {"anything": 1},
        {},
    ],
)
def test_what_somebody_else_wrote_makes_nothing(record):
    """Only enums, errors and frozen values of ours, of modules that are there."""
    with pytest.raises(UNFIT):
        read(json.dumps(record))


def test_an_error_that_cannot_be_written_is_said_in_words():
    """The step's own record of that is one that can."""
    error = StepUnrecordable(step="tool", reason="TypeError: a lock cannot be written down")
    assert str(read(written(error))) == str(error)
