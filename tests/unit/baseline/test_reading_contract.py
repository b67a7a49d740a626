"""What a model may answer about a window."""

import pytest

from lens_exporter.baseline.reading import contract
from lens_exporter.model.conversation import Reply, ToolCall
from tests.unit.baseline.reading_site import answers, confirms, defers, healthy

FLAGGED = "latency_high"


@pytest.mark.parametrize(("reply", "intent"), [(defers(), "continue_observing"), (confirms(), "anomaly"), (healthy(), "healthy")])
def test_each_of_the_three_answers_is_understood(reply, intent):
    """Exactly one typed call is an answer, and it is named as decisions are."""
    said = contract.read(reply, FLAGGED)
    assert not isinstance(said, str)
    assert contract.intent(said) == intent


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (Reply((), text="It is fine."), "exactly one call"),
        (Reply((*defers().calls, *healthy().calls)), "exactly one call"),
        (answers("silence_alert", target="*"), "exactly one call"),
        (Reply((ToolCall("c", "healthy", '{"summary": '),)), "exactly one call"),
        (answers("continue_observing", notes="x", confidence="high"), "confidence"),
        (answers("continue_observing", notes=" ", confidence="low"), "notes"),
        (answers("healthy", summary="x" * 301, confidence="high"), "summary"),
        (answers("healthy", summary="x", confidence="high", silence="1d"), "silence"),
        (confirms(severity="page_everybody"), "severity"),
        (confirms(cooldown_minutes=-1), "cooldown_minutes"),
        (confirms(cooldown_minutes=float("inf")), "cooldown_minutes"),
        (confirms(evidence=["x"] * 6), "evidence"),
        (confirms(anomaly_type="disk_full"), 'only "latency_high" is flagged'),
    ],
)
def test_whatever_else_is_sent_back_with_words(reply, problem):
    """Prose, two calls, unknown tools, wrong types and invented anomalies are no answer, and the model is told why."""
    said = contract.read(reply, FLAGGED)
    assert isinstance(said, str)
    assert problem in said


def test_where_nothing_is_flagged_no_anomaly_can_be_answered():
    """The tool is not offered, and its call is no answer."""
    assert [spec.name for spec in contract.specs("")] == ["continue_observing", "healthy"]
    assert isinstance(contract.read(confirms(anomaly_type=""), ""), str)


def test_the_schema_names_the_one_anomaly_that_may_be_confirmed():
    """A model is not left to guess what it is asked about."""
    (spec,) = [spec for spec in contract.specs(FLAGGED) if spec.name == "anomaly"]
    assert spec.parameters["properties"]["anomaly_type"]["enum"] == [FLAGGED]
