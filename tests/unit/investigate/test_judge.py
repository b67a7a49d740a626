"""Code first, then a model that may send an answer back, and never blocks it."""

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from lens_exporter.errors import ModelOverloaded
from lens_exporter.foundation import tracing
from lens_exporter.investigate.judge import Judge, transcript
from lens_exporter.investigate.receipts import Checked
from lens_exporter.model.analysis import Finding, Health, HealthAnalysis, Outcome, ReviewVerdict
from lens_exporter.model.conversation import Answered, Instruction
from lens_exporter.model.tool import ToolResult, ToolStatus
from tests.unit.investigate.scripted import Scripted, at_once, call, says

ANALYSIS = HealthAnalysis(
    Health.WARNING,
    Outcome.CAUSE_FOUND,
    "Open files leak.",
    (Finding("1,480 open files", ("r1",), holds=True),),
    reasoning="SECRET THOUGHT",
)
PROVED = Checked(ANALYSIS)
UNPROVED = Checked(ANALYSIS, ('finding "1,999 open files": 1,999 is not in r1',))
TRAIL = (
    Instruction("the task"),
    says(call("get_number", value=1), text="I WONDER"),
    Answered(call("get_number", value=1), ToolResult(ToolStatus.DATA, {"value": 1480}, seen={"value": 1480.0}), "r1"),
    Answered(call("get_thing"), ToolResult(ToolStatus.ERROR, note="there is no tool")),
)


def reviews(verdict="accept", **fields):
    return says(call("submit_review", verdict=verdict, **fields))


def judged(reviewer, checked=PROVED, attempt=1, **options):
    told = []
    judge = Judge(reviewer, 2, clock=lambda: 0.0, on_verdict=lambda n, verdict: told.append((n, verdict)))
    review = judge.review(checked, TRAIL, attempt, at_once, alerts="LensMemory", **options)
    assert told == [(attempt, review.verdict)]
    return review


def test_an_accepted_answer_has_no_issues():
    """Both who judged are named, and what it cost is kept."""
    review = judged(Scripted([reviews(confidence="high", issues=["style"])]))
    assert (review.verdict.verdict, review.verdict.issues, review.verdict.by) == (
        ReviewVerdict.ACCEPT,
        (),
        ("receipts", "scripted"),
    )
    assert review.verdict.confidence == "high"
    assert review.cost.dollars == 0.001


def test_the_reviewer_sees_the_answers_and_not_the_reasoning():
    """It judges what was shown, not how it was thought of."""
    reviewer = Scripted([reviews()])
    judged(reviewer)
    (trail, tools, role, _critical) = reviewer.asked[0]
    assert (tools, role) == (("submit_review",), "reviewer")
    assert "1480" in trail[0].text
    assert "LensMemory" in trail[0].text
    assert "SECRET THOUGHT" not in trail[0].text
    assert "I WONDER" not in trail[0].text


def test_a_review_is_a_span(monkeypatch):
    """With its attempt; where no model is asked there is none."""
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(tracing.trace, "get_tracer", provider.get_tracer)
    judged(None)
    assert kept.get_finished_spans() == ()
    judged(Scripted([reviews()]), attempt=2)
    (span,) = kept.get_finished_spans()
    assert (span.name, dict(span.attributes)) == ("review analysis", {"attempt": 2})


def test_what_code_could_not_prove_goes_back_without_paying_a_model():
    """The model is not asked while there is a retry left for what code knows already."""
    reviewer = Scripted([])
    review = judged(reviewer, UNPROVED)
    assert review.verdict.verdict is ReviewVerdict.RETRY
    assert review.verdict.issues == UNPROVED.issues
    assert review.verdict.feedback
    assert reviewer.asked == []


def test_a_retry_carries_its_feedback():
    """Two retries at most; then the answer goes out as inconclusive, with the issues on it."""
    wish = reviews("retry", feedback="look at the traffic", issues=["traffic was not looked at"])
    assert judged(Scripted([wish]), attempt=2).verdict.verdict is ReviewVerdict.RETRY
    last = judged(Scripted([wish]), attempt=3).verdict
    assert (last.verdict, last.issues, last.attempts) == (ReviewVerdict.INCONCLUSIVE, ("traffic was not looked at",), 3)
    assert judged(Scripted([wish]), may_retry=False).verdict.verdict is ReviewVerdict.INCONCLUSIVE


def test_a_retry_without_feedback_is_accept_with_a_note():
    """Nobody can do better without being told what."""
    verdict = judged(Scripted([reviews("retry", feedback="  ")])).verdict
    assert verdict.verdict is ReviewVerdict.ACCEPT
    assert "without saying what for" in verdict.failure


def test_a_reviewer_may_find_it_inconclusive():
    """More asking would not help: no retry."""
    verdict = judged(Scripted([reviews("inconclusive", issues=["moving together is no cause"])])).verdict
    assert (verdict.verdict, verdict.issues) == (ReviewVerdict.INCONCLUSIVE, ("moving together is no cause",))


@pytest.mark.parametrize(
    "replies",
    [
        [ModelOverloaded(client="claude", status=529, reason="overloaded")],
        [says(text="looks fine"), says(text="really")],
        [says(call("submit_review", verdict="maybe")), says(call("submit_review", verdict="perhaps"))],
    ],
)
def test_a_failing_judge_never_blocks_the_answer(replies):
    """The answer goes out on the code's reading, and the failure is said in the verdict."""
    verdict = judged(Scripted(replies)).verdict
    assert (verdict.verdict, verdict.by) == (ReviewVerdict.ACCEPT, ("receipts",))
    assert verdict.failure


def test_a_malformed_review_is_sent_back_once():
    """Small models get it right the second time."""
    verdict = judged(Scripted([says(call("submit_review", verdict="maybe")), reviews()])).verdict
    assert (verdict.verdict, verdict.failure) == (ReviewVerdict.ACCEPT, "")


def test_the_offline_analyst_is_no_reviewer():
    """Code has judged; a second reading by the same code says nothing more."""
    offline = Scripted([], name="offline")
    assert judged(offline).verdict.by == ("receipts",)
    assert judged(None, UNPROVED, attempt=3).verdict.verdict is ReviewVerdict.INCONCLUSIVE
    assert offline.asked == []


def test_the_transcript_holds_receipts_only():
    """Refused calls and the analyst's own words are left out."""
    text = transcript(TRAIL)
    assert text.startswith('r1: get_number {"value":1} -> data: ')
    assert "get_thing" not in text


@pytest.mark.parametrize(("answered", "confidence"), [(1, "low"), (2, "medium"), (4, "medium")])
def test_what_stands_on_few_answers_is_said_with_little_confidence(answered, confidence):
    """Of four questions one was answered: what was concluded from it is hardly more than a guess."""
    results = [ToolStatus.DATA, ToolStatus.EMPTY, ToolStatus.DATA, ToolStatus.DATA][:answered] + [ToolStatus.ERROR] * (4 - answered)
    trail = tuple(Answered(call("get_number"), ToolResult(status), f"r{n}") for n, status in enumerate(results))
    review = Judge(None).review(PROVED, trail, 1, at_once, alerts="LensMemory")
    assert review.verdict.confidence == confidence
